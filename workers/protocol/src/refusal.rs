//! Why a film is not taken: a stable code for programs, a sentence for people.

use serde::{Deserialize, Serialize};

/// The stable name of a reason. New ones are added, none is renamed: they are written to the log by workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No bytes at all.
    Empty,
    /// Text, HTML, a script.
    Text,
    /// An HLS or other playlist, which would only point somewhere else.
    Playlist,
    /// A still picture.
    StillPicture,
    /// A program.
    Executable,
    /// A zip file, a document, an office file.
    Archive,
    /// Nothing that is known.
    Unrecognised,
    /// The container says one thing and its contents another, or it cannot be read.
    Unreadable,
    /// The part that describes the film is missing.
    Incomplete,
    /// Sound only.
    NoVideo,
    /// A codec that is not on the list.
    CodecNotAccepted,
    TooLong,
    TooManyPixels,
    TooManyStreams,
    TooManyFrames,
    /// A hole in time longer than any real film has.
    GapTooLong,
    /// Not one picture could be decoded.
    NothingDecodable,
}

/// A film that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// One or two sentences that a person understands; no paths, no names of libraries.
    pub sentence: String,
}

impl Refusal {
    pub fn new(code: RefusalCode, sentence: impl Into<String>) -> Self {
        Refusal {
            code,
            sentence: sentence.into(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refusal {}
