//! Multipart bodies, the smallest thing that is taken for a film, and pictures.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

const BOUNDARY: &str = "boundary-of-the-tests";

/// Content type and body of a form; a part with a file name is a file.
pub fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let mut body = vec![];
    for (name, file_name, content) in parts {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"").bytes());
        if let Some(file_name) = file_name {
            body.extend(
                format!("; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream").bytes(),
            );
        }
        body.extend(b"\r\n\r\n");
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// An upload with a title and a film under the given name.
pub fn upload_form(title: &str, file_name: &str, file: &[u8]) -> (String, Vec<u8>) {
    form(&[("title", None, title.as_bytes()), ("file", Some(file_name), file)])
}

/// The beginning of an MP4 file, and something behind it.
pub fn film(bytes: usize) -> Vec<u8> {
    let mut film = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".to_vec();
    film.extend((0..bytes.saturating_sub(film.len())).map(|at| (at % 251) as u8));
    film
}

/// Another one for each shade.
pub fn picture(width: u32, height: u32, shade: u8) -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgb([(x % 256) as u8, (y % 256) as u8, shade]);
    DynamicImage::from(RgbImage::from_fn(width, height, pixel))
}

/// A picture as a file.
pub fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(vec![]);
    picture.write_to(&mut file, format).expect("it is a picture");
    file.into_inner()
}
