//! What a worker and spool-media say to each other over a pipe.
//!
//! The worker opens the film itself and starts `spool-media <task>` with the open, seekable file as stdin, where
//! `<task>` is one [`Task`] in JSON. The child answers on stdout with frames ([`framing`]), each a [`Message`] and,
//! for init segments, media segments and pictures, the bytes themselves. What it says on stderr is log lines.
//!
//! Times are whole milliseconds where a person or a playlist reads them, and ticks of 1/[`TICKS_PER_SECOND`] s where
//! two renditions must agree exactly. Time 0 is the first picture of the film.

mod cuts;
pub mod framing;
mod ladder;
mod message;
mod refusal;
pub mod sniff;
mod task;

pub use cuts::{LONGEST_SEGMENT_MS, SHORTEST_SEGMENT_MS, TARGET_SEGMENT_MS, plan_cuts};
pub use ladder::{Plan, Rung, SourceUse, ladder, plan};
pub use message::{
    AudioInfo, Failed, Finished, Init, KeyframeSummary, Message, Probe, Progress, RenditionKind,
    RenditionTotal, Segment, ThumbnailPicture, VideoInfo, Warning, WarningCode,
};
pub use refusal::{Refusal, RefusalCode};
pub use sniff::Container;
pub use task::{AudioTask, CutBy, EncodeTask, Limits, RemuxTask, RungTask, Task, ThumbnailTask};

/// The clock of every video rendition: 90 kHz, which all common frame rates divide well.
pub const TICKS_PER_SECOND: u64 = 90_000;

/// The name of the one audio rendition.
pub const AUDIO_RENDITION: &str = "audio";

/// Whole milliseconds, rounded to the nearest, of a time in ticks.
pub fn ticks_to_ms(ticks: u64) -> u64 {
    (ticks * 1000 + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND
}
