//! Why a task ends early: the film is refused, something broke, or nobody listens any more.
//!
//! Inside a task every fallible step answers `Result<_, Stop>`; `main` alone turns a `Stop` into the last message.

use std::io;

use spool_media_protocol::{Failed, Refusal, RefusalCode};

use crate::av::AvError;

#[derive(Debug)]
pub enum Stop {
    Refused(Refusal),
    Failed(Failed),
    /// The worker is gone; there is no one to tell.
    PipeClosed,
}

impl Stop {
    pub fn refuse(code: RefusalCode, sentence: impl Into<String>) -> Self {
        Stop::Refused(Refusal::new(code, sentence))
    }

    pub fn fail(code: &str, sentence: impl Into<String>, permanent: bool) -> Self {
        Stop::Failed(Failed {
            code: code.to_owned(),
            sentence: sentence.into(),
            permanent,
        })
    }
}

/// Only stdout is written by plain I/O in a task.
impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Stop::PipeClosed
    }
}

impl From<AvError> for Stop {
    fn from(error: AvError) -> Self {
        if error.is_out_of_memory() {
            Stop::fail(
                "out_of_memory",
                "This film needs more memory to process than is allowed.",
                true,
            )
        } else if error.is_io() {
            Stop::fail("input_error", "The film could not be read from storage.", false)
        } else {
            eprintln!("{error}");
            Stop::fail(
                "internal",
                format!("The film could not be processed (while {}).", error.doing()),
                true,
            )
        }
    }
}
