//! A promise that was not kept, told apart from a harness that could not do its work.
//!
//! The difference matters for the negative control, which must find a broken promise and not, say, a missing tool.

use std::fmt;

#[derive(Debug)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "broken promise: {}", self.0)
    }
}

impl std::error::Error for Broken {}

/// Returns from the function with a broken promise.
macro_rules! broken {
    ($($words:tt)*) => {
        return Err($crate::broken::Broken(format!($($words)*)).into())
    };
}
pub(crate) use broken;

/// Whether an error, however wrapped, is a broken promise.
pub fn is_broken_promise(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Broken>())
}
