//! Frames to packets: H.264 by x264, AAC and JPEG.
#![expect(unsafe_code, reason = "owns an AVCodecContext")]

use std::ffi::{CStr, CString};
use std::{ptr, slice};

use ffmpeg_next::ffi;

use super::error::{AvError, AvResult, check, check_pointer};
use super::{Frame, Packet, Rational};

pub struct Encoder {
    context: *mut ffi::AVCodecContext,
}

#[derive(Debug, Clone, Copy)]
pub struct X264Settings<'a> {
    pub width: u32,
    pub height: u32,
    pub sample_aspect: (u32, u32),
    /// A hint for rate control and the level; times are exact whatever it says.
    pub frame_rate: Rational,
    pub preset: &'a str,
    pub crf: u32,
    pub bit_rate_max: u64,
    pub buffer_bits: u64,
    /// 0: x264 chooses, which measured best.
    pub threads: u16,
    /// Tagged BT.709 (after tone mapping, or made from RGB); otherwise the colours stay as the frames say.
    pub bt709: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct AacSettings {
    pub bit_rate: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct JpegSettings {
    pub width: u32,
    pub height: u32,
    /// 2 (best) to 31.
    pub quantizer: u16,
}

impl Encoder {
    /// 8-bit 4:2:0, High profile, closed groups, keyframes only where they are forced. Times are in
    /// [`Rational::TICKS`].
    pub fn x264(settings: X264Settings<'_>, colours: &ColoursOf<'_>) -> AvResult<Encoder> {
        let encoder = Encoder::alloc(c"libx264")?;
        // SAFETY: the context is ours and not open yet.
        let raw = unsafe { &mut *encoder.context };
        raw.width = dimension(settings.width);
        raw.height = dimension(settings.height);
        raw.pix_fmt = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P;
        raw.time_base = ffi::AVRational {
            num: Rational::TICKS.num,
            den: Rational::TICKS.den,
        };
        raw.framerate = ffi::AVRational {
            num: settings.frame_rate.num,
            den: settings.frame_rate.den,
        };
        raw.sample_aspect_ratio = ffi::AVRational {
            num: dimension(settings.sample_aspect.0),
            den: dimension(settings.sample_aspect.1),
        };
        raw.gop_size = i32::MAX;
        raw.rc_max_rate = bits(settings.bit_rate_max);
        raw.rc_buffer_size = i32::try_from(settings.buffer_bits).unwrap_or(i32::MAX);
        raw.thread_count = i32::from(settings.threads);
        raw.flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32 | ffi::AV_CODEC_FLAG_CLOSED_GOP.cast_signed();
        colours.describe(raw, settings.bt709);
        encoder.open(&[
            ("preset", settings.preset),
            ("profile", "high"),
            ("crf", &settings.crf.to_string()),
            ("sc_threshold", "0"),
            ("forced-idr", "1"),
            ("x264-params", "keyint=infinite:info=0"),
        ])
    }

    /// AAC-LC, stereo, 48 kHz, from planar floats. Times are in samples.
    pub fn aac(settings: AacSettings) -> AvResult<Encoder> {
        let encoder = Encoder::alloc(c"aac")?;
        // SAFETY: the context is ours and not open yet.
        unsafe {
            let raw = &mut *encoder.context;
            raw.sample_rate = 48_000;
            raw.sample_fmt = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP;
            ffi::av_channel_layout_default(&raw mut raw.ch_layout, 2);
            raw.bit_rate = bits(settings.bit_rate);
            raw.time_base = ffi::AVRational { num: 1, den: 48_000 };
            raw.profile = ffi::FF_PROFILE_AAC_LOW;
            raw.flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        }
        encoder.open(&[])
    }

    /// One picture, full-range 4:2:0.
    pub fn jpeg(settings: JpegSettings) -> AvResult<Encoder> {
        let encoder = Encoder::alloc(c"mjpeg")?;
        // SAFETY: the context is ours and not open yet.
        unsafe {
            let raw = &mut *encoder.context;
            raw.width = dimension(settings.width);
            raw.height = dimension(settings.height);
            raw.pix_fmt = ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P;
            raw.color_range = ffi::AVColorRange::AVCOL_RANGE_JPEG;
            raw.time_base = ffi::AVRational { num: 1, den: 25 };
            raw.thread_count = 1;
            raw.flags |= ffi::AV_CODEC_FLAG_QSCALE as i32;
            raw.global_quality = i32::from(settings.quantizer) * ffi::FF_QP2LAMBDA;
        }
        encoder.open(&[])
    }

    fn alloc(name: &CStr) -> AvResult<Encoder> {
        // SAFETY: looks the codec up by name and allocates for it; the context is freed in `drop`.
        unsafe {
            let codec = ffi::avcodec_find_encoder_by_name(name.as_ptr());
            if codec.is_null() {
                return Err(AvError::new(
                    ffi::AVERROR_ENCODER_NOT_FOUND,
                    "finding the encoder",
                ));
            }
            let context = check_pointer(ffi::avcodec_alloc_context3(codec), "making room for an encoder")?;
            Ok(Encoder { context })
        }
    }

    fn open(self, options: &[(&str, &str)]) -> AvResult<Encoder> {
        let mut dictionary = ptr::null_mut();
        for (key, value) in options {
            let key = CString::new(*key).expect("option names have no zero bytes");
            let value = CString::new(*value).expect("option values have no zero bytes");
            // SAFETY: copies both strings into the dictionary, which is freed below.
            unsafe { ffi::av_dict_set(&raw mut dictionary, key.as_ptr(), value.as_ptr(), 0) };
        }
        // SAFETY: the context was allocated for its own codec and is opened once.
        let opened = unsafe {
            let opened = ffi::avcodec_open2(self.context, ptr::null(), &raw mut dictionary);
            ffi::av_dict_free(&raw mut dictionary);
            opened
        };
        check(opened, "opening the encoder").map(|_| self)
    }

    /// Parameter sets in Annex B for H.264, the AudioSpecificConfig for AAC.
    pub fn extradata(&self) -> &[u8] {
        // SAFETY: an open context; `extradata` points to `extradata_size` bytes.
        unsafe {
            let raw = &*self.context;
            match usize::try_from(raw.extradata_size) {
                Ok(length) if length > 0 && !raw.extradata.is_null() => {
                    slice::from_raw_parts(raw.extradata, length)
                }
                _ => &[],
            }
        }
    }

    /// How many frames come out later than they are shown, at most.
    pub fn reordered_frames(&self) -> u32 {
        // SAFETY: an open context.
        u32::try_from(unsafe { (*self.context).has_b_frames }).unwrap_or(0)
    }

    /// Hands over a frame; `None` says that there are no more.
    pub fn send(&mut self, frame: Option<&mut Frame>) -> AvResult<()> {
        let frame = frame.map_or(ptr::null(), |frame| frame.as_mut_ptr().cast_const());
        // SAFETY: the context is open; the frame is live or null.
        check(
            unsafe { ffi::avcodec_send_frame(self.context, frame) },
            "encoding",
        )
        .map(|_| ())
    }

    /// The next packet; `false` when more frames are wanted or the end is reached.
    pub fn receive(&mut self, packet: &mut Packet) -> AvResult<bool> {
        packet.clear();
        // SAFETY: both are live and ours.
        match check(
            unsafe { ffi::avcodec_receive_packet(self.context, packet.as_mut_ptr()) },
            "encoding",
        ) {
            Ok(_) => Ok(true),
            Err(error) if error.is_again() || error.is_end() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: allocated in `alloc`, freed once.
        unsafe { ffi::avcodec_free_context(&raw mut self.context) }
    }
}

/// The frame whose colour description an encoder takes over.
pub struct ColoursOf<'a>(pub &'a Frame);

impl ColoursOf<'_> {
    fn describe(&self, encoder: &mut ffi::AVCodecContext, bt709: bool) {
        if bt709 {
            encoder.color_primaries = ffi::AVColorPrimaries::AVCOL_PRI_BT709;
            encoder.color_trc = ffi::AVColorTransferCharacteristic::AVCOL_TRC_BT709;
            encoder.colorspace = ffi::AVColorSpace::AVCOL_SPC_BT709;
            encoder.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
            return;
        }
        let frame = self.0.colours();
        encoder.color_primaries = frame.color_primaries;
        encoder.color_trc = frame.color_trc;
        encoder.colorspace = frame.colorspace;
        encoder.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
        encoder.chroma_sample_location = frame.chroma_location;
    }
}

fn dimension(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(0)
}

fn bits(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
