//! What a file is, by its content alone: decides which demuxer may open it, and refuses everything else.
//!
//! It needs no FFmpeg, so the gateway asks it about the first bytes of an upload.

use serde::{Deserialize, Serialize};

use crate::{Refusal, RefusalCode};

/// Enough of a file's beginning for [`sniff`] to be sure.
pub const SNIFF_BYTES: usize = 4096;

/// The containers that are opened, each with its own forced demuxer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    Mp4,
    Matroska,
    Avi,
    MpegTs,
    MpegPs,
    Flv,
    Ogg,
    Asf,
    Gif,
    Wav,
    Mp3,
    Aac,
    Flac,
}

impl Container {
    /// FFmpeg's name of the demuxer.
    pub fn demuxer(self) -> &'static str {
        match self {
            Container::Mp4 => "mov",
            Container::Matroska => "matroska",
            Container::Avi => "avi",
            Container::MpegTs => "mpegts",
            Container::MpegPs => "mpeg",
            Container::Flv => "flv",
            Container::Ogg => "ogg",
            Container::Asf => "asf",
            Container::Gif => "gif",
            Container::Wav => "wav",
            Container::Mp3 => "mp3",
            Container::Aac => "aac",
            Container::Flac => "flac",
        }
    }

    /// It can hold sound only.
    pub fn is_audio_only(self) -> bool {
        matches!(
            self,
            Container::Wav | Container::Mp3 | Container::Aac | Container::Flac
        )
    }

    /// What to serve the original as, together with `X-Content-Type-Options: nosniff`.
    pub fn media_type(self) -> &'static str {
        match self {
            Container::Mp4 => "video/mp4",
            Container::Matroska => "video/x-matroska",
            Container::Avi => "video/x-msvideo",
            Container::MpegTs => "video/mp2t",
            Container::MpegPs => "video/mpeg",
            Container::Flv => "video/x-flv",
            Container::Ogg => "video/ogg",
            Container::Asf => "video/x-ms-asf",
            Container::Gif => "image/gif",
            Container::Wav => "audio/wav",
            Container::Mp3 => "audio/mpeg",
            Container::Aac => "audio/aac",
            Container::Flac => "audio/flac",
        }
    }
}

/// Names the container of a film from its first bytes ([`SNIFF_BYTES`] of them, or the whole of a smaller file), or
/// says why the file is not taken. Files that hold sound only are refused here as well.
pub fn sniff(start: &[u8]) -> Result<Container, Refusal> {
    match container(start) {
        Some(container) if container.is_audio_only() => Err(no_video()),
        Some(container) => Ok(container),
        None => Err(refusal(start)),
    }
}

/// The refusal of a file with sound and no picture.
pub fn no_video() -> Refusal {
    Refusal::new(
        RefusalCode::NoVideo,
        "This file has sound but no video. Upload a film with a picture.",
    )
}

fn container(start: &[u8]) -> Option<Container> {
    let at = |offset: usize, magic: &[u8]| start.get(offset..offset + magic.len()) == Some(magic);
    if is_iso_media(start) {
        return Some(Container::Mp4);
    }
    if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) && (contains(start, b"webm") || contains(start, b"matroska")) {
        return Some(Container::Matroska);
    }
    if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"AVI ") {
        return Some(Container::Avi);
    }
    if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") {
        return Some(Container::Wav);
    }
    if at(0, b"FLV\x01") {
        return Some(Container::Flv);
    }
    if at(0, b"OggS\0") {
        return Some(Container::Ogg);
    }
    if at(0, b"fLaC") {
        return Some(Container::Flac);
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Some(Container::Gif);
    }
    if at(0, &[0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11]) {
        return Some(Container::Asf);
    }
    if at(0, &[0, 0, 1, 0xba]) {
        return Some(Container::MpegPs);
    }
    if is_transport_stream(start) {
        return Some(Container::MpegTs);
    }
    if at(0, b"ID3") {
        return Some(Container::Mp3);
    }
    elementary_audio(start)
}

/// A box of a known kind, and when it is `ftyp`, not the brand of a still picture.
fn is_iso_media(start: &[u8]) -> bool {
    let (Some(size), Some(kind)) = (start.first_chunk::<4>(), start.get(4..8)) else {
        return false;
    };
    let size = u32::from_be_bytes(*size);
    let plausible = size >= 8 || size == 1 || size == 0;
    match kind {
        b"ftyp" => plausible && !is_still_brand(start),
        b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot" | b"styp" | b"moof" | b"sidx" => plausible,
        _ => false,
    }
}

fn is_still_brand(start: &[u8]) -> bool {
    matches!(
        start.get(8..12),
        Some(b"heic" | b"heix" | b"mif1" | b"avif" | b"heim" | b"jxl ")
    )
}

/// Five sync bytes in a row at one of the known packet sizes (plain, with a time code, with error correction).
fn is_transport_stream(start: &[u8]) -> bool {
    [(188, 0), (192, 4), (204, 0)]
        .into_iter()
        .any(|(packet, offset)| {
            let syncs = (0..5)
                .map_while(|n| start.get(offset + n * packet))
                .collect::<Vec<_>>();
            // A stream this short has fewer than five packets; two are the least that tell.
            let enough = syncs.len() == 5 || (syncs.len() >= 2 && start.len() < packet * 5 + offset);
            enough && syncs.iter().all(|&&byte| byte == 0x47)
        })
}

/// Raw MP3 or AAC frames: a valid header, and another one where the first says the next frame is.
fn elementary_audio(start: &[u8]) -> Option<Container> {
    if let Some(length) = adts_frame_bytes(start)
        && start.get(length..).and_then(adts_frame_bytes).is_some()
    {
        return Some(Container::Aac);
    }
    if let Some(length) = mp3_frame_bytes(start)
        && start.get(length..).and_then(mp3_frame_bytes).is_some()
    {
        return Some(Container::Mp3);
    }
    None
}

fn adts_frame_bytes(at: &[u8]) -> Option<usize> {
    let header = at.first_chunk::<7>()?;
    let is_adts = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let length = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    (is_adts && length >= 7).then_some(length)
}

fn mp3_frame_bytes(at: &[u8]) -> Option<usize> {
    const BIT_RATES: [[usize; 15]; 2] = [
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    const SAMPLE_RATES: [usize; 3] = [44_100, 48_000, 32_000];
    let header = at.first_chunk::<4>()?;
    let layer_three = header[0] == 0xff && header[1] & 0xe6 == 0xe2;
    let version = header[1] >> 3 & 3;
    if !layer_three || version == 1 {
        return None;
    }
    let lower = version != 3;
    let bit_rate = *BIT_RATES[usize::from(lower)]
        .get(usize::from(header[2] >> 4))
        .filter(|&&rate| rate > 0)?;
    let halvings = [2, 0, 1, 0][usize::from(version)];
    let sample_rate = SAMPLE_RATES.get(usize::from(header[2] >> 2 & 3))? >> halvings;
    let samples_over_eight = if lower { 72 } else { 144 };
    Some(samples_over_eight * bit_rate * 1000 / sample_rate + usize::from(header[2] >> 1 & 1))
}

fn refusal(start: &[u8]) -> Refusal {
    let begins = |magic: &[u8]| start.starts_with(magic);
    let text = start.trim_ascii_start();
    let (code, sentence) = if start.is_empty() {
        (
            RefusalCode::Empty,
            "This file is empty. The upload may have been cut off before it began.",
        )
    } else if text.starts_with(b"#EXTM3U") || text.starts_with(b"[playlist]") || contains(start, b"<MPD") {
        (
            RefusalCode::Playlist,
            "This is a playlist that points to other files, not a film. Upload the film itself.",
        )
    } else if is_still_picture(start) {
        (RefusalCode::StillPicture, "This is a still picture, not a film.")
    } else if begins(b"\x7fELF") || begins(b"MZ") || begins(b"#!") || begins(&[0xca, 0xfe, 0xba, 0xbe]) {
        (RefusalCode::Executable, "This is a program, not a film.")
    } else if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") || begins(b"%PDF") || is_other_archive(start) {
        (
            RefusalCode::Archive,
            "This is an archive or a document, not a film. Unpack it and upload the film itself.",
        )
    } else if is_text(start) {
        (RefusalCode::Text, "This is a text file, not a film.")
    } else {
        (
            RefusalCode::Unrecognised,
            "This file is not a film in a format we know. MP4, MOV, MKV, WebM, AVI, MPEG, FLV, OGV, WMV and GIF work.",
        )
    };
    Refusal::new(code, sentence)
}

fn is_still_picture(start: &[u8]) -> bool {
    let riff_webp = start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP");
    let heif = start.get(4..8) == Some(b"ftyp") && is_still_brand(start);
    let magics: [&[u8]; 6] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM",
        b"II*\0",
        b"MM\0*",
        &[0, 0, 0, 0x0c, b'j', b'P', b' ', b' '],
    ];
    riff_webp || heif || magics.iter().any(|magic| start.starts_with(magic))
}

fn is_other_archive(start: &[u8]) -> bool {
    let magics: [&[u8]; 6] = [
        b"\x1f\x8b",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!",
        b"BZh",
        b"\xfd7zXZ",
        &[0xd0, 0xcf, 0x11, 0xe0],
    ];
    magics.iter().any(|magic| start.starts_with(magic))
}

fn is_text(start: &[u8]) -> bool {
    let whole_characters = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The cut at the end of what was read may split a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).expect("valid up to here")
        }
        Err(_) => return false,
    };
    !whole_characters
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    // The EBML header and the root element of a manifest come at once; searching further only invites accidents.
    let near = &haystack[..haystack.len().min(1024)];
    near.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &[u8], expected: Result<Container, RefusalCode>) {
        assert_eq!(sniff(start).map_err(|refusal| refusal.code), expected);
    }

    #[test]
    fn films_are_known_by_their_content() {
        check(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2", Ok(Container::Mp4));
        check(b"\0\0\0\x08wide\0\0\0\0mdat", Ok(Container::Mp4));
        check(
            b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x84webm",
            Ok(Container::Matroska),
        );
        check(b"RIFF\0\0\0\0AVI LIST", Ok(Container::Avi));
        check(b"FLV\x01\x05\0\0\0\x09", Ok(Container::Flv));
        check(b"OggS\0\x02", Ok(Container::Ogg));
        check(b"GIF89a", Ok(Container::Gif));
        check(b"\0\0\x01\xba\x44", Ok(Container::MpegPs));
        let mut stream = vec![0u8; 188 * 8];
        stream.iter_mut().step_by(188).for_each(|byte| *byte = 0x47);
        check(&stream, Ok(Container::MpegTs));
    }

    #[test]
    fn sound_alone_is_refused_as_such() {
        check(b"RIFF\0\0\0\0WAVEfmt ", Err(RefusalCode::NoVideo));
        check(b"ID3\x04\0\0\0\0\0\0", Err(RefusalCode::NoVideo));
        check(b"fLaC\0\0\0\x22", Err(RefusalCode::NoVideo));
    }

    #[test]
    fn what_is_no_film_is_called_by_its_name() {
        check(b"", Err(RefusalCode::Empty));
        check(b"this is not a video\n", Err(RefusalCode::Text));
        check("<html>é</html>".as_bytes(), Err(RefusalCode::Text));
        check(
            b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n",
            Err(RefusalCode::Playlist),
        );
        check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Err(RefusalCode::StillPicture));
        check(b"\0\0\0\x1cftypheic\0\0\0\0", Err(RefusalCode::StillPicture));
        check(b"\x7fELF\x02\x01\x01", Err(RefusalCode::Executable));
        check(b"PK\x03\x04\x14\0", Err(RefusalCode::Archive));
        check(
            &[0x9c, 0x01, 0xfe, 0x33, 0x80, 0x7a, 0x11],
            Err(RefusalCode::Unrecognised),
        );
    }

    #[test]
    fn raw_frames_of_mp3_need_a_second_frame_to_be_believed() {
        let mut frames = vec![0u8; 1000];
        frames[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x64]);
        check(&frames, Err(RefusalCode::Unrecognised));
        frames[417..421].copy_from_slice(&[0xff, 0xfb, 0x90, 0x64]);
        check(&frames, Err(RefusalCode::NoVideo));
    }
}
