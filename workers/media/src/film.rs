//! An open film: which tracks are used, where its time begins, and how to read it from there.

use spool_media_protocol::{
    Container, Limits, Probe, Refusal, RefusalCode, TICKS_PER_SECOND, Warning, WarningCode, sniff,
};

use crate::av::{self, AvError, Decoder, DecoderSettings, Input, Packet, Rational, StreamInfo, StreamKind};
use crate::clock::Clock;
use crate::cuts::Cuts;
use crate::stop::Stop;
use crate::{codecs, probe, start};

/// Reading on behind damage is tried this often before the rest is given up.
const READ_ERRORS_MAX: u32 = 200;

pub struct Film {
    input: Input,
    pub container: Container,
    pub limits: Limits,
    decoders: String,
    pub video: StreamInfo,
    /// None: the film has no sound, or none that can be used.
    pub audio: Option<StreamInfo>,
    pub start: start::Start,
    pub cuts: Option<Cuts>,
    pub probe: Probe,
    clock: Clock,
    read_errors: u32,
}

impl Film {
    /// Opens what is on stdin and learns everything that the tasks need, reading only a little of it.
    pub fn open(limits: &Limits) -> Result<Film, Stop> {
        let container = sniff_stdin()?;
        let decoders = codecs::decoders();
        let mut input = open_input(container, &decoders, limits)?;
        let tracks = Tracks::choose(&input.streams(), limits)?;
        input.keep_only(&tracks.indexes());
        let start = start::find(&mut input, container, &tracks, &decoders, limits)?;
        let cuts = Cuts::from_index(&mut input, container, &tracks.video);
        let duration = probe::duration(&mut input, container, &tracks.video, &start, cuts.as_ref())?;
        if duration.ms > limits.duration_ms_max {
            return Err(too_long(limits));
        }
        let probe = probe::describe(&input, container, &tracks, &start, cuts.as_ref(), &duration);
        let mut film = Film {
            input,
            container,
            limits: limits.clone(),
            decoders,
            video: tracks.video,
            audio: tracks.audio,
            start,
            cuts: cuts.and_then(Cuts::planned),
            probe,
            clock: Clock::new(container),
            read_errors: 0,
        };
        film.rewind()?;
        Ok(film)
    }

    /// Back to the beginning, for reading in order.
    pub fn rewind(&mut self) -> Result<(), Stop> {
        self.clock = Clock::new(self.container);
        self.read_errors = 0;
        let first = self.video.start.unwrap_or(self.start.time).min(self.start.time);
        if self.can_seek() && self.input.seek(self.video.index, first).is_ok() {
            return Ok(());
        }
        self.input = open_input(self.container, &self.decoders, &self.limits)?;
        self.input.keep_only(&self.used());
        Ok(())
    }

    /// To a keyframe well before a time (in ticks), or to the beginning where going anywhere else is not exact.
    pub fn go_before(&mut self, ticks: u64) -> Result<(), Stop> {
        let margin = TICKS_PER_SECOND;
        if ticks <= margin || !self.can_seek() {
            return self.rewind();
        }
        let offset = Rational::TICKS.rescale((ticks - margin).cast_signed(), self.video.time_base);
        match self
            .input
            .seek(self.video.index, self.start.time.saturating_add(offset))
        {
            Ok(()) => Ok(()),
            Err(_) => self.rewind(),
        }
    }

    /// The containers with an index that leads exactly to a keyframe, whatever was read before.
    fn can_seek(&self) -> bool {
        matches!(self.container, Container::Mp4 | Container::Matroska) && self.probe.keyframes.complete
    }

    /// For a picture that may come from anywhere near a time.
    pub fn go_near(&mut self, ticks: u64) -> Result<(), Stop> {
        let offset = Rational::TICKS.rescale(ticks.cast_signed(), self.video.time_base);
        match self
            .input
            .seek(self.video.index, self.start.time.saturating_add(offset))
        {
            Ok(()) => Ok(()),
            Err(_) => self.rewind(),
        }
    }

    fn used(&self) -> Vec<usize> {
        [
            Some(self.video.index),
            self.audio.as_ref().map(|audio| audio.index),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// From now on only these of the used tracks are read.
    pub fn keep_only(&mut self, video: bool, audio: bool) {
        let audio = self.audio.as_ref().filter(|_| audio).map(|audio| audio.index);
        let kept: Vec<usize> = [Some(self.video.index).filter(|_| video), audio]
            .into_iter()
            .flatten()
            .collect();
        self.input.keep_only(&kept);
    }

    pub fn is_video(&self, packet: &Packet) -> bool {
        packet.stream() == self.video.index
    }

    pub fn is_audio(&self, packet: &Packet) -> bool {
        self.audio
            .as_ref()
            .is_some_and(|audio| audio.index == packet.stream())
    }

    /// The next packet; `false` at the end, or where damage ends it.
    pub fn read(&mut self, packet: &mut Packet) -> Result<bool, Stop> {
        loop {
            match self.input.read(packet) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) if error.is_out_of_memory() || error.is_io() => return Err(error.into()),
                Err(_) if self.read_errors < READ_ERRORS_MAX => {
                    self.read_errors += 1;
                    continue;
                }
                Err(_) => return Ok(false),
            }
            // Where packets have a known size a broken one is the file's end; in a broadcast it is a lost bit.
            let has_known_size = matches!(self.container, Container::Mp4 | Container::Matroska);
            if packet.is_corrupt() && has_known_size {
                self.read_errors += 1;
                continue;
            }
            let time_base = if self.is_video(packet) {
                self.video.time_base
            } else if let Some(audio) = self.audio.as_ref().filter(|audio| audio.index == packet.stream()) {
                audio.time_base
            } else {
                continue;
            };
            self.clock.mend(packet, time_base);
            return Ok(true);
        }
    }

    /// Some of what was read was broken.
    pub fn was_damaged(&self) -> bool {
        self.read_errors > 0
    }

    pub fn video_decoder(&self, threads: u16, keyframes_only: bool) -> Result<Decoder, AvError> {
        let settings = DecoderSettings {
            allowed: &self.decoders,
            pixels_max: self.limits.pixels_max,
            threads,
            keyframes_only,
        };
        Decoder::open(&self.input, &self.video, settings)
    }

    pub fn audio_decoder(&self, audio: &StreamInfo) -> Result<Decoder, AvError> {
        let settings = DecoderSettings {
            allowed: &self.decoders,
            pixels_max: self.limits.pixels_max,
            threads: 1,
            keyframes_only: false,
        };
        Decoder::open(&self.input, audio, settings)
    }

    /// A time of the video track in ticks from the film's beginning; negative before it.
    pub fn video_ticks(&self, time: i64) -> i64 {
        self.video
            .time_base
            .rescale(time.saturating_sub(self.start.time), Rational::TICKS)
    }

    /// A time of the audio track in samples from the film's beginning; negative before it.
    pub fn audio_samples(&self, audio: &StreamInfo, time: i64, sample_rate: u32) -> i64 {
        let samples = Rational {
            num: 1,
            den: i32::try_from(sample_rate).unwrap_or(i32::MAX),
        };
        audio
            .time_base
            .rescale(time, samples)
            .saturating_sub(self.video.time_base.rescale(self.start.time, samples))
    }

    /// The time of one picture, in ticks, where nothing better is known.
    pub fn nominal_frame_ticks(&self) -> u64 {
        let rate = self.probe.video.frame_rate;
        if (1.0..=1000.0).contains(&rate) {
            (TICKS_PER_SECOND as f64 / rate) as u64
        } else {
            TICKS_PER_SECOND / 25
        }
    }

    /// The warning about a film that turned out shorter than it says, if it did.
    pub fn truncation(&self, measured_ms: u64) -> Option<Warning> {
        let declared = self.probe.duration_ms;
        let already = self
            .probe
            .warnings
            .iter()
            .find(|warning| warning.code == WarningCode::Truncated);
        if let Some(warning) = already {
            return Some(warning.clone());
        }
        let missing = declared.saturating_sub(measured_ms);
        (!self.probe.duration_is_estimate && missing > 1000 && missing * 50 > declared)
            .then(|| truncated(declared, measured_ms))
    }
}

pub fn truncated(declared_ms: u64, measured_ms: u64) -> Warning {
    Warning {
        code: WarningCode::Truncated,
        sentence: format!(
            "The file ends early: it says {:.1} s, but only {:.1} s of it are there.",
            declared_ms as f64 / 1000.0,
            measured_ms as f64 / 1000.0
        ),
    }
}

fn sniff_stdin() -> Result<Container, Stop> {
    let (first, _) = av::first_bytes(sniff::SNIFF_BYTES).map_err(|error| {
        Stop::fail(
            "input_error",
            format!("The film could not be read: {error}."),
            false,
        )
    })?;
    sniff::sniff(&first).map_err(Stop::Refused)
}

fn open_input(container: Container, decoders: &str, limits: &Limits) -> Result<Input, Stop> {
    let mut input = Input::open(container, decoders).map_err(|error| unreadable(container, error))?;
    // Before anything is decoded, where the header already tells.
    check_streams(&input.streams(), limits)?;
    input
        .find_stream_facts()
        .map_err(|error| unreadable(container, error))?;
    check_streams(&input.streams(), limits)?;
    Ok(input)
}

fn unreadable(container: Container, error: AvError) -> Stop {
    if error.is_out_of_memory() || error.is_io() {
        return error.into();
    }
    if container == Container::Mp4 {
        return Stop::refuse(
            RefusalCode::Incomplete,
            "The file is incomplete: the part that describes the film is missing. The recording or the upload may have \
             been cut off.",
        );
    }
    Stop::refuse(
        RefusalCode::Unreadable,
        "The file begins like a film, but the rest of it cannot be read.",
    )
}

fn check_streams(streams: &[StreamInfo], limits: &Limits) -> Result<(), Stop> {
    if streams.len() > limits.streams_max as usize {
        return Err(Stop::refuse(
            RefusalCode::TooManyStreams,
            format!(
                "The file has {} tracks; at most {} are taken.",
                streams.len(),
                limits.streams_max
            ),
        ));
    }
    for stream in streams
        .iter()
        .filter(|stream| stream.kind == StreamKind::Video && !stream.is_attached_picture)
    {
        let pixels = u64::from(stream.width) * u64::from(stream.height);
        if pixels > limits.pixels_max {
            return Err(too_many_pixels(stream.width, stream.height));
        }
    }
    Ok(())
}

pub fn too_many_pixels(width: u32, height: u32) -> Stop {
    Stop::refuse(
        RefusalCode::TooManyPixels,
        format!(
            "The picture is too large: {width} x {height} pixels. The largest that is taken is 8K (8192 x 4320)."
        ),
    )
}

pub fn too_long(limits: &Limits) -> Stop {
    let hours = limits.duration_ms_max as f64 / 3_600_000.0;
    Stop::refuse(
        RefusalCode::TooLong,
        format!("The film is too long: at most {hours} hours are taken."),
    )
}

/// The tracks that are used.
pub struct Tracks {
    pub video: StreamInfo,
    pub audio: Option<StreamInfo>,
    pub audio_tracks: u32,
}

impl Tracks {
    fn choose(streams: &[StreamInfo], _limits: &Limits) -> Result<Tracks, Stop> {
        let video = first_or_default(streams, |stream| {
            stream.kind == StreamKind::Video && !stream.is_attached_picture
        })
        .ok_or_else(|| no_picture(streams))?;
        if !codecs::accepts_video(&video.codec) {
            return Err(codec_not_accepted(&video.codec));
        }
        if video.width == 0 || video.height == 0 {
            return Err(Stop::refuse(
                RefusalCode::NothingDecodable,
                "No picture of this film could be decoded.",
            ));
        }
        let is_sound = |stream: &StreamInfo| stream.kind == StreamKind::Audio;
        let is_usable = |stream: &StreamInfo| {
            is_sound(stream) && codecs::accepts_audio(&stream.codec) && stream.sample_rate > 0
        };
        Ok(Tracks {
            video: video.clone(),
            audio: first_or_default(streams, is_usable).cloned(),
            audio_tracks: streams.iter().filter(|stream| is_sound(stream)).count() as u32,
        })
    }

    fn indexes(&self) -> Vec<usize> {
        [
            Some(self.video.index),
            self.audio.as_ref().map(|audio| audio.index),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn first_or_default(streams: &[StreamInfo], wanted: impl Fn(&StreamInfo) -> bool) -> Option<&StreamInfo> {
    streams
        .iter()
        .find(|stream| stream.is_default && wanted(stream))
        .or_else(|| streams.iter().find(|stream| wanted(stream)))
}

fn no_picture(streams: &[StreamInfo]) -> Stop {
    if streams.iter().any(|stream| stream.kind == StreamKind::Audio) {
        return Stop::Refused(sniff::no_video());
    }
    Stop::refuse(RefusalCode::NoVideo, "This file has no video.")
}

fn codec_not_accepted(codec: &str) -> Stop {
    let known: String = codec
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    Stop::Refused(Refusal::new(
        RefusalCode::CodecNotAccepted,
        format!(
            "The picture is coded in a way that is not accepted here ({known}). H.264, H.265, AV1, VP8, VP9, MPEG-2, \
             ProRes and other common codecs are."
        ),
    ))
}
