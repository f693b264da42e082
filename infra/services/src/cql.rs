//! The little of CQL's binary protocol, version 4, that logs in and says things.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

const ERROR: u8 = 0;
const STARTUP: u8 = 1;
const AUTHENTICATE: u8 = 3;
const QUERY: u8 = 7;
const AUTH_RESPONSE: u8 = 15;
const LETS_IN_WITHIN: Duration = Duration::from_secs(5);
/// A change of the schema on a busy machine takes its time.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// A connection that has logged in.
pub struct Session(TcpStream);

impl Session {
    /// A server that asks nobody who they are is not told.
    pub fn open(address: &str, user: &str, password: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LETS_IN_WITHIN))?;
        let mut session = Self(stream);
        let mut body = 1_u16.to_be_bytes().to_vec();
        for word in ["CQL_VERSION", "3.0.0"] {
            let length = u16::try_from(word.len()).expect("the words are short");
            body.extend(length.to_be_bytes());
            body.extend(word.bytes());
        }
        let (answer, _) = session.ask(STARTUP, &body)?;
        if answer == AUTHENTICATE {
            session.ask(AUTH_RESPONSE, &long(&format!("\0{user}\0{password}")))?;
        }
        session.0.set_read_timeout(Some(ANSWERS_WITHIN))?;
        Ok(session)
    }

    /// The body of the result, unread.
    pub fn say(&mut self, cql: &str) -> Result<Vec<u8>> {
        let mut body = long(cql);
        // Consistency ONE, and no flags.
        body.extend([0, 1, 0]);
        self.ask(QUERY, &body).map(|(_, answer)| answer)
    }

    /// What kind of answer came, and its body.
    fn ask(&mut self, opcode: u8, body: &[u8]) -> Result<(u8, Vec<u8>)> {
        let mut frame = vec![4, 0, 0, 0, opcode];
        frame.extend(length(body));
        frame.extend(body);
        self.0.write_all(&frame)?;
        let mut header = [0; 9];
        self.0.read_exact(&mut header)?;
        let length = u32::from_be_bytes(*header.last_chunk().expect("nine bytes end in four"));
        let mut answer = vec![0; usize::try_from(length).expect("the answer is short")];
        self.0.read_exact(&mut answer)?;
        if header[4] == ERROR {
            // A code of four bytes and a length of two come before the text.
            let text = answer.get(6..).unwrap_or_default();
            return Err(Error::other(String::from_utf8_lossy(text)));
        }
        Ok((header[4], answer))
    }
}

fn long(text: &str) -> Vec<u8> {
    [&length(text.as_bytes()), text.as_bytes()].concat()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len())
        .expect("what is said is short")
        .to_be_bytes()
}
