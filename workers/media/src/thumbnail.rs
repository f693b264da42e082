//! One picture of a film as a JPEG, not a black one when that can be helped.

use spool_media_protocol::{
    Message, RefusalCode, TICKS_PER_SECOND, ThumbnailPicture, ThumbnailTask, ticks_to_ms,
};

use crate::av::{Encoder, Frame, JpegSettings, Packet};
use crate::film::Film;
use crate::filters;
use crate::output::Output;
use crate::stop::Stop;

/// Brighter than this on average is no black frame (16 is black).
const BRIGHT_ENOUGH: u32 = 36;
const PICTURES_LOOKED_AT: usize = 6;
/// How much is read in search of them.
const PACKETS_MAX: u32 = 6000;
const BYTES_MAX: u64 = 96 << 20;

pub fn run(task: &ThumbnailTask, output: &mut Output) -> Result<(), Stop> {
    let mut film = Film::open(&task.limits)?;
    output.message(&Message::Probed(Box::new(film.probe.clone())), &[])?;
    film.keep_only(true, false);
    let at_ms = task
        .at_ms
        .unwrap_or(film.probe.duration_ms / 10)
        .min(film.probe.duration_ms);
    let at_ticks = at_ms.saturating_mul(TICKS_PER_SECOND) / 1000;
    film.go_near(at_ticks)?;
    let mut best = brightest(&film_pictures(&mut film)?);
    if best.is_none() {
        film.rewind()?;
        film.keep_only(true, false);
        best = brightest(&film_pictures(&mut film)?);
    }
    let frame = best.ok_or_else(|| {
        Stop::refuse(
            RefusalCode::NothingDecodable,
            "No picture of this film could be decoded.",
        )
    })??;
    send(&film, frame, task.width, output)?;
    output.finish(film.probe.duration_ms)?;
    Ok(())
}

/// A few keyframes from here on; ends at the first bright one.
fn film_pictures(film: &mut Film) -> Result<Vec<Frame>, Stop> {
    let mut decoder = film.video_decoder(1, true)?;
    let (mut packet, mut frame) = (Packet::new()?, Frame::new()?);
    let (mut found, mut bytes) = (Vec::new(), 0);
    for _ in 0..PACKETS_MAX {
        let more = bytes < BYTES_MAX && film.read(&mut packet)?;
        bytes += packet.data().len() as u64;
        // Damage is passed over: any other picture will do.
        let sent = decoder.send(more.then_some(&packet));
        while sent.is_ok() && matches!(decoder.receive(&mut frame), Ok(true)) {
            let bright = film.video.rgb || frame.brightness() > BRIGHT_ENOUGH;
            found.push(frame.share()?);
            if bright || found.len() == PICTURES_LOOKED_AT {
                return Ok(found);
            }
        }
        if !more {
            break;
        }
    }
    Ok(found)
}

fn brightest(found: &[Frame]) -> Option<Result<Frame, Stop>> {
    found
        .iter()
        .max_by_key(|frame| frame.brightness())
        .map(|frame| frame.share().map_err(Stop::from))
}

fn send(film: &Film, mut frame: Frame, longest: u32, output: &mut Output) -> Result<(), Stop> {
    let time = frame.best_time().or(frame.pts()).unwrap_or(film.start.time);
    let at_ms = ticks_to_ms(film.video_ticks(time).max(0).cast_unsigned());
    let (width, height) = size(
        film.probe.video.width,
        film.probe.video.height,
        longest.clamp(16, 4096),
    );
    frame.set_pts(0);
    let mut graph = filters::thumbnail(frame.picture_shape(), &film.video, width, height)?;
    graph.send(Some(&mut frame))?;
    graph.send(None)?;
    let mut scaled = Frame::new()?;
    let broken = || Stop::fail("internal", "No thumbnail could be made.", true);
    if !graph.receive(0, &mut scaled)? {
        return Err(broken());
    }
    let mut encoder = Encoder::jpeg(JpegSettings {
        width,
        height,
        quantizer: 4,
    })?;
    scaled.set_pts(0);
    encoder.send(Some(&mut scaled))?;
    encoder.send(None)?;
    let mut packet = Packet::new()?;
    if !encoder.receive(&mut packet)? {
        return Err(broken());
    }
    output.message(
        &Message::Thumbnail(ThumbnailPicture { width, height, at_ms }),
        &[packet.data()],
    )?;
    Ok(())
}

/// The film's shape with its longer side at most `longest`, never enlarged, even.
fn size(width: u32, height: u32, longest: u32) -> (u32, u32) {
    let scale = (f64::from(longest) / f64::from(width.max(height))).min(1.0);
    let even = |side: u32| (((f64::from(side) * scale / 2.0).round() as u32) * 2).max(2);
    (even(width), even(height))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_thumbnail_keeps_the_shape_and_is_never_enlarged() {
        assert_eq!(size(1920, 1080, 640), (640, 360));
        assert_eq!(size(1080, 1920, 640), (360, 640));
        assert_eq!(size(170, 120, 640), (170, 120));
        assert_eq!(size(853, 479, 640), (640, 360));
    }
}
