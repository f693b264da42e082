//! A piece of a coded stream.
#![expect(unsafe_code, reason = "owns an AVPacket")]

use std::slice;

use ffmpeg_next::ffi;

use super::error::{AvResult, check_pointer};

pub struct Packet(*mut ffi::AVPacket);

impl Packet {
    pub fn new() -> AvResult<Self> {
        // SAFETY: allocates; checked for null.
        check_pointer(unsafe { ffi::av_packet_alloc() }, "making room for a packet").map(Packet)
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ffi::AVPacket {
        self.0
    }

    pub(super) fn as_ptr(&self) -> *const ffi::AVPacket {
        self.0
    }

    fn raw(&self) -> &ffi::AVPacket {
        // SAFETY: allocated in `new`, freed only in `drop`.
        unsafe { &*self.0 }
    }

    pub fn stream(&self) -> usize {
        usize::try_from(self.raw().stream_index).unwrap_or(usize::MAX)
    }

    pub fn pts(&self) -> Option<i64> {
        some_time(self.raw().pts)
    }

    pub fn dts(&self) -> Option<i64> {
        some_time(self.raw().dts)
    }

    pub fn duration(&self) -> i64 {
        self.raw().duration.max(0)
    }

    /// Moves both times, for a stream whose clock jumped.
    pub fn shift(&mut self, by: i64) {
        // SAFETY: as in `raw`; the packet is ours alone.
        let raw = unsafe { &mut *self.0 };
        if raw.pts != ffi::AV_NOPTS_VALUE {
            raw.pts = raw.pts.saturating_add(by);
        }
        if raw.dts != ffi::AV_NOPTS_VALUE {
            raw.dts = raw.dts.saturating_add(by);
        }
    }

    pub fn is_key(&self) -> bool {
        self.raw().flags & ffi::AV_PKT_FLAG_KEY != 0
    }

    /// To be decoded, but not shown: before the start of an edit list.
    pub fn is_discarded(&self) -> bool {
        self.raw().flags & ffi::AV_PKT_FLAG_DISCARD != 0
    }

    /// Part of it is missing or broken.
    pub fn is_corrupt(&self) -> bool {
        self.raw().flags & ffi::AV_PKT_FLAG_CORRUPT != 0
    }

    /// The stream's parameter sets change here.
    pub fn has_new_parameters(&self) -> bool {
        let mut bytes = 0;
        // SAFETY: looks through the packet's own side data.
        let found = unsafe {
            ffi::av_packet_get_side_data(
                self.0,
                ffi::AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA,
                &raw mut bytes,
            )
        };
        !found.is_null()
    }

    pub fn data(&self) -> &[u8] {
        let raw = self.raw();
        let Ok(length) = usize::try_from(raw.size) else {
            return &[];
        };
        if raw.data.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: `data` points to `size` bytes that live as long as the packet's reference.
        unsafe { slice::from_raw_parts(raw.data, length) }
    }

    pub fn clear(&mut self) {
        // SAFETY: drops the packet's reference; the packet itself stays allocated.
        unsafe { ffi::av_packet_unref(self.0) }
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, freed once.
        unsafe { ffi::av_packet_free(&raw mut self.0) }
    }
}

pub(super) fn some_time(time: i64) -> Option<i64> {
    (time != ffi::AV_NOPTS_VALUE).then_some(time)
}
