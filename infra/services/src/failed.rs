//! The one error of this crate: a sentence for whoever ran the test.

use std::fmt;

/// What could not be done, with the end of the server's own output where there is one.
///
/// Shown by `expect` as it is written, line breaks included.
pub struct Failed(String);

impl Failed {
    pub fn because(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// For `map_err`: what was being done, before the reason.
    pub(crate) fn doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |reason| Self(format!("could not {what}: {reason}"))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}
