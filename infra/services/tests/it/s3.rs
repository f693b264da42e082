//! The S3 server keeps its objects over a kill, and its promises about who may ask.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use spool_services::{S3, fresh_name};

use crate::signed::{request, request_with};
use crate::tcp::is_listening;

#[test]
fn objects_are_still_there_after_a_kill_and_the_server_is_gone_after_drop() {
    let mut s3 = S3::start().expect("an S3 server starts");
    let address = s3.endpoint().trim_start_matches("http://").to_owned();
    let bucket = format!("/{}", fresh_name("films"));
    let object = format!("{bucket}/reels/1");
    assert_eq!(request(&s3, "PUT", &bucket, b"").0, 200);
    assert_eq!(request(&s3, "PUT", &object, b"a film").0, 200);
    s3.kill().expect("it was running");
    assert!(!is_listening(&address));
    s3.restart().expect("it comes back");
    assert_eq!(request(&s3, "GET", &object, b""), (200, b"a film".to_vec()));
    drop(s3);
    assert!(!is_listening(&address));
}

#[test]
fn a_wrong_secret_is_refused() {
    let s3 = S3::shared();
    let bucket = format!("/{}", fresh_name("films"));
    assert_eq!(request_with(s3, "wrong", "PUT", &bucket, b"").0, 403);
    assert_eq!(request(s3, "GET", &bucket, b"").0, 404);
}

#[test]
fn a_paused_server_keeps_a_request_and_answers_when_it_is_resumed() {
    let mut s3 = S3::start().expect("an S3 server starts");
    let address = s3.endpoint().trim_start_matches("http://").to_owned();
    s3.pause().expect("it was running");
    let mut stream = TcpStream::connect(&address).expect("the kernel takes the connection");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: films\r\n\r\n")
        .expect("the kernel takes the request");
    let mut answer = [0; 8];
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("it is no zero");
    assert!(stream.read(&mut answer).is_err(), "it is paused");
    s3.resume().expect("it was paused");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("it is no zero");
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(answer, *b"HTTP/1.1");
}
