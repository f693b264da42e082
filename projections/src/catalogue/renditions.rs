//! How far one rendition is, and how many bits a second it needs.

use serde::{Deserialize, Serialize};
use spool_domain::media::{Rendition, RenditionKind, Segment};

/// Bit rates are measured over windows of at least this, so that one short segment is no peak (RFC 8216bis takes
/// half of the target duration).
const WINDOW_MS: u64 = 3_000;

/// What has been published of one rendition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenditionState {
    /// `source`, `360p`, `720p`, …, `audio`.
    pub name: String,
    pub kind: RenditionKind,
    /// RFC 6381.
    pub codecs: String,
    pub width: u32,
    pub height: u32,
    /// Thousandths of frames a second: a whole number is the same however often it is written and read.
    pub frames_milli: u32,
    /// Published for the first minutes only, until a proper rung is there.
    pub provisional: bool,
    /// The attempts that published any of it, in order.
    pub attempts: Vec<u32>,
    pub segments: u32,
    pub published_ms: u64,
    pub bytes: u64,
    pub finished: bool,
    /// The most bits a second that any whole window took.
    window_peak: u64,
    /// Bytes and milliseconds of the window that is not long enough yet.
    window: (u64, u64),
}

impl RenditionState {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and no film has a negative or a million frames a second"
    )]
    pub fn new(rendition: &Rendition) -> Self {
        Self {
            name: rendition.name.clone(),
            kind: rendition.kind,
            codecs: rendition.codecs.clone(),
            width: rendition.width,
            height: rendition.height,
            frames_milli: (rendition.frames_per_second * 1000.0).round() as u32,
            provisional: rendition.provisional,
            attempts: vec![],
            segments: 0,
            published_ms: 0,
            bytes: 0,
            finished: false,
            window_peak: 0,
            window: (0, 0),
        }
    }

    /// The same announced again by another attempt, which goes on where the one before stopped.
    pub fn announced_again(self, rendition: &Rendition) -> Self {
        Self {
            attempts: self.attempts,
            segments: self.segments,
            published_ms: self.published_ms,
            bytes: self.bytes,
            finished: self.finished,
            window_peak: self.window_peak,
            window: self.window,
            ..Self::new(rendition)
        }
    }

    pub fn publish(&mut self, attempt: u32, segments: &[Segment]) {
        if self.attempts.last() != Some(&attempt) {
            self.attempts.push(attempt);
        }
        for segment in segments {
            let (bytes, ms) = (u64::from(segment.bytes), u64::from(segment.duration_ms));
            self.segments += 1;
            self.bytes += bytes;
            self.published_ms += ms;
            self.window = (self.window.0 + bytes, self.window.1 + ms);
            if self.window.1 >= WINDOW_MS {
                self.window_peak = self
                    .window_peak
                    .max(bits_per_second(self.window.0, self.window.1));
                self.window = (0, 0);
            }
        }
    }

    /// Over all that is published.
    pub fn average_bits_per_second(&self) -> u64 {
        bits_per_second(self.bytes, self.published_ms)
    }

    /// The most a player has to reckon with.
    pub fn peak_bits_per_second(&self) -> u64 {
        self.window_peak.max(self.average_bits_per_second())
    }

    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.frames_milli) / 1000.0
    }
}

const fn bits_per_second(bytes: u64, ms: u64) -> u64 {
    match (bytes * 8_000).checked_div(ms) {
        Some(rate) => rate,
        None => 0,
    }
}
