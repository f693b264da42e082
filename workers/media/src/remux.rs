//! Publishes a browser-safe film without encoding its picture: the packets are copied into segments.

use spool_media_protocol::{
    Init, Message, RefusalCode, RemuxTask, RenditionKind, SourceUse, TARGET_SEGMENT_MS, TICKS_PER_SECOND,
    WarningCode, plan, ticks_to_ms,
};

use crate::audio::AudioLane;
use crate::av::{Packet, Rational};
use crate::cmaf::{self, Track};
use crate::film::Film;
use crate::h264::{self, Layout};
use crate::lane::GRID_TICKS;
use crate::output::Output;
use crate::segments::{Segments, reordering_delay};
use crate::stop::Stop;

/// A source that is no rung and has no keyframe for so long is not published any further.
const SEGMENT_BYTES_MAX: usize = 48 << 20;

pub fn run(task: &RemuxTask, output: &mut Output) -> Result<(), Stop> {
    let mut film = Film::open(&task.limits)?;
    output.message(&Message::Probed(Box::new(film.probe.clone())), &[])?;
    let (name, is_rung) = match plan(&film.probe).source {
        SourceUse::None => {
            output.finish(film.probe.duration_ms)?;
            return Ok(());
        }
        SourceUse::FirstMinutes { name } => (name, false),
        SourceUse::Rung { name } => (name, true),
    };
    let name = task.rendition.clone().unwrap_or(name);
    let mut picture = Picture::open(&film, &name, is_rung, task, output)?;
    let mut audio = task
        .audio
        .map(|audio| AudioLane::open(&film, audio.start_segment, output))
        .transpose()?
        .flatten();
    film.keep_only(true, audio.is_some());
    if is_rung {
        film.go_before(first_needed_ticks(task, &film))?;
    }
    copy(&mut film, &mut picture, audio.as_mut(), output)?;
    let picture_end = picture.finish(output)?;
    let declared = if film.probe.duration_is_estimate {
        0
    } else {
        film.probe.duration_ms * TICKS_PER_SECOND / 1000
    };
    let until = if picture.is_whole() {
        picture_end
    } else {
        picture_end.max(declared)
    };
    if let Some(audio) = audio.as_mut() {
        audio.finish(&film, until, output)?;
    }
    if film.was_damaged() || audio.as_ref().is_some_and(AudioLane::was_damaged) {
        output.warn(
            WarningCode::Damaged,
            "Parts of the film are damaged and were left out.",
        );
    }
    let measured_ms = ticks_to_ms(until);
    for warning in film
        .probe
        .warnings
        .iter()
        .cloned()
        .chain(film.truncation(measured_ms))
    {
        output.warn(warning.code, warning.sentence);
    }
    output.finish(measured_ms)?;
    Ok(())
}

/// Where the first missing segment of both renditions begins.
fn first_needed_ticks(task: &RemuxTask, film: &Film) -> u64 {
    let picture = film
        .cuts
        .as_ref()
        .map_or(0, |cuts| cuts.start_ticks(task.start_segment, &film.video));
    let audio = task
        .audio
        .map(|audio| u64::from(audio.start_segment) * GRID_TICKS);
    audio.map_or(picture, |audio| audio.min(picture))
}

fn copy(
    film: &mut Film,
    picture: &mut Picture,
    mut audio: Option<&mut AudioLane>,
    output: &mut Output,
) -> Result<(), Stop> {
    let mut packet = Packet::new()?;
    let total_ms = film.probe.duration_ms;
    while film.read(&mut packet)? {
        if film.is_video(&packet) {
            picture.packet(film, &packet, output)?;
            if picture.is_done() {
                if audio.is_none() {
                    return Ok(());
                }
                film.keep_only(false, true);
            }
            output.progress(picture.end_ticks, total_ms)?;
        } else if film.is_audio(&packet)
            && let Some(audio) = audio.as_mut()
        {
            audio.packet(film, &packet, output)?;
            output.progress(audio.end_ticks(), total_ms)?;
        }
    }
    picture.reached_end();
    Ok(())
}

/// The copied track.
struct Picture {
    name: String,
    is_rung: bool,
    start_segment: u32,
    layout: Layout,
    segments: Segments,
    /// The segment that we are in, wanted or not.
    current: Option<u32>,
    current_start: u64,
    end_ticks: u64,
    limit_ticks: u64,
    nominal_ticks: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Copying,
    /// Stopped before the end of the film.
    Stopped,
    /// All of it was there.
    Ended,
}

impl Picture {
    fn open(
        film: &Film,
        name: &str,
        is_rung: bool,
        task: &RemuxTask,
        output: &mut Output,
    ) -> Result<Picture, Stop> {
        let not_described = || {
            Stop::fail(
                "source_not_cuttable",
                "The film does not say how its picture is coded.",
                true,
            )
        };
        let layout = h264::layout(&film.video.extradata).ok_or_else(not_described)?;
        let configuration = h264::configuration(&film.video.extradata)
            .map(h264::with_four_byte_lengths)
            .ok_or_else(not_described)?;
        let (width, height) = (film.probe.video.width, film.probe.video.height);
        let track = Track::Video {
            width,
            height,
            sample_aspect: (1, 1),
            configuration: &configuration,
            bt709: false,
        };
        let delay = reordering_delay(film.video.reordered_frames, film.nominal_frame_ticks());
        let init = Init {
            rendition: name.to_owned(),
            kind: RenditionKind::Video,
            codec: h264::codec_string(&configuration),
            timescale: TICKS_PER_SECOND as u32,
            width,
            height,
            frame_rate: film.probe.video.frame_rate,
            channels: 0,
            sample_rate: 0,
            copied: true,
            whole: is_rung,
        };
        output.init(
            init,
            task.start_segment,
            &cmaf::init_segment(&track, TICKS_PER_SECOND as u32, delay),
        )?;
        Ok(Picture {
            name: name.to_owned(),
            is_rung,
            start_segment: task.start_segment,
            layout,
            segments: Segments::new(name, delay),
            current: None,
            current_start: 0,
            end_ticks: 0,
            limit_ticks: task.limit_ms.saturating_mul(TICKS_PER_SECOND) / 1000,
            nominal_ticks: film.nominal_frame_ticks(),
            state: State::Copying,
        })
    }

    fn packet(&mut self, film: &Film, packet: &Packet, output: &mut Output) -> Result<(), Stop> {
        if self.state != State::Copying {
            return Ok(());
        }
        let Some(time) = packet.pts() else {
            return self.give_up("A picture of the film has no time.");
        };
        let Ok(ticks) = u64::try_from(film.video_ticks(time)) else {
            return if self.current.is_some() {
                self.give_up("The film's times are out of order.")
            } else {
                Ok(())
            };
        };
        self.check_gap(film, ticks)?;
        if packet.has_new_parameters() && self.current.is_some() {
            return self.give_up("The film changes how it is coded halfway.");
        }
        if let Some(segment) = self.begins(film, packet, ticks) {
            if !h264::is_clean_start(packet.data(), self.layout) {
                return self.give_up("A keyframe of the film needs pictures before it.");
            }
            if !self.is_rung && ticks >= self.limit_ticks {
                self.segments.finish(ticks, output)?;
                self.state = State::Stopped;
                return Ok(());
            }
            self.current = Some(segment);
            self.current_start = ticks;
            if segment >= self.start_segment {
                self.segments.begin(segment, ticks, output)?;
            }
        }
        let stated = film
            .video
            .time_base
            .rescale(packet.duration(), Rational::TICKS)
            .max(0)
            .cast_unsigned();
        let lasts = if (1..=10 * TICKS_PER_SECOND).contains(&stated) {
            stated
        } else {
            self.nominal_ticks
        };
        self.end_ticks = self.end_ticks.max(ticks + lasts);
        if self.segments.index().is_some() {
            let layout = self.layout;
            self.segments.push(ticks, packet.is_key(), |out| {
                h264::append_sample(out, packet.data(), layout)
            });
            if self.segments.bytes() > SEGMENT_BYTES_MAX {
                return self.give_up("Too much of the film lies between two of its keyframes.");
            }
        }
        Ok(())
    }

    /// The segment that a packet begins: as planned for a rung, else at the first keyframe after 4 s.
    fn begins(&self, film: &Film, packet: &Packet, ticks: u64) -> Option<u32> {
        if self.is_rung {
            return film.cuts.as_ref().and_then(|cuts| cuts.begins(packet));
        }
        let almost = TARGET_SEGMENT_MS * TICKS_PER_SECOND / 1000 - TICKS_PER_SECOND / 20;
        match self.current {
            None if packet.is_key() => Some(0),
            Some(current) if packet.is_key() && ticks >= self.current_start + almost => {
                h264::is_clean_start(packet.data(), self.layout).then_some(current + 1)
            }
            _ => None,
        }
    }

    fn check_gap(&self, film: &Film, ticks: u64) -> Result<(), Stop> {
        let gap_ticks_max = film.limits.gap_ms_max.saturating_mul(TICKS_PER_SECOND) / 1000;
        if self.current.is_some() && ticks > self.end_ticks.saturating_add(gap_ticks_max) {
            return Err(Stop::refuse(
                RefusalCode::GapTooLong,
                "The film has a hole in it: more than ten minutes pass between two pictures.",
            ));
        }
        Ok(())
    }

    /// A rung has to be whole, so the task fails and the worker encodes everything; the first minutes just end.
    fn give_up(&mut self, because: &str) -> Result<(), Stop> {
        if self.is_rung {
            return Err(Stop::fail("source_not_cuttable", because, true));
        }
        self.segments.abandon();
        self.state = State::Stopped;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.state == State::Stopped
    }

    fn reached_end(&mut self) {
        if self.state == State::Copying {
            self.state = State::Ended;
        }
    }

    fn is_whole(&self) -> bool {
        self.state == State::Ended
    }

    fn finish(&mut self, output: &mut Output) -> Result<u64, Stop> {
        self.segments.finish(self.end_ticks, output)?;
        output.set_whole(&self.name, self.is_whole());
        Ok(self.end_ticks)
    }
}
