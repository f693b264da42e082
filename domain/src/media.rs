//! What a film is made of, as measured, and what was made from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The film as the prober saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Film {
    pub duration_ms: u64,
    /// As shown, after rotation and pixel aspect.
    pub width: u32,
    pub height: u32,
    pub frames_per_second: f64,
    pub video_codec: String,
    pub audio_codec: Option<String>,
    pub bits_per_second: Option<u64>,
}

/// One rendition: a stream of segments of one quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rendition {
    /// `source`, `360p`, `720p`, …, `audio`: also its folder.
    pub name: String,
    pub kind: RenditionKind,
    /// RFC 6381, for example `avc1.64001f`.
    pub codecs: String,
    pub width: u32,
    pub height: u32,
    pub frames_per_second: f64,
    /// Published for the first minutes only, until a proper rung is there.
    pub provisional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenditionKind {
    Video,
    Audio,
}

/// One segment of a rendition; its number follows from its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    pub duration_ms: u32,
    pub bytes: u32,
}
