//! The decoders that may be opened, and no others.

/// FFmpeg's names of decoders. MagicYUV and its like stay out: rarely used, rarely looked at.
const VIDEO: [&str; 38] = [
    "h264",
    "hevc",
    "libdav1d",
    "libaom-av1",
    "av1",
    "vp8",
    "vp9",
    "mpeg1video",
    "mpeg2video",
    "mpegvideo",
    "mpeg4",
    "msmpeg4v1",
    "msmpeg4v2",
    "msmpeg4",
    "flv",
    "h261",
    "h263",
    "h263i",
    "theora",
    "prores",
    "mjpeg",
    "dnxhd",
    "wmv1",
    "wmv2",
    "wmv3",
    "vc1",
    "gif",
    "dvvideo",
    "cinepak",
    "svq1",
    "svq3",
    "rv30",
    "rv40",
    "vp6",
    "vp6f",
    "vp6a",
    "ffv1",
    "huffyuv",
];

const AUDIO: [&str; 37] = [
    "aac",
    "aac_fixed",
    "mp3float",
    "mp3",
    "mp2float",
    "mp2",
    "mp1float",
    "ac3",
    "eac3",
    "opus",
    "libopus",
    "vorbis",
    "flac",
    "alac",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "pcm_s24be",
    "pcm_s32le",
    "pcm_s32be",
    "pcm_u8",
    "pcm_s8",
    "pcm_f32le",
    "pcm_f32be",
    "pcm_f64le",
    "pcm_mulaw",
    "pcm_alaw",
    "wmav1",
    "wmav2",
    "wmapro",
    "wmalossless",
    "amrnb",
    "amrwb",
    "adpcm_ms",
    "adpcm_ima_wav",
    "adpcm_ima_qt",
    "speex",
];

/// FFmpeg's names of codecs (what a file holds), where they differ from the decoders' names.
const OTHER_VIDEO_CODECS: [&str; 2] = ["msmpeg4v3", "flv1"];
const OTHER_AUDIO_CODECS: [&str; 3] = ["amr_nb", "amr_wb", "mp1"];

/// All of them, comma-separated, as FFmpeg wants its whitelist.
pub fn decoders() -> String {
    [&VIDEO[..], &AUDIO[..]].concat().join(",")
}

/// A codec that a picture may be in.
pub fn accepts_video(codec: &str) -> bool {
    VIDEO.contains(&codec) || OTHER_VIDEO_CODECS.contains(&codec)
}

/// A codec that sound may be in.
pub fn accepts_audio(codec: &str) -> bool {
    AUDIO.contains(&codec) || OTHER_AUDIO_CODECS.contains(&codec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoder_with_the_known_overflow_is_not_on_the_list() {
        assert!(!accepts_video("magicyuv"));
        assert!(!decoders().contains("magicyuv"));
        assert!(accepts_video("av1") && accepts_audio("opus"));
    }
}
