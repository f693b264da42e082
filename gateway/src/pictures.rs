//! Pictures of persons: whatever somebody sends becomes a small square JPEG with nothing else in it.
//!
//! What is sent is read by decoders that are written in Rust without `unsafe` of our own, within limits of size and memory, on
//! threads that may wait. The turn of the pixels that a camera notes (EXIF) is carried out, and then all that is noted is gone:
//! places, times and names of devices do not come out again.

use crate::problem::{Kind, Problem};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Edges of what is shown, in pixels.
pub const EDGE: u32 = 256;
/// Largest pictures that phones make, with room to spare.
const EDGE_MAX: u32 = 16_384;
const PIXELS_MAX: u64 = 64_000_000;
/// For all that a decoder holds; 64 million pixels of four bytes, and its own tables.
const MEMORY_MAX_BYTES: u64 = 320 * 1024 * 1024;
/// Each may take that much memory, and up to a second of a core.
const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);
/// Of a JPEG; a square then has 8 to 25 KB.
const QUALITY: u8 = 85;
const KINDS: [ImageFormat; 4] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Gif,
];

/// Makes pictures, a few at once.
pub struct Pictures {
    turns: Arc<Semaphore>,
}

impl Pictures {
    pub fn new() -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { turns }
    }

    /// The middle of the picture as a JPEG of [`EDGE`] by [`EDGE`] pixels; of one that moves, its beginning.
    ///
    /// 415 for what is no JPEG, PNG, WebP or GIF, 422 for one that is broken or too large, 503 when others wait too long.
    pub async fn square(&self, sent: bytes::Bytes) -> Result<Vec<u8>, Problem> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let turn = turn
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| Problem::unavailable("many pictures are made at the moment"))?;
        let made = tokio::task::spawn_blocking(move || {
            let made = square(&sent);
            drop(turn);
            made
        });
        match made.await {
            Ok(made) => made,
            Err(error) if error.is_panic() => {
                tracing::warn!(%error, "a decoder of pictures gave up");
                Err(broken("it cannot be read"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn square(sent: &[u8]) -> Result<Vec<u8>, Problem> {
    let format = image::guess_format(sent)
        .ok()
        .filter(|format| KINDS.contains(format))
        .ok_or_else(|| {
            let detail = "a picture must be a JPEG, PNG, WebP or GIF file";
            Problem::new(Kind::WrongType, detail)
        })?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(EDGE_MAX);
    limits.max_image_height = Some(EDGE_MAX);
    limits.max_alloc = Some(MEMORY_MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(sent), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(too_large());
    }
    let turned = decoder.orientation().map_err(unreadable)?;
    let whole = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    let mut middle = middle_of(&whole).resize_exact(EDGE, EDGE, FilterType::Lanczos3);
    drop(whole);
    middle.apply_orientation(turned);
    let mut made = vec![];
    on_white(&middle)
        .write_with_encoder(JpegEncoder::new_with_quality(&mut made, QUALITY))
        .map_err(Problem::defect)?;
    Ok(made)
}

/// The largest square around the middle.
fn middle_of(whole: &DynamicImage) -> DynamicImage {
    let edge = whole.width().min(whole.height());
    let (left, top) = ((whole.width() - edge) / 2, (whole.height() - edge) / 2);
    whole.crop_imm(left, top, edge, edge)
}

/// A JPEG has nothing that can be seen through.
fn on_white(picture: &DynamicImage) -> RgbImage {
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, opacity] = picture.get_pixel(x, y).0.map(u32::from);
        let mixed = |part: u32| (part * opacity + 255 * (255 - opacity) + 127) / 255;
        Rgb([red, green, blue].map(|part| u8::try_from(mixed(part)).unwrap_or(u8::MAX)))
    })
}

fn unreadable(error: ImageError) -> Problem {
    match error {
        ImageError::Limits(_) => too_large(),
        error => broken(&error.to_string()),
    }
}

fn too_large() -> Problem {
    let detail = format!(
        "a picture may have {EDGE_MAX} pixels in each direction and {} million in all",
        PIXELS_MAX / 1_000_000
    );
    Problem::invalid("", detail)
}

fn broken(why: &str) -> Problem {
    Problem::invalid("", format!("the picture is broken: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half red, right half blue, of any size; a fully transparent one is black beneath.
    fn halves(width: u32, height: u32, opacity: u8) -> DynamicImage {
        let pixels = image::RgbaImage::from_fn(width, height, |x, _| {
            if opacity == 0 {
                image::Rgba([0, 0, 0, 0])
            } else if x < width / 2 {
                image::Rgba([255, 0, 0, opacity])
            } else {
                image::Rgba([0, 0, 255, opacity])
            }
        });
        DynamicImage::from(pixels)
    }

    fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        let picture = match format {
            ImageFormat::Jpeg => DynamicImage::from(picture.to_rgb8()),
            _ => picture.clone(),
        };
        picture.write_to(&mut bytes, format).expect("it is a picture");
        bytes.into_inner()
    }

    fn made(sent: &[u8]) -> RgbImage {
        let made = square(sent).expect("a good picture");
        assert_eq!(image::guess_format(&made).ok(), Some(ImageFormat::Jpeg));
        let made = image::load_from_memory(&made).expect("what was made is a picture");
        assert_eq!((made.width(), made.height()), (EDGE, EDGE));
        made.to_rgb8()
    }

    fn check_colour(picture: &RgbImage, at: (u32, u32), expected: [u8; 3]) {
        let seen = picture.get_pixel(at.0, at.1).0;
        let is_close = seen
            .iter()
            .zip(expected)
            .all(|(one, other)| one.abs_diff(other) < 24);
        assert!(is_close, "at {at:?} {seen:?} instead of {expected:?}");
    }

    #[test]
    fn every_kind_becomes_a_square_of_its_middle() {
        for format in KINDS {
            for (width, height) in [(640, 360), (360, 640), (16, 16), (1, 1), (257, 3)] {
                made(&written(&halves(width, height, 255), format));
            }
            let wide = made(&written(&halves(600, 300, 255), format));
            check_colour(&wide, (64, 128), [255, 0, 0]);
            check_colour(&wide, (192, 128), [0, 0, 255]);
        }
    }

    #[test]
    fn what_can_be_seen_through_is_white() {
        let clear = made(&written(&halves(300, 300, 0), ImageFormat::Png));
        check_colour(&clear, (128, 128), [255, 255, 255]);
        let half = made(&written(&halves(300, 300, 128), ImageFormat::Png));
        check_colour(&half, (64, 128), [255, 127, 127]);
    }

    /// An EXIF block with nothing but an orientation and, as an editor would, a note.
    fn with_exif(jpeg: &[u8], orientation: u8, note: &[u8]) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        exif.extend(note);
        let length = u16::try_from(exif.len() + 2).expect("it is short");
        let mut marked = jpeg[..2].to_vec();
        marked.extend([0xff, 0xe1]);
        marked.extend(length.to_be_bytes());
        marked.extend(exif);
        marked.extend(&jpeg[2..]);
        marked
    }

    #[test]
    fn the_turn_that_a_camera_noted_is_carried_out_and_nothing_noted_is_left() {
        let sent = with_exif(
            &written(&halves(300, 300, 255), ImageFormat::Jpeg),
            6,
            b"47.0707N",
        );
        assert!(sent.windows(8).any(|window| window == b"47.0707N"));
        let turned = square(&sent).expect("a good picture");
        assert!(!turned.windows(8).any(|window| window == b"47.0707N"));
        assert!(!turned.windows(4).any(|window| window == b"Exif"));
        // A quarter to the right: what was left is above.
        let turned = made(&sent);
        check_colour(&turned, (128, 64), [255, 0, 0]);
        check_colour(&turned, (128, 192), [0, 0, 255]);
    }

    fn check_refused(sent: &[u8], kind: Kind, detail: &str) {
        let problem = square(sent).expect_err(detail);
        let said = format!("{problem:?}");
        assert!(
            said.contains(&format!("{kind:?}")) && said.contains(detail),
            "{said}"
        );
    }

    #[test]
    fn what_is_no_picture_is_refused_with_a_reason() {
        check_refused(b"", Kind::WrongType, "JPEG, PNG, WebP or GIF");
        check_refused(
            b"<svg onload='alert(1)'/>",
            Kind::WrongType,
            "JPEG, PNG, WebP or GIF",
        );
        check_refused(b"II\x2a\0\x08\0\0\0", Kind::WrongType, "JPEG, PNG, WebP or GIF");
        for format in KINDS {
            let whole = written(&halves(64, 64, 255), format);
            check_refused(&whole[..12.min(whole.len() / 3)], Kind::Invalid, "broken");
        }
    }

    /// A PNG that says it is so large, and has no pixels.
    fn boasting(width: u32, height: u32) -> Vec<u8> {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 6, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
        let mut sum = flate2::Crc::new();
        sum.update(&chunk);
        png.extend(chunk);
        png.extend(sum.sum().to_be_bytes());
        png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
        png
    }

    #[test]
    fn a_small_file_with_a_huge_picture_in_it_takes_no_memory() {
        check_refused(&boasting(60_000, 60_000), Kind::Invalid, "16384 pixels");
        check_refused(&boasting(16_000, 16_000), Kind::Invalid, "64 million");
    }
}
