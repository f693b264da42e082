//! Mends the clock of broadcast streams, which may jump when recordings are joined.

use spool_media_protocol::Container;

use crate::av::{Packet, Rational};

/// A jump larger than this, forward or back, is a new clock and not a pause.
const JUMP_US: i64 = 10_000_000;
const MICROSECONDS: Rational = Rational {
    num: 1,
    den: 1_000_000,
};

pub struct Clock {
    jumps: bool,
    shift_us: i64,
    last_us: Option<i64>,
}

impl Clock {
    pub fn new(container: Container) -> Self {
        let jumps = matches!(container, Container::MpegTs | Container::MpegPs);
        Clock {
            jumps,
            shift_us: 0,
            last_us: None,
        }
    }

    /// Moves a packet's times so that they go on from those before it.
    pub fn mend(&mut self, packet: &mut Packet, time_base: Rational) {
        if !self.jumps {
            return;
        }
        let Some(time) = packet.dts().or(packet.pts()) else {
            return;
        };
        let time_us = time_base.rescale(time, MICROSECONDS);
        if let Some(last_us) = self.last_us {
            let ahead = time_us.saturating_add(self.shift_us).saturating_sub(last_us);
            if ahead.abs() > JUMP_US {
                self.shift_us -= ahead;
            }
        }
        self.last_us = Some(time_us.saturating_add(self.shift_us));
        if self.shift_us != 0 {
            packet.shift(MICROSECONDS.rescale(self.shift_us, time_base));
        }
    }
}
