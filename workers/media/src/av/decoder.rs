//! Packets to frames.
#![expect(unsafe_code, reason = "owns an AVCodecContext")]

use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_next::ffi;

use super::error::{AvError, AvResult, check, check_pointer};
use super::{Frame, Input, Packet, StreamInfo};

pub struct Decoder {
    context: *mut ffi::AVCodecContext,
}

#[derive(Debug, Clone, Copy)]
pub struct DecoderSettings<'a> {
    /// Names of decoders that may be opened, comma-separated.
    pub allowed: &'a str,
    pub pixels_max: u64,
    /// 0: as many as there are processors.
    pub threads: u16,
    /// Only keyframes are decoded.
    pub keyframes_only: bool,
}

impl Decoder {
    pub fn open(input: &Input, stream: &StreamInfo, settings: DecoderSettings<'_>) -> AvResult<Decoder> {
        let missing = AvError::new(ffi::AVERROR_DECODER_NOT_FOUND, "finding the decoder");
        let parameters = input.parameters(stream.index).ok_or(missing)?;
        // SAFETY: the parameters belong to a live stream; the context is ours from here and freed in `drop`.
        unsafe {
            let codec = ffi::avcodec_find_decoder((*parameters).codec_id);
            if codec.is_null() || !is_allowed(CStr::from_ptr((*codec).name), settings.allowed) {
                return Err(missing);
            }
            let context = check_pointer(ffi::avcodec_alloc_context3(codec), "making room for a decoder")?;
            let decoder = Decoder { context };
            check(
                ffi::avcodec_parameters_to_context(context, parameters),
                "setting up the decoder",
            )?;
            let raw = &mut *context;
            raw.pkt_timebase = ffi::AVRational {
                num: stream.time_base.num,
                den: stream.time_base.den,
            };
            raw.thread_count = i32::from(settings.threads);
            raw.max_pixels = i64::try_from(settings.pixels_max).unwrap_or(i64::MAX);
            if settings.keyframes_only {
                raw.skip_frame = ffi::AVDiscard::AVDISCARD_NONKEY;
            }
            let allowed = CString::new(settings.allowed).expect("codec names have no zero bytes");
            raw.codec_whitelist = ffi::av_strdup(allowed.as_ptr());
            check(
                ffi::avcodec_open2(context, codec, ptr::null_mut()),
                "opening the decoder",
            )?;
            Ok(decoder)
        }
    }

    /// Hands over a packet; `None` says that there are no more.
    pub fn send(&mut self, packet: Option<&Packet>) -> AvResult<()> {
        let packet = packet.map_or(ptr::null(), Packet::as_ptr);
        // SAFETY: the context is open; the packet is live or null.
        check(
            unsafe { ffi::avcodec_send_packet(self.context, packet) },
            "decoding",
        )
        .map(|_| ())
    }

    /// The next frame; `false` when more packets are wanted or the end is reached.
    pub fn receive(&mut self, frame: &mut Frame) -> AvResult<bool> {
        // SAFETY: both are live and ours.
        let received = unsafe { ffi::avcodec_receive_frame(self.context, frame.as_mut_ptr()) };
        match check(received, "decoding") {
            Ok(_) => Ok(true),
            Err(error) if error.is_again() || error.is_end() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: allocated in `open`, freed once.
        unsafe { ffi::avcodec_free_context(&raw mut self.context) }
    }
}

fn is_allowed(name: &CStr, allowed: &str) -> bool {
    name.to_str()
        .is_ok_and(|name| allowed.split(',').any(|other| other == name))
}
