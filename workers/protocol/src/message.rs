//! What spool-media answers, one message per frame.

use serde::{Deserialize, Serialize};

use crate::{Container, Refusal};

/// The header of a frame. `Init`, `Segment` and `Thumbnail` come with a payload; the others have none.
/// The last message of a process that came to its end is `Finished`, `Refused` or `Failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    Probed(Box<Probe>),
    /// Payload: `ftyp` and `moov`. Sent once per rendition, before its first segment, also by a later attempt
    /// (byte for byte the same).
    Init(Init),
    /// Payload: `styp`, `moof` and `mdat`, beginning with a keyframe, decodable after the init segment.
    Segment(Segment),
    /// Payload: a JPEG.
    Thumbnail(ThumbnailPicture),
    /// At most every 500 ms.
    Progress(Progress),
    Finished(Finished),
    Refused(Refusal),
    /// Something broke that is not the film's fault, or cannot be told apart.
    Failed(Failed),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    pub container: Container,
    pub file_bytes: u64,
    /// The declared duration, the measured one of a truncated file, or an estimate.
    pub duration_ms: u64,
    /// True when the file does not say and reading it to its end would have taken too long.
    pub duration_is_estimate: bool,
    /// Whole file, bits per second.
    pub bit_rate: u64,
    pub video: VideoInfo,
    /// The track that is used: the default one, or the first.
    pub audio: Option<AudioInfo>,
    pub audio_tracks: u32,
    pub browser_safe_video: bool,
    /// What keeps the picture from being browser-safe, in words; empty when it is.
    pub browser_unsafe_because: Vec<String>,
    pub browser_safe_audio: bool,
    pub keyframes: KeyframeSummary,
    pub warnings: Vec<Warning>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// FFmpeg's short name, `h264`.
    pub codec: String,
    pub profile: Option<String>,
    pub pixel_format: String,
    /// As coded.
    pub coded_width: u32,
    pub coded_height: u32,
    /// As seen: after rotation, and with square pixels.
    pub width: u32,
    pub height: u32,
    /// Clockwise, to be shown upright: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Mirrored as well.
    pub mirrored: bool,
    pub sample_aspect: (u32, u32),
    /// Average frames per second; 0 when unknown.
    pub frame_rate: f64,
    pub interlaced: bool,
    pub hdr: bool,
    /// Bits per second of this track, when the file says.
    pub bit_rate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioInfo {
    pub codec: String,
    pub profile: Option<String>,
    pub channels: u32,
    pub sample_rate: u32,
    pub language: Option<String>,
    /// Relative to the first picture; negative when the sound begins earlier.
    pub start_ms: i64,
}

/// What the container's index says of keyframes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyframeSummary {
    pub count: u32,
    /// The index covers the whole film, so segments can be planned without reading it.
    pub complete: bool,
    /// The number of segments when the source is cut at its own keyframes into pieces of 2 to 6 s; none: it cannot be.
    pub segments: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenditionKind {
    Video,
    Audio,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Init {
    pub rendition: String,
    pub kind: RenditionKind,
    /// RFC 6381: `avc1.64001e`, `mp4a.40.2`.
    pub codec: String,
    /// Ticks per second of [`Segment::start_ticks`].
    pub timescale: u32,
    /// 0 for audio.
    pub width: u32,
    pub height: u32,
    pub frame_rate: f64,
    /// 0 for video.
    pub channels: u32,
    pub sample_rate: u32,
    /// The source's own stream, not encoded again.
    pub copied: bool,
    /// The segments will reach the end of the film. False for a source that is published for its first minutes only.
    pub whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub rendition: String,
    /// From 0; contiguous within an attempt.
    pub index: u32,
    pub start_ms: u64,
    pub duration_ms: u64,
    /// Exact, in the timescale of the rendition's `Init`. `start_ticks` is the segment's baseMediaDecodeTime, and the
    /// next segment starts at `start_ticks + duration_ticks`.
    pub start_ticks: u64,
    pub duration_ticks: u64,
    pub bytes: u64,
    pub frames: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThumbnailPicture {
    pub width: u32,
    pub height: u32,
    pub at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done_ms: u64,
    pub total_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Measured: how much of the film there really was.
    pub duration_ms: u64,
    pub renditions: Vec<RenditionTotal>,
    pub warnings: Vec<Warning>,
    /// CPU of the process, user and system, all threads.
    pub cpu_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionTotal {
    pub rendition: String,
    /// The number of segments the rendition has now, those of earlier attempts included.
    pub segments: u32,
    /// Of this attempt.
    pub bytes: u64,
    pub duration_ms: u64,
    /// Bits per second over this attempt's segments: the highest of one segment, and the mean.
    pub peak_bandwidth: u64,
    pub average_bandwidth: u64,
    /// It reaches the end of the film.
    pub whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub code: WarningCode,
    /// For a person.
    pub sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// The file ends before the film does.
    Truncated,
    /// Some pictures or sounds could not be decoded and were left out.
    Damaged,
    /// More than one track of sound; one is used.
    OtherAudioTracksDropped,
    /// The track of sound cannot be read and was left out.
    AudioNotUsable,
    /// Sound before the first picture was cut off.
    AudioBeforePicture,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// `out_of_memory`, `input_error`, `sandbox`, `task`, `source_not_cuttable`, `internal`.
    pub code: String,
    pub sentence: String,
    /// The same input would fail the same way: no use in trying again.
    pub permanent: bool,
}
