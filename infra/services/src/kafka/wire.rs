//! The little of Kafka's protocol that tells whether a broker serves: one Metadata request, by hand.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

const METADATA: i16 = 3;
/// The newest version before flexible fields, which would need varints.
const VERSION: i16 = 8;
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const LARGEST_ANSWER: usize = 1 << 20;

/// The brokers that the one at this port holds for members of the cluster that are alive.
pub fn brokers_known_at(port: u16) -> Result<Vec<i32>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(&question())?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = usize::try_from(i32::from_be_bytes(size)).map_err(|_| no_kafka())?;
    if size > LARGEST_ANSWER {
        return Err(no_kafka());
    }
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer)?;
    brokers_in(&answer).ok_or_else(no_kafka)
}

fn question() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    // Correlation id 1; a client id of no letters.
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    // About no topics, which must not be created, and without the list of allowed operations.
    body.extend(0_i32.to_be_bytes());
    body.extend([0, 0, 0]);
    let size = i32::try_from(body.len()).expect("the question has some twenty bytes");
    [size.to_be_bytes().as_slice(), &body].concat()
}

/// Reads correlation id, throttle time, and the brokers: id, host, port, rack.
fn brokers_in(answer: &[u8]) -> Option<Vec<i32>> {
    let mut rest = answer.get(8..)?;
    let count = take_i32(&mut rest)?;
    let mut brokers = Vec::new();
    for _ in 0..count {
        brokers.push(take_i32(&mut rest)?);
        skip_text(&mut rest)?;
        take_i32(&mut rest)?;
        skip_text(&mut rest)?;
    }
    Some(brokers)
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

/// A length of two bytes, -1 for none, and so many letters.
fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let (bytes, after) = rest.split_first_chunk()?;
    let length = i16::from_be_bytes(*bytes).max(0);
    *rest = after.get(usize::try_from(length).ok()?..)?;
    Some(())
}

fn no_kafka() -> Error {
    Error::new(ErrorKind::InvalidData, "what listens there answers unlike Kafka")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_and_a_cut_answer_is_refused() {
        let mut answer = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        for id in [1_u8, 3] {
            answer.extend([0, 0, 0, id, 0, 1, b'h', 0, 0, 1, 1, 0xff, 0xff]);
        }
        assert_eq!(brokers_in(&answer), Some(vec![1, 3]));
        assert_eq!(brokers_in(&answer[..answer.len() - 1]), None);
    }
}
