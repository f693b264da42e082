//! Where a film's time begins: at the first picture that can be decoded.

use spool_media_protocol::{Container, Limits, RefusalCode};

use crate::av::{AvError, Decoder, DecoderSettings, Frame, Input, Packet};
use crate::film::Tracks;
use crate::h264;
use crate::stop::Stop;

/// How much is read in search of the first picture.
const PACKETS_MAX: u32 = 4000;
const BYTES_MAX: u64 = 64 << 20;

/// What the first packets and the first picture say.
#[derive(Debug, Clone)]
pub struct Start {
    /// The presentation time of the first picture, in the video track's time base: time 0 of everything that is made.
    pub time: i64,
    /// Of the first packet of sound, in its own time base, if one came by.
    pub audio_time: Option<i64>,
    pub interlaced: bool,
    /// The first packet is the first picture, refers to nothing before it, and is meant to be seen.
    pub clean: bool,
}

/// Reads from the beginning until a picture comes out.
pub fn find(
    input: &mut Input,
    container: Container,
    tracks: &Tracks,
    decoders: &str,
    limits: &Limits,
) -> Result<Start, Stop> {
    let settings = DecoderSettings {
        allowed: decoders,
        pixels_max: limits.pixels_max,
        threads: 1,
        keyframes_only: false,
    };
    let mut decoder = Decoder::open(input, &tracks.video, settings)?;
    let (mut packet, mut frame) = (Packet::new()?, Frame::new()?);
    let mut search = Search {
        first_packet: None,
        audio_time: None,
        layout: h264::layout(&tracks.video.extradata),
    };
    let mut bytes = 0;
    for _ in 0..PACKETS_MAX {
        match input.read(&mut packet) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if error.is_out_of_memory() || error.is_io() => return Err(error.into()),
            Err(_) => continue,
        }
        bytes += packet.data().len() as u64;
        search.look_at(&packet, tracks);
        let picture =
            packet.stream() == tracks.video.index && first_picture(&mut decoder, Some(&packet), &mut frame)?;
        if picture {
            return Ok(search.found(&frame, container, tracks));
        }
        if bytes > BYTES_MAX {
            break;
        }
    }
    if first_picture(&mut decoder, None, &mut frame)? {
        return Ok(search.found(&frame, container, tracks));
    }
    Err(Stop::refuse(
        RefusalCode::NothingDecodable,
        "No picture of this film could be decoded.",
    ))
}

/// Damage before the first picture is passed over.
fn first_picture(decoder: &mut Decoder, packet: Option<&Packet>, frame: &mut Frame) -> Result<bool, AvError> {
    match decoder.send(packet).and_then(|()| decoder.receive(frame)) {
        Ok(found) => Ok(found),
        Err(error) if error.is_out_of_memory() => Err(error),
        Err(_) => Ok(false),
    }
}

struct Search {
    /// Presentation time, and whether it is a clean start.
    first_packet: Option<(Option<i64>, bool)>,
    audio_time: Option<i64>,
    layout: Option<h264::Layout>,
}

impl Search {
    fn look_at(&mut self, packet: &Packet, tracks: &Tracks) {
        if packet.stream() == tracks.video.index {
            let clean = packet.is_key()
                && !packet.is_discarded()
                && self
                    .layout
                    .is_some_and(|layout| h264::is_clean_start(packet.data(), layout));
            self.first_packet.get_or_insert((packet.pts(), clean));
        } else if tracks
            .audio
            .as_ref()
            .is_some_and(|audio| audio.index == packet.stream())
            && self.audio_time.is_none()
        {
            self.audio_time = packet.pts();
        }
    }

    fn found(&self, frame: &Frame, container: Container, tracks: &Tracks) -> Start {
        let time = frame
            .best_time()
            .or(frame.pts())
            .or(tracks.video.start)
            .unwrap_or(0);
        let clean = self
            .first_packet
            .is_some_and(|(first, clean)| clean && first == Some(time));
        Start {
            time,
            audio_time: self
                .audio_time
                .or(tracks.audio.as_ref().and_then(|audio| audio.start)),
            interlaced: tracks.video.interlaced || frame.is_interlaced(),
            // AVI has no presentation times to copy.
            clean: clean && container != Container::Avi,
        }
    }
}
