//! Frames on the pipe: header length and payload length (u32, little endian), a JSON header, the payload's bytes.

use std::io::{self, Read, Write};

use crate::Message;

/// A header larger than this is not ours.
pub const HEADER_BYTES_MAX: u32 = 1 << 20;
/// A payload larger than this is not ours: the largest is a segment of 6 s of a copied source.
pub const PAYLOAD_BYTES_MAX: u32 = 256 << 20;
/// The two lengths.
pub const PREFIX_BYTES: usize = 8;

/// Writes one frame. The payload is given in pieces so that none has to be copied together.
pub fn write(out: &mut impl Write, message: &Message, payload: &[&[u8]]) -> io::Result<()> {
    let header = serde_json::to_vec(message).map_err(io::Error::other)?;
    let payload_bytes: usize = payload.iter().map(|piece| piece.len()).sum();
    let too_large = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "a frame larger than the protocol allows",
        )
    };
    let header_length = u32::try_from(header.len()).map_err(|_| too_large())?;
    let payload_length = u32::try_from(payload_bytes).map_err(|_| too_large())?;
    if header_length > HEADER_BYTES_MAX || payload_length > PAYLOAD_BYTES_MAX {
        return Err(too_large());
    }
    let mut head = Vec::with_capacity(PREFIX_BYTES + header.len());
    head.extend_from_slice(&header_length.to_le_bytes());
    head.extend_from_slice(&payload_length.to_le_bytes());
    head.extend_from_slice(&header);
    out.write_all(&head)?;
    for piece in payload {
        out.write_all(piece)?;
    }
    out.flush()
}

/// The lengths in a frame's first [`PREFIX_BYTES`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    pub header_bytes: u32,
    pub payload_bytes: u32,
}

impl Prefix {
    /// Refuses lengths that no honest child sends, before anything is allocated for them.
    pub fn parse(bytes: [u8; PREFIX_BYTES]) -> io::Result<Prefix> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let prefix = Prefix {
            header_bytes: u32::from_le_bytes([a, b, c, d]),
            payload_bytes: u32::from_le_bytes([e, f, g, h]),
        };
        if prefix.header_bytes > HEADER_BYTES_MAX || prefix.payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a frame larger than the protocol allows",
            ));
        }
        Ok(prefix)
    }
}

/// Decodes the JSON header of a frame.
pub fn parse_header(bytes: &[u8]) -> io::Result<Message> {
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads one frame, blocking; `None` at a clean end.
pub fn read(input: &mut impl Read) -> io::Result<Option<(Message, Vec<u8>)>> {
    let mut prefix = [0u8; PREFIX_BYTES];
    if input.read(&mut prefix[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut prefix[1..])?;
    let prefix = Prefix::parse(prefix)?;
    let mut header = vec![0; prefix.header_bytes as usize];
    input.read_exact(&mut header)?;
    let mut payload = vec![0; prefix.payload_bytes as usize];
    input.read_exact(&mut payload)?;
    Ok(Some((parse_header(&header)?, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Progress;

    #[test]
    fn what_is_written_is_read_back() {
        let message = Message::Progress(Progress {
            done_ms: 1,
            total_ms: 2,
        });
        let mut pipe = Vec::new();
        write(&mut pipe, &message, &[b"ab", b"c"]).expect("a vector takes everything");
        write(&mut pipe, &message, &[]).expect("a vector takes everything");
        let mut reader = pipe.as_slice();
        assert_eq!(
            read(&mut reader).expect("whole"),
            Some((message.clone(), b"abc".to_vec()))
        );
        assert_eq!(read(&mut reader).expect("whole"), Some((message, Vec::new())));
        assert_eq!(read(&mut reader).expect("a clean end"), None);
    }

    #[test]
    fn a_length_from_a_liar_is_refused_before_it_is_allocated() {
        let mut bytes = vec![2, 0, 0, 0, 255, 255, 255, 255];
        bytes.extend_from_slice(b"{}");
        assert!(read(&mut bytes.as_slice()).is_err());
    }

    #[test]
    fn a_frame_cut_in_the_middle_is_an_error() {
        let mut pipe = Vec::new();
        let message = Message::Progress(Progress {
            done_ms: 1,
            total_ms: 2,
        });
        write(&mut pipe, &message, &[b"abc"]).expect("a vector takes everything");
        pipe.pop();
        assert!(read(&mut pipe.as_slice()).is_err());
    }
}
