//! The only door to FFmpeg: small owners of its objects, each freed once, with no pointer handed outside.

mod decoder;
mod encoder;
mod error;
mod frame;
mod graph;
mod input;
mod packet;
mod stream;

pub use decoder::{Decoder, DecoderSettings};
pub use encoder::{AacSettings, ColoursOf, Encoder, JpegSettings, X264Settings};
pub use error::AvError;
pub use frame::{Frame, PictureShape, SoundShape};
pub use graph::Graph;
pub use input::{Input, first_bytes};
pub use packet::Packet;
pub use stream::{StreamInfo, StreamKind};

/// A fraction of a second, or any other; the denominator is never 0 when it came from a checked source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rational {
    pub num: i32,
    pub den: i32,
}

impl Rational {
    pub const TICKS: Rational = Rational {
        num: 1,
        den: spool_media_protocol::TICKS_PER_SECOND as i32,
    };

    pub fn as_f64(self) -> f64 {
        if self.den == 0 {
            0.0
        } else {
            f64::from(self.num) / f64::from(self.den)
        }
    }

    /// `value` of this time base in `to`, rounded to the nearest, saturating.
    pub fn rescale(self, value: i64, to: Rational) -> i64 {
        let numerator = i128::from(self.num) * i128::from(to.den);
        let denominator = (i128::from(self.den) * i128::from(to.num)).max(1);
        let product = i128::from(value) * numerator;
        let half = denominator / 2;
        let rounded = if product >= 0 {
            product + half
        } else {
            product - half
        } / denominator;
        i64::try_from(rounded).unwrap_or(if rounded > 0 { i64::MAX / 4 } else { i64::MIN / 4 })
    }
}

/// To be called once, before anything else and before the sandbox closes: quiets FFmpeg and touches what it would
/// load or read lazily.
pub fn prepare() {
    error::quiet();
}
