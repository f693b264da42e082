//! The container's own index of keyframes, and which of them begin a segment when the source is copied.

use spool_media_protocol::{Container, KeyframeSummary, plan_cuts};

use crate::av::{Input, Packet, Rational, StreamInfo};

const MILLISECONDS: Rational = Rational { num: 1, den: 1000 };

pub struct Cuts {
    /// Times of the keyframes that begin a segment, as the index has them.
    times: Vec<i64>,
    /// The index has decode times (MP4) or presentation times (Matroska).
    by_decode_time: bool,
    pub summary: KeyframeSummary,
    /// From the first keyframe to the end of the last picture in the index that is inside the file.
    pub measured_ms: u64,
    /// The index speaks of bytes behind the end of the file.
    pub is_cut_off: bool,
}

impl Cuts {
    /// Reads no media data. None: the container has no index, or one that does not begin at the beginning.
    pub fn from_index(input: &mut Input, container: Container, video: &StreamInfo) -> Option<Cuts> {
        if !matches!(container, Container::Mp4 | Container::Matroska) {
            return None;
        }
        if container == Container::Matroska {
            // Its index is only read when somebody seeks.
            input.seek(video.index, video.start.unwrap_or(0)).ok()?;
        }
        let entries = input.index(video.index);
        let file_bytes = input.bytes();
        let inside: Vec<_> = entries
            .iter()
            .filter(|entry| entry.end_byte <= file_bytes)
            .collect();
        let keyframes: Vec<i64> = inside
            .iter()
            .filter(|entry| entry.is_key && !entry.is_discarded)
            .map(|entry| entry.time)
            .collect();
        let &first = keyframes.first()?;
        let to_ms = |time: i64| {
            video
                .time_base
                .rescale(time.saturating_sub(first), MILLISECONDS)
                .max(0)
                .cast_unsigned()
        };
        let is_cut_off = container == Container::Mp4 && inside.len() < entries.len();
        let declared = video
            .duration
            .or(input.duration_us().map(|us| in_time_base(us, video)))
            .unwrap_or(0);
        let last_inside = inside.last().map_or(0, |entry| to_ms(entry.time));
        let every_picture_indexed = container == Container::Mp4;
        let end_ms = match every_picture_indexed && is_cut_off {
            true => last_inside,
            false => to_ms(first.saturating_add(declared)).max(last_inside + 1),
        };
        let keyframes_ms: Vec<u64> = keyframes.iter().map(|&time| to_ms(time)).collect();
        let planned = plan_cuts(&keyframes_ms, end_ms);
        let last_key_ms = keyframes_ms.last().copied().unwrap_or(0);
        let summary = KeyframeSummary {
            count: keyframes.len() as u32,
            complete: planned.is_some() || (entries.len() > 1 && end_ms.saturating_sub(last_key_ms) < 30_000),
            segments: planned.as_ref().map(|cuts| cuts.len() as u32),
        };
        let times = planned
            .unwrap_or_default()
            .into_iter()
            .map(|cut| keyframes[cut])
            .collect();
        Some(Cuts {
            times,
            by_decode_time: every_picture_indexed,
            summary,
            measured_ms: end_ms,
            is_cut_off,
        })
    }

    /// Itself, when there is a plan.
    pub fn planned(self) -> Option<Cuts> {
        (!self.times.is_empty()).then_some(self)
    }

    /// The segment that a packet of the video track begins.
    pub fn begins(&self, packet: &Packet) -> Option<u32> {
        if !packet.is_key() {
            return None;
        }
        let time = if self.by_decode_time {
            packet.dts()
        } else {
            packet.pts()
        }?;
        self.times.binary_search(&time).ok().map(|index| index as u32)
    }

    /// Roughly when a segment begins, in ticks.
    pub fn start_ticks(&self, segment: u32, video: &StreamInfo) -> u64 {
        let time = self.times.get(segment as usize).or(self.times.last());
        let (Some(&first), Some(&time)) = (self.times.first(), time) else {
            return 0;
        };
        video
            .time_base
            .rescale(time - first, Rational::TICKS)
            .max(0)
            .cast_unsigned()
    }
}

fn in_time_base(microseconds: i64, video: &StreamInfo) -> i64 {
    Rational {
        num: 1,
        den: 1_000_000,
    }
    .rescale(microseconds, video.time_base)
}
