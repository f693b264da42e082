//! What a film is made of, as measured, and what was made from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The film as the prober saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Film {
    /// How long it plays.
    pub duration_ms: u64,
    /// As shown, after rotation and pixel aspect.
    pub width: u32,
    /// As shown, likewise.
    pub height: u32,
    /// On average, to three decimals; 0 when unknown.
    pub frames_per_second: f64,
    /// FFmpeg's short name, for example `h264`.
    pub video_codec: String,
    /// Likewise; none: it is silent.
    pub audio_codec: Option<String>,
    /// Of the whole file.
    pub bits_per_second: Option<u64>,
}

/// One rendition: a stream of segments of one quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rendition {
    /// `source`, `360p`, `720p`, …, `audio`: also its folder.
    pub name: String,
    /// Picture or sound.
    pub kind: RenditionKind,
    /// RFC 6381, for example `avc1.64001f`.
    pub codecs: String,
    /// In pixels; 0 for sound.
    pub width: u32,
    /// In pixels; 0 for sound.
    pub height: u32,
    /// To three decimals; 0 for sound and when unknown.
    pub frames_per_second: f64,
    /// Published for the first minutes only, until a proper rung is there.
    pub provisional: bool,
}

/// What a rendition carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenditionKind {
    /// A picture, perhaps with sound.
    Video,
    /// Sound only.
    Audio,
}

/// One segment of a rendition; its number follows from its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// How long it plays.
    pub duration_ms: u32,
    /// How large it is.
    pub bytes: u32,
}
