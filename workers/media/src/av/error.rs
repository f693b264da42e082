//! FFmpeg's negative numbers as errors that say what was being done.
#![expect(unsafe_code, reason = "asks FFmpeg for the text of its codes")]

use std::ffi::CStr;
use std::fmt;

use ffmpeg_next::ffi;

pub type AvResult<T> = Result<T, AvError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvError {
    code: i32,
    doing: &'static str,
}

impl AvError {
    pub fn new(code: i32, doing: &'static str) -> Self {
        AvError { code, doing }
    }

    pub fn out_of_memory(doing: &'static str) -> Self {
        AvError::new(ffi::AVERROR(libc::ENOMEM), doing)
    }

    /// x264 says only that it failed, and with settings that are always the same it fails for want of memory.
    pub fn is_out_of_memory(self) -> bool {
        let of_encoder = matches!(self.doing, "opening the encoder" | "encoding");
        self.code == ffi::AVERROR(libc::ENOMEM) || (of_encoder && self.code == ffi::AVERROR_EXTERNAL)
    }

    pub fn is_end(self) -> bool {
        self.code == ffi::AVERROR_EOF
    }

    /// More input is wanted before there is output, or the other way round.
    pub fn is_again(self) -> bool {
        self.code == ffi::AVERROR(libc::EAGAIN)
    }

    /// Reading the file itself failed.
    pub fn is_io(self) -> bool {
        super::input::storage_failed()
    }

    pub fn doing(self) -> &'static str {
        self.doing
    }
}

impl fmt::Display for AvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 128];
        // SAFETY: the buffer is as long as is said and FFmpeg always ends it with a zero.
        let text = unsafe {
            ffi::av_strerror(self.code, text.as_mut_ptr(), text.len());
            CStr::from_ptr(text.as_ptr())
        };
        write!(f, "{}: {}", self.doing, text.to_string_lossy())
    }
}

impl std::error::Error for AvError {}

/// Turns a negative answer into an error.
pub(super) fn check(code: i32, doing: &'static str) -> AvResult<i32> {
    if code < 0 {
        Err(AvError::new(code, doing))
    } else {
        Ok(code)
    }
}

/// Turns a null answer into an error.
pub(super) fn check_pointer<T>(pointer: *mut T, doing: &'static str) -> AvResult<*mut T> {
    if pointer.is_null() {
        Err(AvError::out_of_memory(doing))
    } else {
        Ok(pointer)
    }
}

pub(super) fn quiet() {
    // SAFETY: sets two integers.
    unsafe {
        ffi::av_log_set_level(ffi::AV_LOG_FATAL);
        ffi::av_log_set_flags(ffi::AV_LOG_SKIP_REPEATED);
    }
}
