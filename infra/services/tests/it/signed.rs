//! Requests to S3, signed by hand, so that no client's retries hide anything.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use spool_services::S3;

/// The status and the body of the answer.
pub fn request(s3: &S3, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    request_with(s3, s3.secret_key(), method, path, body)
}

pub fn request_with(s3: &S3, secret: &str, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let host = s3
        .endpoint()
        .strip_prefix("http://")
        .expect("it speaks plain HTTP");
    let time = now();
    let date = &time[..8];
    let scope = format!("{date}/{}/s3/aws4_request", s3.region());
    let headers = format!("host:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{time}\n");
    let names = "host;x-amz-content-sha256;x-amz-date";
    let canonical = format!("{method}\n{path}\n\n{headers}\n{names}\nUNSIGNED-PAYLOAD");
    let hashed = hexadecimal(&Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let key = [date, s3.region(), "s3", "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, word| code(&key, word));
    let signature = hexadecimal(&code(&key, &to_sign));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\
         x-amz-date: {time}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n",
        body.len(),
        s3.access_key(),
    );
    let mut stream = TcpStream::connect(host).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("half a minute is no zero");
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.write_all(body).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .expect("headers end");
    let status = String::from_utf8_lossy(&answer[9..12])
        .parse()
        .expect("a status is a number");
    (status, answer[end + 4..].to_vec())
}

fn code(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("a key may be of any length");
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Such as `20261231T235959Z`.
fn now() -> String {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is past 1970");
    let seconds = since_epoch.as_secs();
    let (mut year, mut days) = (1970, seconds / 86_400);
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!(
        "{year}{month:02}{:02}T{hours:02}{minutes:02}{:02}Z",
        days + 1,
        seconds % 60
    )
}

fn days_of(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}
