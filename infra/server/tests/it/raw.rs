//! Requests that no HTTP client would send: cut off, or declaring what they do not carry.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;

pub struct RawAnswer {
    /// Nothing when the server closed without an answer.
    pub status: Option<u16>,
    pub text: String,
}

/// Sends the head of an upload, some of its body, and then nothing more; reads what comes back.
pub fn upload_cut_off(to: SocketAddr, token: &str, declared: u64, body: &[u8]) -> Result<RawAnswer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let head = format!(
        "POST /api/storage/upload/video HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {declared}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    // A server that refuses by the head alone may close before it has read the body.
    let _ = stream
        .write_all(body)
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(RawAnswer {
        status: text.split(' ').nth(1).and_then(|word| word.parse().ok()),
        text,
    })
}

/// A multipart body with a title and a file, as far as `file` goes, without its closing line.
pub fn unfinished_body(file: &[u8]) -> Vec<u8> {
    let mut body = b"--edge\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\ncut off\r\n--edge\r\nContent-Disposition: \
                     form-data; name=\"file\"; filename=\"a.mp4\"\r\nContent-Type: video/mp4\r\n\r\n"
        .to_vec();
    body.extend_from_slice(file);
    body
}
