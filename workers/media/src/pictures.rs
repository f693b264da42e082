//! Decoded pictures on the film's own clock: from 0, rising, at most 60 a second, without absurd holes.

use spool_media_protocol::{RefusalCode, TICKS_PER_SECOND};

use crate::av::{Decoder, Frame, Packet, Rational};
use crate::film::{self, Film};
use crate::stop::Stop;

pub struct Pictures {
    decoder: Decoder,
    frame: Frame,
    last_ticks: Option<u64>,
    /// Where the last picture ends.
    end_ticks: u64,
    frames: u64,
    errors: u64,
    /// Above 60 a second, only the first picture of each 60th is kept.
    halve: bool,
    nominal_ticks: u64,
}

impl Pictures {
    pub fn new(film: &Film) -> Result<Pictures, Stop> {
        Ok(Pictures {
            decoder: film.video_decoder(0, false)?,
            frame: Frame::new()?,
            last_ticks: None,
            end_ticks: 0,
            frames: 0,
            errors: 0,
            halve: film.probe.video.frame_rate > 61.0,
            nominal_ticks: film.nominal_frame_ticks(),
        })
    }

    /// Decodes a packet (none: the end) and hands each picture to `each`, with its `pts` in ticks.
    pub fn decode(
        &mut self,
        film: &Film,
        packet: Option<&Packet>,
        mut each: impl FnMut(Frame) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        match self.decoder.send(packet) {
            Ok(()) => {}
            Err(error) if error.is_out_of_memory() => return Err(error.into()),
            Err(_) => self.errors += 1,
        }
        loop {
            match self.decoder.receive(&mut self.frame) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if error.is_out_of_memory() => return Err(error.into()),
                Err(_) => {
                    self.errors += 1;
                    return Ok(());
                }
            }
            if let Some(ticks) = self.place(film)? {
                let mut frame = self.frame.share()?;
                frame.set_pts(ticks.cast_signed());
                each(frame)?;
            }
        }
    }

    /// When the picture is shown; none: not at all.
    fn place(&mut self, film: &Film) -> Result<Option<u64>, Stop> {
        self.check_limits(film)?;
        let next = self.last_ticks.map_or(0, |last| last + self.nominal_ticks);
        let ticks = match self.frame.best_time().or(self.frame.pts()) {
            Some(time) => film.video_ticks(time),
            None => next.cast_signed(),
        };
        let Ok(ticks) = u64::try_from(ticks) else {
            return Ok(None);
        };
        if let Some(last) = self.last_ticks {
            let gap_ticks_max = film.limits.gap_ms_max.saturating_mul(TICKS_PER_SECOND) / 1000;
            if ticks > last + gap_ticks_max {
                return Err(Stop::refuse(
                    RefusalCode::GapTooLong,
                    "The film has a hole in it: more than ten minutes pass between two pictures.",
                ));
            }
            let sixtieth = |ticks: u64| (ticks * 60 + 60) / TICKS_PER_SECOND;
            if ticks <= last || (self.halve && sixtieth(ticks) == sixtieth(last)) {
                return Ok(None);
            }
        }
        if ticks > film.limits.duration_ms_max.saturating_mul(TICKS_PER_SECOND) / 1000 {
            return Err(film::too_long(&film.limits));
        }
        let stated = film
            .video
            .time_base
            .rescale(self.frame.duration(), Rational::TICKS)
            .cast_unsigned();
        let lasts = if (1..=10 * TICKS_PER_SECOND).contains(&stated) {
            stated
        } else {
            self.nominal_ticks
        };
        self.last_ticks = Some(ticks);
        self.end_ticks = ticks + lasts;
        Ok(Some(ticks))
    }

    fn check_limits(&mut self, film: &Film) -> Result<(), Stop> {
        self.frames += 1;
        if self.frames > film.limits.frames_max {
            return Err(Stop::refuse(
                RefusalCode::TooManyFrames,
                format!("The film has more than {} pictures.", film.limits.frames_max),
            ));
        }
        let shape = self.frame.picture_shape();
        if u64::from(shape.width) * u64::from(shape.height) > film.limits.pixels_max {
            return Err(film::too_many_pixels(shape.width, shape.height));
        }
        Ok(())
    }

    /// The time of the last picture; none before the first.
    pub fn last_ticks(&self) -> Option<u64> {
        self.last_ticks
    }

    pub fn end_ticks(&self) -> u64 {
        self.end_ticks
    }

    pub fn was_damaged(&self) -> bool {
        self.errors > 0
    }
}
