//! What the container and its first packets say of one track, copied out.
#![expect(unsafe_code, reason = "reads an AVStream")]

use std::ffi::CStr;
use std::{ptr, slice};

use ffmpeg_next::ffi;

use super::Rational;
use super::packet::some_time;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    Video,
    Audio,
    Other,
}

#[derive(Debug, Clone)]
pub struct StreamInfo {
    pub index: usize,
    pub kind: StreamKind,
    /// A cover picture, not a film.
    pub is_attached_picture: bool,
    pub is_default: bool,
    pub codec: String,
    pub profile: Option<String>,
    pub profile_id: i32,
    pub level: i32,
    pub extradata: Vec<u8>,
    pub time_base: Rational,
    pub start: Option<i64>,
    pub duration: Option<i64>,
    pub bit_rate: Option<u64>,
    pub width: u32,
    pub height: u32,
    pub pixel_format: String,
    pub sample_aspect: Rational,
    pub average_frame_rate: Rational,
    /// How many pictures are coded before others that are shown earlier, at most.
    pub reordered_frames: u32,
    pub interlaced: bool,
    pub hdr: bool,
    /// The picture is coded as red, green, blue or palette.
    pub rgb: bool,
    /// Clockwise degrees to be shown upright, a multiple of 90.
    pub rotation: u16,
    pub mirrored: bool,
    pub channels: u32,
    pub sample_rate: u32,
    pub language: Option<String>,
}

impl StreamInfo {
    /// `stream` must be a live stream of an open input.
    pub(super) unsafe fn read(stream: *mut ffi::AVStream) -> StreamInfo {
        // SAFETY: the caller promises a live stream; its parameters live as long.
        let (raw, parameters) = unsafe { (&*stream, &*(*stream).codecpar) };
        let (rotation, mirrored) = orientation(stream);
        let pixel_format = pixel_format(parameters);
        StreamInfo {
            index: usize::try_from(raw.index).unwrap_or(0),
            kind: match parameters.codec_type {
                ffi::AVMediaType::AVMEDIA_TYPE_VIDEO => StreamKind::Video,
                ffi::AVMediaType::AVMEDIA_TYPE_AUDIO => StreamKind::Audio,
                _ => StreamKind::Other,
            },
            is_attached_picture: raw.disposition & ffi::AV_DISPOSITION_ATTACHED_PIC != 0,
            is_default: raw.disposition & ffi::AV_DISPOSITION_DEFAULT != 0,
            // SAFETY: both answers are static strings, the second may be null.
            codec: unsafe { text(ffi::avcodec_get_name(parameters.codec_id)) }.unwrap_or_default(),
            profile: unsafe { text(ffi::avcodec_profile_name(parameters.codec_id, parameters.profile)) },
            profile_id: parameters.profile,
            level: parameters.level,
            extradata: extradata(parameters),
            time_base: rational(raw.time_base),
            start: some_time(raw.start_time),
            duration: some_time(raw.duration).filter(|&duration| duration > 0),
            bit_rate: u64::try_from(parameters.bit_rate).ok().filter(|&rate| rate > 0),
            width: u32::try_from(parameters.width).unwrap_or(0),
            height: u32::try_from(parameters.height).unwrap_or(0),
            sample_aspect: sample_aspect(raw, parameters),
            average_frame_rate: rational(raw.avg_frame_rate),
            reordered_frames: u32::try_from(parameters.video_delay).unwrap_or(0),
            interlaced: is_interlaced(parameters),
            hdr: is_hdr(parameters),
            rgb: ["rgb", "bgr", "gbr", "pal8", "argb", "abgr", "0rgb", "0bgr"]
                .iter()
                .any(|start| pixel_format.starts_with(start)),
            pixel_format,
            rotation,
            mirrored,
            channels: u32::try_from(parameters.ch_layout.nb_channels).unwrap_or(0),
            sample_rate: u32::try_from(parameters.sample_rate).unwrap_or(0),
            language: language(raw),
        }
    }
}

pub(super) fn rational(raw: ffi::AVRational) -> Rational {
    Rational {
        num: raw.num,
        den: raw.den,
    }
}

/// Copies a C string that may be null.
unsafe fn text(pointer: *const libc::c_char) -> Option<String> {
    // SAFETY: the caller promises null or a string that ends with a zero.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

fn extradata(parameters: &ffi::AVCodecParameters) -> Vec<u8> {
    match usize::try_from(parameters.extradata_size) {
        // SAFETY: `extradata` points to `extradata_size` bytes.
        Ok(length) if length > 0 && !parameters.extradata.is_null() => unsafe {
            slice::from_raw_parts(parameters.extradata, length).to_vec()
        },
        _ => Vec::new(),
    }
}

fn pixel_format(parameters: &ffi::AVCodecParameters) -> String {
    if parameters.codec_type != ffi::AVMediaType::AVMEDIA_TYPE_VIDEO || parameters.format < 0 {
        return String::new();
    }
    // SAFETY: a video stream's format was written by FFmpeg from the same enumeration; the name is a static string.
    unsafe {
        let format = std::mem::transmute::<i32, ffi::AVPixelFormat>(parameters.format);
        text(ffi::av_get_pix_fmt_name(format)).unwrap_or_default()
    }
}

fn sample_aspect(stream: &ffi::AVStream, parameters: &ffi::AVCodecParameters) -> Rational {
    let of_container = rational(stream.sample_aspect_ratio);
    let of_codec = rational(parameters.sample_aspect_ratio);
    let known = |ratio: &Rational| ratio.num > 0 && ratio.den > 0;
    [of_container, of_codec]
        .into_iter()
        .find(known)
        .unwrap_or(Rational { num: 1, den: 1 })
}

fn is_interlaced(parameters: &ffi::AVCodecParameters) -> bool {
    use ffi::AVFieldOrder::{AV_FIELD_BB, AV_FIELD_BT, AV_FIELD_TB, AV_FIELD_TT};
    matches!(
        parameters.field_order,
        AV_FIELD_TT | AV_FIELD_BB | AV_FIELD_TB | AV_FIELD_BT
    )
}

fn is_hdr(parameters: &ffi::AVCodecParameters) -> bool {
    use ffi::AVColorTransferCharacteristic::{AVCOL_TRC_ARIB_STD_B67, AVCOL_TRC_SMPTE2084};
    matches!(parameters.color_trc, AVCOL_TRC_SMPTE2084 | AVCOL_TRC_ARIB_STD_B67)
}

fn language(stream: &ffi::AVStream) -> Option<String> {
    // SAFETY: looks up one key; the answer is null or an entry whose value is a string.
    let value = unsafe {
        let entry = ffi::av_dict_get(stream.metadata, c"language".as_ptr(), ptr::null(), 0);
        if entry.is_null() {
            None
        } else {
            text((*entry).value)
        }
    }?;
    let plausible = (2..=11).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && value != "und";
    plausible.then_some(value)
}

/// How the picture is turned, from its display matrix.
fn orientation(stream: *mut ffi::AVStream) -> (u16, bool) {
    let mut bytes = 0;
    // SAFETY: looks through the stream's own side data.
    let data = unsafe {
        ffi::av_stream_get_side_data(
            stream,
            ffi::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
            &raw mut bytes,
        )
    };
    if data.is_null() || bytes < 36 {
        return (0, false);
    }
    // SAFETY: the matrix is nine 32-bit numbers; read without assuming alignment.
    let matrix: [i32; 9] = unsafe { data.cast::<[i32; 9]>().read_unaligned() };
    let [a, b, _, c, d, ..] = matrix.map(f64::from);
    if a == 0.0 && b == 0.0 && c == 0.0 && d == 0.0 {
        return (0, false);
    }
    // The matrix takes (x, y) to (ax + cy, bx + dy) with y pointing down.
    let mirrored = a * d - b * c < 0.0;
    let clockwise = if mirrored { (-b).atan2(-a) } else { b.atan2(a) }
        .to_degrees()
        .rem_euclid(360.0);
    let quarter_turns = (clockwise / 90.0).round() as u16 % 4;
    (quarter_turns * 90, mirrored)
}
