//! What goes to the worker: messages on stdout, at a measured pace, with the totals of each rendition kept.

use std::collections::BTreeMap;
use std::io::{self, Stdout};
use std::time::{Duration, Instant};

use spool_media_protocol::{
    Finished, Init, Message, Progress, RenditionTotal, Segment, Warning, WarningCode, framing, ticks_to_ms,
};

const BETWEEN_PROGRESS: Duration = Duration::from_millis(500);

pub struct Output {
    stdout: Stdout,
    last_progress_at: Option<Instant>,
    /// Ends of what each rendition has, so that progress is that of the slowest.
    renditions: BTreeMap<String, Running>,
    warnings: Vec<Warning>,
}

struct Running {
    timescale: u64,
    segments: u32,
    bytes: u64,
    duration_ticks: u64,
    end_ticks: u64,
    peak_bandwidth: u64,
    whole: bool,
}

impl Output {
    pub fn new() -> Self {
        Output {
            stdout: io::stdout(),
            last_progress_at: None,
            renditions: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    pub fn message(&mut self, message: &Message, payload: &[&[u8]]) -> io::Result<()> {
        framing::write(&mut self.stdout.lock(), message, payload)
    }

    pub fn init(&mut self, init: Init, first_segment: u32, bytes: &[u8]) -> io::Result<()> {
        self.renditions.insert(
            init.rendition.clone(),
            Running {
                timescale: u64::from(init.timescale).max(1),
                segments: first_segment,
                bytes: 0,
                duration_ticks: 0,
                end_ticks: 0,
                peak_bandwidth: 0,
                whole: init.whole,
            },
        );
        self.message(&Message::Init(init), &[bytes])
    }

    /// Sends a segment of a rendition whose `init` was sent.
    pub fn segment(&mut self, rendition: &str, segment: &crate::cmaf::MediaSegment) -> io::Result<()> {
        let running = self
            .renditions
            .get_mut(rendition)
            .expect("init comes before segments");
        let bytes = segment.bytes.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let timescale = running.timescale;
        running.segments = segment.index + 1;
        running.bytes += bytes;
        running.duration_ticks += segment.duration_ticks;
        running.end_ticks = segment.start_ticks + segment.duration_ticks;
        let bandwidth = bytes * 8 * timescale / segment.duration_ticks.max(timescale / 10).max(1);
        running.peak_bandwidth = running.peak_bandwidth.max(bandwidth);
        let to_ms = |ticks: u64| (ticks * 1000 + timescale / 2) / timescale;
        let message = Message::Segment(Segment {
            rendition: rendition.to_owned(),
            index: segment.index,
            start_ms: to_ms(segment.start_ticks),
            duration_ms: to_ms(segment.start_ticks + segment.duration_ticks) - to_ms(segment.start_ticks),
            start_ticks: segment.start_ticks,
            duration_ticks: segment.duration_ticks,
            bytes,
            frames: segment.frames,
        });
        let pieces: Vec<&[u8]> = segment.bytes.iter().map(Vec::as_slice).collect();
        self.message(&message, &pieces)
    }

    /// Says how far the work is, unless that was said a moment ago.
    pub fn progress(&mut self, done_ticks: u64, total_ms: u64) -> io::Result<()> {
        let now = Instant::now();
        if self
            .last_progress_at
            .is_some_and(|last| now - last < BETWEEN_PROGRESS)
        {
            return Ok(());
        }
        self.last_progress_at = Some(now);
        let done_ms = ticks_to_ms(done_ticks).min(total_ms);
        self.message(&Message::Progress(Progress { done_ms, total_ms }), &[])
    }

    pub fn warn(&mut self, code: WarningCode, sentence: impl Into<String>) {
        if self.warnings.iter().all(|warning| warning.code != code) {
            self.warnings.push(Warning {
                code,
                sentence: sentence.into(),
            });
        }
    }

    /// Says whether the rendition reached the end of the film, when that was not known before.
    pub fn set_whole(&mut self, rendition: &str, whole: bool) {
        if let Some(running) = self.renditions.get_mut(rendition) {
            running.whole = whole;
        }
    }

    pub fn finish(&mut self, duration_ms: u64) -> io::Result<()> {
        let renditions = self
            .renditions
            .iter()
            .map(|(name, running)| running.total(name))
            .collect();
        let warnings = std::mem::take(&mut self.warnings);
        let finished = Finished {
            duration_ms,
            renditions,
            warnings,
            cpu_ms: crate::sandbox::cpu_ms(),
        };
        self.message(&Message::Finished(finished), &[])
    }
}

impl Running {
    fn total(&self, name: &str) -> RenditionTotal {
        RenditionTotal {
            rendition: name.to_owned(),
            segments: self.segments,
            bytes: self.bytes,
            duration_ms: self.end_ticks * 1000 / self.timescale,
            peak_bandwidth: self.peak_bandwidth,
            average_bandwidth: self.bytes * 8 * self.timescale / self.duration_ticks.max(1),
            whole: self.whole,
        }
    }
}
