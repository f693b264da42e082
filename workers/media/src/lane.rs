//! One rung: scaled pictures in, H.264 segments out, cut where all rungs are cut.

use std::collections::VecDeque;

use spool_media_protocol::{Init, RenditionKind, RungTask, TARGET_SEGMENT_MS, TICKS_PER_SECOND};

use crate::av::{ColoursOf, Encoder, Frame, Packet, Rational, X264Settings};
use crate::cmaf::{self, Track};
use crate::h264::{self, Layout};
use crate::output::Output;
use crate::segments::{Segments, reordering_delay};
use crate::stop::Stop;

pub const GRID_TICKS: u64 = TARGET_SEGMENT_MS * TICKS_PER_SECOND / 1000;
/// Without a picture for this long after a boundary, the one before it is shown again there.
const PATIENCE_TICKS: u64 = TICKS_PER_SECOND;

/// Where segments begin.
pub enum Boundaries<'a> {
    Grid,
    /// The first picture of each segment of the copied source: (ticks, segment), as far as it has been read.
    Source(&'a [(u64, u32)]),
}

/// What all rungs of a task have in common.
#[derive(Debug, Clone, Copy)]
pub struct LaneSettings {
    pub frame_rate: f64,
    pub bt709: bool,
    pub encoder_threads: u16,
}

pub struct Lane {
    task: RungTask,
    settings: LaneSettings,
    encoder: Option<Encoder>,
    segments: Segments,
    packet: Packet,
    /// The segment of the last picture that was seen; pictures before `start_segment` are only remembered.
    current: Option<u32>,
    previous: Option<Frame>,
    /// The forced keyframes that the encoder has not given back yet.
    starts: VecDeque<(u64, u32)>,
    /// How many of the source's boundaries lie behind.
    boundary: usize,
}

impl Lane {
    pub fn new(task: RungTask, settings: LaneSettings) -> Result<Lane, Stop> {
        Ok(Lane {
            segments: Segments::new(&task.rung.name, 0),
            task,
            settings,
            encoder: None,
            packet: Packet::new()?,
            current: None,
            previous: None,
            starts: VecDeque::new(),
            boundary: 0,
        })
    }

    pub fn start_segment(&self) -> u32 {
        self.task.start_segment
    }

    /// Takes the next picture, whose `pts` is in ticks.
    pub fn push(
        &mut self,
        mut frame: Frame,
        boundaries: &Boundaries<'_>,
        output: &mut Output,
    ) -> Result<(), Stop> {
        let Some(ticks) = frame.pts().and_then(|pts| u64::try_from(pts).ok()) else {
            return Ok(());
        };
        // Opened by whatever picture comes first, so that the init segment is sent even when nothing is missing.
        if self.encoder.is_none() {
            self.open(&frame, output)?;
        }
        let segment = match boundaries {
            Boundaries::Grid => {
                self.repeat_until(ticks, output)?;
                u32::try_from(ticks / GRID_TICKS).unwrap_or(u32::MAX)
            }
            Boundaries::Source(starts) => {
                while starts
                    .get(self.boundary)
                    .is_some_and(|&(start, _)| start <= ticks)
                {
                    self.boundary += 1;
                }
                match self.boundary.checked_sub(1) {
                    Some(last) => starts[last].1,
                    // Before the first boundary that was read: an earlier attempt has it.
                    None => return Ok(()),
                }
            }
        };
        let begins = self.enter(segment, ticks);
        if matches!(boundaries, Boundaries::Grid) {
            self.previous = Some(frame.share()?);
        }
        if segment < self.task.start_segment {
            return Ok(());
        }
        self.encode(&mut frame, begins, output)
    }

    /// Notes which segment we are in; says whether this picture begins it.
    fn enter(&mut self, segment: u32, ticks: u64) -> bool {
        let begins =
            self.current.is_none_or(|current| segment > current) && segment >= self.task.start_segment;
        if begins {
            self.starts.push_back((ticks, segment));
        }
        self.current = Some(segment);
        begins
    }

    /// In a long pause shows the last picture again at each boundary, so that no segment is missing or overlong.
    fn repeat_until(&mut self, ticks: u64, output: &mut Output) -> Result<(), Stop> {
        let (Some(mut current), Some(previous)) = (self.current, self.previous.take()) else {
            return Ok(());
        };
        loop {
            let next = u64::from(current + 1) * GRID_TICKS;
            if next + PATIENCE_TICKS > ticks {
                return Ok(());
            }
            current += 1;
            let begins = self.enter(current, next);
            if current >= self.task.start_segment {
                let mut again = previous.share()?;
                again.set_pts(next.cast_signed());
                self.encode(&mut again, begins, output)?;
            }
        }
    }

    fn encode(&mut self, frame: &mut Frame, begins: bool, output: &mut Output) -> Result<(), Stop> {
        frame.force_keyframe(begins);
        let encoder = self.encoder.as_mut().expect("opened with the first picture");
        encoder.send(Some(frame))?;
        self.collect(output)
    }

    fn open(&mut self, frame: &Frame, output: &mut Output) -> Result<(), Stop> {
        let rung = &self.task.rung;
        let settings = X264Settings {
            width: rung.width,
            height: rung.height,
            sample_aspect: rung.sample_aspect,
            frame_rate: as_rational(self.settings.frame_rate),
            preset: "veryfast",
            crf: rung.crf,
            bit_rate_max: rung.bit_rate_max,
            buffer_bits: rung.buffer_bits,
            threads: self.settings.encoder_threads,
            bt709: self.settings.bt709,
        };
        let encoder = Encoder::x264(settings, &ColoursOf(frame))?;
        let configuration = h264::configuration(encoder.extradata())
            .ok_or_else(|| Stop::fail("internal", "The encoder did not say how it encodes.", true))?;
        let track = Track::Video {
            width: rung.width,
            height: rung.height,
            sample_aspect: rung.sample_aspect,
            configuration: &configuration,
            bt709: self.settings.bt709,
        };
        let timescale = TICKS_PER_SECOND as u32;
        let frame_ticks = TICKS_PER_SECOND as f64 / as_rational(self.settings.frame_rate).as_f64();
        let delay = reordering_delay(encoder.reordered_frames(), frame_ticks.ceil() as u64);
        self.segments = Segments::new(&rung.name, delay);
        let init = Init {
            rendition: rung.name.clone(),
            kind: RenditionKind::Video,
            codec: h264::codec_string(&configuration),
            timescale,
            width: rung.width,
            height: rung.height,
            frame_rate: self.settings.frame_rate,
            channels: 0,
            sample_rate: 0,
            copied: false,
            whole: true,
        };
        output.init(
            init,
            self.task.start_segment,
            &cmaf::init_segment(&track, timescale, delay),
        )?;
        self.encoder = Some(encoder);
        Ok(())
    }

    fn collect(&mut self, output: &mut Output) -> Result<(), Stop> {
        let Some(encoder) = self.encoder.as_mut() else {
            return Ok(());
        };
        while encoder.receive(&mut self.packet)? {
            let Some(pts) = self.packet.pts().and_then(|pts| u64::try_from(pts).ok()) else {
                continue;
            };
            if self.packet.is_key()
                && let Some(&(start, index)) = self.starts.front()
                && start == pts
            {
                self.starts.pop_front();
                self.segments.begin(index, pts, output)?;
            }
            let data = self.packet.data();
            self.segments.push(pts, self.packet.is_key(), |out| {
                h264::append_sample(out, data, Layout::StartCodes)
            });
        }
        Ok(())
    }

    /// Ends the last segment at the end of the film. On the grid, a film that goes on in sound only keeps its last
    /// picture.
    pub fn finish(&mut self, end_ticks: u64, on_grid: bool, output: &mut Output) -> Result<(), Stop> {
        if on_grid {
            self.repeat_until(end_ticks, output)?;
        }
        if let Some(encoder) = self.encoder.as_mut() {
            encoder.send(None)?;
        }
        self.collect(output)?;
        self.segments.finish(end_ticks, output)
    }
}

/// A rate as x264 wants it; 0 (unknown) becomes 25.
fn as_rational(rate: f64) -> Rational {
    let rate = if (1.0..=1000.0).contains(&rate) {
        rate
    } else {
        25.0
    };
    Rational {
        num: (rate * 1000.0).round() as i32,
        den: 1000,
    }
}
