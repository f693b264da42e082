//! CMAF: the init segment of a track and its media segments, written box by box.
//!
//! Written here rather than by FFmpeg's muxer so that time is exact: every segment's decode time is the time of its
//! first picture, whatever the encoder's delay, on every rung and in every attempt. Pictures are stored in decode
//! order; the n-th is decoded at the n-th smallest presentation time and shown a fixed delay later than its own, which
//! an edit list takes off again. So no composition offset is negative, and time 0 is the first picture in every player.

/// What an init segment describes.
pub enum Track<'a> {
    Video {
        width: u32,
        height: u32,
        sample_aspect: (u32, u32),
        configuration: &'a [u8],
        bt709: bool,
    },
    Audio {
        channels: u32,
        sample_rate: u32,
        configuration: &'a [u8],
        bit_rate: u32,
    },
}

pub struct Sample {
    pub bytes: u32,
    /// Presentation time in ticks.
    pub pts: u64,
    pub is_key: bool,
}

/// A finished segment: a header (`styp`, `moof`, start of `mdat`) and the samples' bytes.
pub struct MediaSegment {
    pub index: u32,
    pub start_ticks: u64,
    pub duration_ticks: u64,
    pub frames: u32,
    pub bytes: [Vec<u8>; 2],
}

/// `ftyp` and `moov`. `delay` is that of [`media_segment`].
pub fn init_segment(track: &Track<'_>, timescale: u32, delay: u32) -> Vec<u8> {
    let mut out = Boxes::default();
    out.boxed(b"ftyp", |out| {
        out.bytes(b"iso6")
            .u32(0)
            .bytes(b"iso6")
            .bytes(b"cmfc")
            .bytes(b"mp41");
    });
    out.boxed(b"moov", |out| {
        movie_header(out);
        out.boxed(b"trak", |out| {
            track_header(out, track);
            if delay > 0 {
                out.boxed(b"edts", |out| {
                    out.full(b"elst", 0, 0, |out| {
                        out.u32(1).u32(0).u32(delay).u32(0x1_0000);
                    });
                });
            }
            out.boxed(b"mdia", |out| media(out, track, timescale));
        });
        out.boxed(b"mvex", |out| {
            out.full(b"trex", 0, 0, |out| {
                out.u32(1).u32(1).u32(0).u32(0).u32(0);
            });
        });
    });
    out.0
}

/// One segment from samples in decode order. `end_ticks` is where the next segment starts; `delay` is how much later
/// than decoded a picture is shown, at least as long as the pictures that are reordered take.
pub fn media_segment(
    index: u32,
    samples: &[Sample],
    end_ticks: u64,
    delay: u32,
    data: Vec<u8>,
) -> MediaSegment {
    let delay = u64::from(delay);
    let decode_times = decode_times(samples, end_ticks, delay);
    let start = decode_times[0];
    let mut out = Boxes::default();
    out.boxed(b"styp", |out| {
        out.bytes(b"cmfs").u32(0).bytes(b"cmfs").bytes(b"iso6");
    });
    let moof_at = out.0.len();
    let mut offset_at = 0;
    out.boxed(b"moof", |out| {
        out.full(b"mfhd", 0, 0, |out| {
            out.u32(index + 1);
        });
        out.boxed(b"traf", |out| {
            // default-base-is-moof
            out.full(b"tfhd", 0, 0x02_0000, |out| {
                out.u32(1);
            });
            out.full(b"tfdt", 1, 0, |out| {
                out.u64(start);
            });
            // data offset, and of each sample duration, size, flags and composition offset
            out.full(b"trun", 0, 0x0f01, |out| {
                out.u32(samples.len() as u32);
                offset_at = out.0.len();
                out.u32(0);
                for (sample, times) in samples.iter().zip(decode_times.windows(2)) {
                    let duration = times[1].saturating_sub(times[0]).min(u64::from(u32::MAX)) as u32;
                    let composition_offset = (sample.pts + delay)
                        .saturating_sub(times[0])
                        .min(u64::from(u32::MAX)) as u32;
                    let flags = if sample.is_key { 0x0200_0000 } else { 0x0101_0000 };
                    out.u32(duration)
                        .u32(sample.bytes)
                        .u32(flags)
                        .u32(composition_offset);
                }
            });
        });
    });
    let offset = (out.0.len() - moof_at + 8) as u32;
    out.0[offset_at..offset_at + 4].copy_from_slice(&offset.to_be_bytes());
    out.u32(data.len() as u32 + 8).bytes(b"mdat");
    MediaSegment {
        index,
        start_ticks: start,
        duration_ticks: end_ticks.saturating_sub(start),
        frames: samples.len() as u32,
        bytes: [out.0, data],
    }
}

/// When each sample is decoded, and the end of the last: rising, from the start to the end of the segment.
///
/// Where pictures are far apart the delay may be too short for the regular times; those are then decoded earlier.
fn decode_times(samples: &[Sample], end_ticks: u64, delay: u64) -> Vec<u64> {
    let mut times: Vec<u64> = samples.iter().map(|sample| sample.pts).collect();
    times.sort_unstable();
    times.push(end_ticks);
    let mut earliest_shown = u64::MAX;
    for (n, sample) in samples.iter().enumerate().rev() {
        earliest_shown = earliest_shown.min(sample.pts);
        if n > 0 {
            times[n] = times[n]
                .min(earliest_shown + delay)
                .min(times[n + 1].saturating_sub(1))
                .max(times[0]);
        }
    }
    times
}

/// Bytes that grow by boxes, each of which learns its size when it is done.
#[derive(Default)]
struct Boxes(Vec<u8>);

impl Boxes {
    fn boxed(&mut self, kind: &[u8; 4], contents: impl FnOnce(&mut Boxes)) {
        let start = self.0.len();
        self.u32(0).bytes(kind);
        contents(self);
        let size = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, contents: impl FnOnce(&mut Boxes)) {
        self.boxed(kind, |out| {
            out.u32(u32::from(version) << 24 | flags);
            contents(out);
        });
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn zeros(&mut self, count: usize) -> &mut Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    fn u16(&mut self, value: u32) -> &mut Self {
        self.bytes(&(value as u16).to_be_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    fn matrix(&mut self) -> &mut Self {
        for value in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000] {
            self.u32(value);
        }
        self
    }
}

fn movie_header(out: &mut Boxes) {
    out.full(b"mvhd", 0, 0, |out| {
        out.u32(0)
            .u32(0)
            .u32(1000)
            .u32(0)
            .u32(0x1_0000)
            .u16(0x100)
            .zeros(10)
            .matrix()
            .zeros(24)
            .u32(2);
    });
}

fn track_header(out: &mut Boxes, track: &Track<'_>) {
    // enabled, in movie
    out.full(b"tkhd", 0, 3, |out| {
        out.u32(0).u32(0).u32(1).u32(0).u32(0).zeros(8).u16(0).u16(0);
        match track {
            Track::Video {
                width,
                height,
                sample_aspect,
                ..
            } => {
                let shown = u64::from(*width) * u64::from(sample_aspect.0) * 0x1_0000
                    / u64::from(sample_aspect.1.max(1));
                out.u16(0).u16(0).matrix().u32(shown as u32).u32(height << 16);
            }
            Track::Audio { .. } => {
                out.u16(0x100).u16(0).matrix().u32(0).u32(0);
            }
        }
    });
}

fn media(out: &mut Boxes, track: &Track<'_>, timescale: u32) {
    let is_video = matches!(track, Track::Video { .. });
    out.full(b"mdhd", 0, 0, |out| {
        // language: und
        out.u32(0).u32(0).u32(timescale).u32(0).u16(0x55c4).u16(0);
    });
    out.full(b"hdlr", 0, 0, |out| {
        out.u32(0)
            .bytes(if is_video { b"vide" } else { b"soun" })
            .zeros(12)
            .bytes(b"Spool\0");
    });
    out.boxed(b"minf", |out| {
        if is_video {
            out.full(b"vmhd", 0, 1, |out| {
                out.zeros(8);
            });
        } else {
            out.full(b"smhd", 0, 0, |out| {
                out.zeros(4);
            });
        }
        out.boxed(b"dinf", |out| {
            out.full(b"dref", 0, 0, |out| {
                out.u32(1).full(b"url ", 0, 1, |_| {});
            });
        });
        out.boxed(b"stbl", |out| {
            out.full(b"stsd", 0, 0, |out| {
                out.u32(1);
                sample_entry(out, track);
            });
            for kind in [b"stts", b"stsc", b"stco"] {
                out.full(kind, 0, 0, |out| {
                    out.u32(0);
                });
            }
            out.full(b"stsz", 0, 0, |out| {
                out.u32(0).u32(0);
            });
        });
    });
}

fn sample_entry(out: &mut Boxes, track: &Track<'_>) {
    match track {
        Track::Video {
            width,
            height,
            sample_aspect,
            configuration,
            bt709,
        } => out.boxed(b"avc1", |out| {
            out.zeros(6)
                .u16(1)
                .zeros(16)
                .u16(*width)
                .u16(*height)
                .u32(0x48_0000)
                .u32(0x48_0000)
                .u32(0)
                .u16(1);
            out.zeros(32).u16(24).u16(0xffff);
            out.boxed(b"avcC", |out| {
                out.bytes(configuration);
            });
            if *bt709 {
                out.boxed(b"colr", |out| {
                    out.bytes(b"nclx").u16(1).u16(1).u16(1).bytes(&[0]);
                });
            }
            out.boxed(b"pasp", |out| {
                out.u32(sample_aspect.0).u32(sample_aspect.1);
            });
        }),
        Track::Audio {
            channels,
            sample_rate,
            configuration,
            bit_rate,
        } => out.boxed(b"mp4a", |out| {
            out.zeros(6)
                .u16(1)
                .zeros(8)
                .u16(*channels)
                .u16(16)
                .u32(0)
                .u32(sample_rate.min(&0xffff) << 16);
            out.full(b"esds", 0, 0, |out| {
                elementary_stream(out, configuration, *bit_rate)
            });
        }),
    }
}

/// ES, decoder configuration, AudioSpecificConfig and SL descriptors, inside each other.
fn elementary_stream(out: &mut Boxes, configuration: &[u8], bit_rate: u32) {
    let specific = configuration.len() as u8;
    let decoder = 13 + 2 + specific;
    let whole = 3 + 2 + decoder + 3;
    out.bytes(&[3, whole, 0, 1, 0]);
    // AAC, an audio stream
    out.bytes(&[4, decoder, 0x40, 0x15, 0, 0, 0])
        .u32(bit_rate)
        .u32(bit_rate);
    out.bytes(&[5, specific]).bytes(configuration);
    out.bytes(&[6, 1, 2]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shown: &[u64], end: u64, delay: u32, durations_and_offsets: &[(u32, u32)]) {
        let samples: Vec<Sample> = shown
            .iter()
            .enumerate()
            .map(|(n, &pts)| Sample {
                bytes: 1,
                pts,
                is_key: n == 0,
            })
            .collect();
        let segment = media_segment(3, &samples, end, delay, vec![0; shown.len()]);
        assert_eq!(
            (segment.start_ticks, segment.duration_ticks),
            (shown[0], end - shown[0])
        );
        let header = &segment.bytes[0];
        let trun = header
            .windows(4)
            .position(|kind| kind == b"trun")
            .expect("has a trun")
            + 16;
        let words: Vec<u32> = header[trun..trun + 16 * shown.len()]
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let found: Vec<(u32, u32)> = words.chunks_exact(4).map(|row| (row[0], row[3])).collect();
        assert_eq!(found, durations_and_offsets);
    }

    #[test]
    fn pictures_are_decoded_at_regular_times_and_shown_the_delay_after_their_own() {
        check(
            &[9000, 9300, 9100, 9200],
            9400,
            100,
            &[(100, 100), (100, 300), (100, 0), (100, 0)],
        );
    }

    #[test]
    fn a_hole_longer_than_the_delay_makes_decoding_earlier_never_showing_later() {
        check(&[0, 9000, 100], 9100, 100, &[(100, 100), (100, 9000), (8900, 0)]);
        check(&[0, 200, 100], 300, 0, &[(99, 0), (1, 101), (200, 0)]);
    }

    #[test]
    fn the_data_offset_points_behind_the_header_of_mdat() {
        let segment = media_segment(
            0,
            &[Sample {
                bytes: 3,
                pts: 0,
                is_key: true,
            }],
            10,
            0,
            vec![7, 8, 9],
        );
        let whole = segment.bytes.concat();
        let moof = whole
            .windows(4)
            .position(|kind| kind == b"moof")
            .expect("has a moof")
            - 4;
        let trun = whole
            .windows(4)
            .position(|kind| kind == b"trun")
            .expect("has a trun")
            + 12;
        let offset =
            u32::from_be_bytes([whole[trun], whole[trun + 1], whole[trun + 2], whole[trun + 3]]) as usize;
        assert_eq!(whole[moof + offset..], [7, 8, 9]);
    }
}
