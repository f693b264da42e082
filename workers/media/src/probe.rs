//! Describes an open film for the worker.

use spool_media_protocol::{AudioInfo, Container, KeyframeSummary, Probe, VideoInfo, Warning, WarningCode};

use crate::av::{Input, Packet, Rational, StreamInfo};
use crate::cuts::Cuts;
use crate::film::{self, Tracks};
use crate::start::Start;
use crate::stop::Stop;

/// How much of a film without a duration is read to measure it, before the rest is estimated from the size.
const MEASURED_BYTES_MAX: u64 = 192 << 20;

pub struct Duration {
    pub ms: u64,
    pub is_estimate: bool,
    /// What the file declares, when that is not there.
    pub truncated_from_ms: Option<u64>,
}

/// How long the film is, by its index, its header, or by reading it where both say nothing.
pub fn duration(
    input: &mut Input,
    container: Container,
    video: &StreamInfo,
    start: &Start,
    cuts: Option<&Cuts>,
) -> Result<Duration, Stop> {
    let of_file = input.duration_us().map(|us| us.cast_unsigned() / 1000);
    let of_video = video.duration.map(|duration| {
        video
            .time_base
            .rescale(duration, Rational { num: 1, den: 1000 })
            .max(0)
            .cast_unsigned()
    });
    if let Some(cuts) = cuts.filter(|cuts| cuts.is_cut_off) {
        let truncated_from_ms = of_file
            .max(of_video)
            .filter(|&declared| declared > cuts.measured_ms + 200);
        return Ok(Duration {
            ms: cuts.measured_ms.max(1),
            is_estimate: false,
            truncated_from_ms,
        });
    }
    // A stated duration of the picture is better than that of the file, which may be all sound, except that a
    // soundtrack longer than the picture is kept.
    match of_file.or(of_video) {
        Some(ms) => Ok(Duration {
            ms: ms.max(1),
            is_estimate: false,
            truncated_from_ms: None,
        }),
        None => measured(input, container, video, start),
    }
}

fn measured(
    input: &mut Input,
    container: Container,
    video: &StreamInfo,
    start: &Start,
) -> Result<Duration, Stop> {
    let mut packet = Packet::new()?;
    let (mut end, mut errors) = (start.time, 0);
    let begin = input.bytes_position();
    input.keep_only(&[video.index]);
    let reached_end = loop {
        match input.read(&mut packet) {
            Ok(true) => {}
            Ok(false) => break true,
            Err(error) if error.is_out_of_memory() || error.is_io() => return Err(error.into()),
            Err(_) if errors < 100 => {
                errors += 1;
                continue;
            }
            Err(_) => break true,
        }
        if let Some(time) = packet.pts().or(packet.dts()) {
            end = end.max(time.saturating_add(packet.duration()));
        }
        if input.bytes_position() - begin.min(input.bytes_position()) > MEASURED_BYTES_MAX {
            break false;
        }
    };
    let ms = video
        .time_base
        .rescale(end - start.time, Rational { num: 1, den: 1000 })
        .max(1)
        .cast_unsigned();
    if reached_end {
        return Ok(Duration {
            ms,
            is_estimate: container == Container::Gif,
            truncated_from_ms: None,
        });
    }
    let scale = input.bytes() as f64 / input.bytes_position().max(1) as f64;
    Ok(Duration {
        ms: (ms as f64 * scale) as u64,
        is_estimate: true,
        truncated_from_ms: None,
    })
}

pub fn describe(
    input: &Input,
    container: Container,
    tracks: &Tracks,
    start: &Start,
    cuts: Option<&Cuts>,
    duration: &Duration,
) -> Probe {
    let file_bytes = input.bytes();
    let video = describe_video(&tracks.video, start);
    let audio = tracks
        .audio
        .as_ref()
        .map(|audio| describe_audio(audio, &tracks.video, start));
    let mut browser_unsafe_because = unsafe_because(&tracks.video, &video, start, container);
    let picture_ms = cuts.map(|cuts| cuts.measured_ms).unwrap_or(duration.ms);
    if duration.ms > picture_ms + 6_000 {
        browser_unsafe_because.push("its sound goes on long after its picture".to_owned());
    }
    Probe {
        container,
        file_bytes,
        duration_ms: duration.ms,
        duration_is_estimate: duration.is_estimate,
        bit_rate: file_bytes * 8 * 1000 / duration.ms.max(1),
        video,
        browser_safe_audio: tracks.audio.as_ref().is_some_and(is_browser_safe_audio),
        audio,
        audio_tracks: tracks.audio_tracks,
        browser_safe_video: browser_unsafe_because.is_empty(),
        browser_unsafe_because,
        keyframes: cuts.map_or(KeyframeSummary::default(), |cuts| cuts.summary),
        warnings: warnings(tracks, duration),
    }
}

fn describe_video(video: &StreamInfo, start: &Start) -> VideoInfo {
    let aspect = video.sample_aspect;
    // Squeezed pixels are stretched, never thrown away; an absurd aspect is taken for a broken one.
    let sane = (0.2..=5.0).contains(&aspect.as_f64());
    let square_width = if sane {
        (f64::from(video.width) * aspect.as_f64()).round() as u32
    } else {
        video.width
    }
    .max(1);
    let turned = video.rotation % 180 == 90;
    let (width, height) = if turned {
        (video.height, square_width)
    } else {
        (square_width, video.height)
    };
    VideoInfo {
        codec: video.codec.clone(),
        profile: video.profile.clone(),
        pixel_format: video.pixel_format.clone(),
        coded_width: video.width,
        coded_height: video.height,
        width,
        height,
        rotation: video.rotation,
        mirrored: video.mirrored,
        sample_aspect: if sane {
            (aspect.num.unsigned_abs(), aspect.den.unsigned_abs())
        } else {
            (1, 1)
        },
        frame_rate: (video.average_frame_rate.as_f64() * 1000.0).round() / 1000.0,
        interlaced: start.interlaced,
        hdr: video.hdr,
        bit_rate: video.bit_rate,
    }
}

fn describe_audio(audio: &StreamInfo, video: &StreamInfo, start: &Start) -> AudioInfo {
    let milliseconds = Rational { num: 1, den: 1000 };
    let begins = start.audio_time.map_or(0, |time| {
        audio.time_base.rescale(time, milliseconds) - video.time_base.rescale(start.time, milliseconds)
    });
    AudioInfo {
        codec: audio.codec.clone(),
        profile: audio.profile.clone(),
        channels: audio.channels,
        sample_rate: audio.sample_rate,
        language: audio.language.clone(),
        start_ms: begins,
    }
}

/// What every browser plays: H.264 up to High, 8-bit 4:2:0, progressive, upright, square pixels, even size.
fn unsafe_because(video: &StreamInfo, seen: &VideoInfo, start: &Start, container: Container) -> Vec<String> {
    const BASELINE_MAIN_HIGH: [i32; 3] = [66, 77, 100];
    // Constrained and intra-only variants are flags above these.
    let profile = video.profile_id & 0xff;
    let copies = matches!(
        container,
        Container::Mp4 | Container::Matroska | Container::MpegTs | Container::Flv
    );
    let reasons = [
        (video.codec != "h264", format!("the codec is {}", video.codec)),
        (!copies, "the container has no exact times".to_owned()),
        (
            !matches!(video.pixel_format.as_str(), "yuv420p" | "yuvj420p"),
            format!("pixels are {}", video.pixel_format),
        ),
        (
            !BASELINE_MAIN_HIGH.contains(&profile),
            "the profile is above High".to_owned(),
        ),
        (video.level > 52, "the level is above 5.2".to_owned()),
        (start.interlaced, "it is interlaced".to_owned()),
        (seen.rotation != 0 || seen.mirrored, "it is rotated".to_owned()),
        (
            seen.sample_aspect.0 != seen.sample_aspect.1,
            "its pixels are not square".to_owned(),
        ),
        (
            seen.width % 2 == 1 || seen.height % 2 == 1,
            "its size is odd".to_owned(),
        ),
        (
            seen.frame_rate > 61.0,
            "it has more than 60 pictures a second".to_owned(),
        ),
        (seen.hdr, "it is HDR".to_owned()),
        (
            !start.clean,
            "it does not begin with a picture that stands alone".to_owned(),
        ),
    ];
    reasons
        .into_iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, reason)| reason)
        .collect()
}

pub fn is_browser_safe_audio(audio: &StreamInfo) -> bool {
    const LOW_COMPLEXITY: i32 = 1;
    let described = audio.extradata.is_empty() || crate::aac::object_type(&audio.extradata) == 2;
    audio.codec == "aac"
        && audio.profile_id == LOW_COMPLEXITY
        && described
        && (1..=2).contains(&audio.channels)
        && crate::aac::low_complexity_configuration(audio.sample_rate, audio.channels).is_some()
        && (22_050..=48_000).contains(&audio.sample_rate)
}

fn warnings(tracks: &Tracks, duration: &Duration) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(declared) = duration.truncated_from_ms {
        warnings.push(film::truncated(declared, duration.ms));
    }
    if tracks.audio.is_none() && tracks.audio_tracks > 0 {
        warnings.push(Warning {
            code: WarningCode::AudioNotUsable,
            sentence: "The sound of this film is in a form that is not accepted; the film is silent."
                .to_owned(),
        });
    } else if tracks.audio_tracks > 1 {
        warnings.push(Warning {
            code: WarningCode::OtherAudioTracksDropped,
            sentence: format!(
                "The film has {} tracks of sound; the first is used.",
                tracks.audio_tracks
            ),
        });
    }
    warnings
}
