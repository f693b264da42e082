//! The little of CQL's binary protocol, version 4, that makes a table and reads it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ERROR: u8 = 0;
const STARTUP: u8 = 1;
const QUERY: u8 = 7;

pub struct Session(TcpStream);

impl Session {
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a minute is no zero");
        let mut session = Self(stream);
        let mut body = 1_u16.to_be_bytes().to_vec();
        for word in ["CQL_VERSION", "3.0.0"] {
            let length = u16::try_from(word.len()).expect("the words are short");
            body.extend(length.to_be_bytes());
            body.extend(word.bytes());
        }
        session.ask(STARTUP, &body);
        session
    }

    /// The body of the result, unread. Fails the test when there is an error instead.
    pub fn query(&mut self, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("the query is short");
        let mut body = length.to_be_bytes().to_vec();
        body.extend(text.bytes());
        // Consistency ONE, and no flags.
        body.extend([0, 1, 0]);
        self.ask(QUERY, &body)
    }

    fn ask(&mut self, opcode: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("the question is short");
        let mut frame = vec![4, 0, 0, 0, opcode];
        frame.extend(length.to_be_bytes());
        frame.extend(body);
        self.0.write_all(&frame).expect("it reads");
        let mut header = [0; 9];
        self.0.read_exact(&mut header).expect("it answers");
        let length = u32::from_be_bytes(*header.last_chunk().expect("nine bytes end in four"));
        let mut answer = vec![0; usize::try_from(length).expect("the answer is short")];
        self.0.read_exact(&mut answer).expect("it answers whole");
        assert_ne!(header[4], ERROR, "{}", String::from_utf8_lossy(&answer));
        answer
    }
}
