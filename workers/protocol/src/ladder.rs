//! Which renditions a film gets.

use serde::{Deserialize, Serialize};

use crate::{CutBy, Probe};

/// The short sides, lowest first. A portrait film's 360p is 360x640.
const SHORT_SIDES: [u32; 4] = [360, 480, 720, 1080];
/// A source above this many bits per second is no rung: few people could stream it.
const SOURCE_RUNG_BIT_RATE_MAX: u64 = 16_000_000;
/// Nor is it worth publishing for the first minutes above this.
const SOURCE_BIT_RATE_MAX: u64 = 60_000_000;
const SOURCE_RUNG_SHORT_SIDE_MAX: u32 = 1080;
const SOURCE_SHORT_SIDE_MAX: u32 = 2160;

/// One video rendition to encode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// `360p`: the short side.
    pub name: String,
    /// Even, never larger than the source.
    pub width: u32,
    pub height: u32,
    /// Makes the display aspect the same on every rung, whatever rounding to even sizes did.
    pub sample_aspect: (u32, u32),
    pub crf: u32,
    /// Bits per second, over [`Rung::buffer_bits`].
    pub bit_rate_max: u64,
    pub buffer_bits: u64,
}

/// What the copied source is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceUse {
    /// Not browser-safe: never sent as it is.
    None,
    /// Published at once so that playback can begin, replaced by the ladder.
    FirstMinutes { name: String },
    /// A rendition like the others; they take its segment times.
    Rung { name: String },
}

/// Everything a film gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub source: SourceUse,
    /// To encode, lowest first; the first of them is the lane that is encoded alone and published early. Empty when
    /// the source itself is the only rung.
    pub rungs: Vec<Rung>,
    pub cut: CutBy,
}

/// All rungs of a film when every one is encoded, lowest first; at least one.
pub fn ladder(probe: &Probe) -> Vec<Rung> {
    let (width, height) = (probe.video.width, probe.video.height);
    let short = width.min(height);
    let rungs: Vec<Rung> = SHORT_SIDES
        .into_iter()
        .filter(|&side| side <= short)
        .map(|side| rung(width, height, side))
        .collect();
    if rungs.is_empty() {
        vec![rung(width, height, (short & !1).max(2))]
    } else {
        rungs
    }
}

/// What is copied, what is encoded and where segments begin.
pub fn plan(probe: &Probe) -> Plan {
    let source = source_use(probe);
    let mut rungs = ladder(probe);
    let cut = match &source {
        SourceUse::Rung { name } => {
            rungs.retain(|rung| rung.name != *name);
            CutBy::SourceKeyframes
        }
        SourceUse::FirstMinutes { .. } | SourceUse::None => CutBy::Grid,
    };
    Plan { source, rungs, cut }
}

fn source_use(probe: &Probe) -> SourceUse {
    let short = probe.video.width.min(probe.video.height);
    let bit_rate = probe.video.bit_rate.unwrap_or(probe.bit_rate);
    if !probe.browser_safe_video || short > SOURCE_SHORT_SIDE_MAX || bit_rate > SOURCE_BIT_RATE_MAX {
        return SourceUse::None;
    }
    let fits = short <= SOURCE_RUNG_SHORT_SIDE_MAX && bit_rate <= SOURCE_RUNG_BIT_RATE_MAX;
    match probe.keyframes.segments {
        Some(_) if fits => SourceUse::Rung {
            name: format!("{short}p"),
        },
        _ => SourceUse::FirstMinutes {
            name: "source".to_owned(),
        },
    }
}

fn rung(width: u32, height: u32, short_side: u32) -> Rung {
    let short = width.min(height);
    let scaled = |side: u32| {
        let (side, short) = (u64::from(side) * u64::from(short_side), u64::from(short));
        let nearest_half = ((side + short) / (2 * short)).max(1);
        u32::try_from(nearest_half * 2).expect("a rung is no larger than its source")
    };
    let (rung_width, rung_height) = (scaled(width), scaled(height));
    let (bit_rate_max, crf) = rate(short_side);
    Rung {
        name: format!("{short_side}p"),
        width: rung_width,
        height: rung_height,
        sample_aspect: reduced(
            u64::from(width) * u64::from(rung_height),
            u64::from(height) * u64::from(rung_width),
        ),
        crf,
        bit_rate_max,
        buffer_bits: bit_rate_max * 2,
    }
}

fn rate(short_side: u32) -> (u64, u32) {
    match short_side {
        0..=239 => (400_000, 23),
        240..=419 => (900_000, 23),
        420..=599 => (1_600_000, 23),
        600..=899 => (3_200_000, 23),
        _ => (6_000_000, 23),
    }
}

fn reduced(numerator: u64, denominator: u64) -> (u32, u32) {
    let divisor = greatest_common_divisor(numerator, denominator).max(1);
    let (mut numerator, mut denominator) = (numerator / divisor, denominator / divisor);
    while numerator > 0xffff || denominator > 0xffff {
        numerator = (numerator / 2).max(1);
        denominator = (denominator / 2).max(1);
    }
    let small = |n: u64| u32::try_from(n).expect("halved until it fits 16 bits");
    (small(numerator), small(denominator))
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Container, KeyframeSummary, VideoInfo};

    fn film(width: u32, height: u32) -> Probe {
        Probe {
            container: Container::Mp4,
            file_bytes: 1_000_000,
            duration_ms: 10_000,
            duration_is_estimate: false,
            bit_rate: 800_000,
            video: VideoInfo {
                codec: "h264".into(),
                profile: None,
                pixel_format: "yuv420p".into(),
                coded_width: width,
                coded_height: height,
                width,
                height,
                rotation: 0,
                mirrored: false,
                sample_aspect: (1, 1),
                frame_rate: 25.0,
                interlaced: false,
                hdr: false,
                bit_rate: None,
            },
            audio: None,
            audio_tracks: 0,
            browser_safe_video: true,
            browser_unsafe_because: Vec::new(),
            browser_safe_audio: false,
            keyframes: KeyframeSummary {
                count: 3,
                complete: true,
                segments: Some(3),
            },
            warnings: Vec::new(),
        }
    }

    fn check(width: u32, height: u32, expected: &[(&str, u32, u32)]) {
        let rungs = ladder(&film(width, height));
        let got: Vec<_> = rungs
            .iter()
            .map(|rung| (rung.name.as_str(), rung.width, rung.height))
            .collect();
        assert_eq!(got, expected);
        for rung in &rungs {
            let aspect =
                f64::from(rung.width * rung.sample_aspect.0) / f64::from(rung.height * rung.sample_aspect.1);
            assert!(
                (aspect - f64::from(width) / f64::from(height)).abs() < 1e-3,
                "{rung:?}"
            );
        }
    }

    #[test]
    fn a_full_hd_film_gets_four_rungs() {
        check(
            1920,
            1080,
            &[
                ("360p", 640, 360),
                ("480p", 854, 480),
                ("720p", 1280, 720),
                ("1080p", 1920, 1080),
            ],
        );
    }

    #[test]
    fn a_4k_film_stops_at_1080p() {
        assert_eq!(
            ladder(&film(3840, 2160)).last().map(|rung| rung.height),
            Some(1080)
        );
    }

    #[test]
    fn a_portrait_film_goes_by_its_short_side() {
        check(
            1080,
            1920,
            &[
                ("360p", 360, 640),
                ("480p", 480, 854),
                ("720p", 720, 1280),
                ("1080p", 1080, 1920),
            ],
        );
    }

    #[test]
    fn an_odd_height_becomes_even() {
        check(720, 405, &[("360p", 640, 360)]);
        check(853, 479, &[("360p", 642, 360)]);
    }

    #[test]
    fn a_small_film_gets_one_rung_of_its_own_size() {
        check(170, 120, &[("120p", 170, 120)]);
        check(321, 241, &[("240p", 320, 240)]);
    }

    #[test]
    fn a_copied_source_takes_the_place_of_its_rung() {
        let plan = plan(&film(1280, 720));
        assert_eq!(plan.source, SourceUse::Rung { name: "720p".into() });
        assert_eq!(
            plan.rungs
                .iter()
                .map(|rung| rung.name.as_str())
                .collect::<Vec<_>>(),
            ["360p", "480p"]
        );
        assert_eq!(plan.cut, CutBy::SourceKeyframes);
    }

    #[test]
    fn a_source_with_far_keyframes_is_published_for_the_first_minutes_only() {
        let mut film = film(1280, 720);
        film.keyframes.segments = None;
        let plan = plan(&film);
        assert_eq!(
            plan.source,
            SourceUse::FirstMinutes {
                name: "source".into()
            }
        );
        assert_eq!(plan.rungs.len(), 3);
        assert_eq!(plan.cut, CutBy::Grid);
    }
}
