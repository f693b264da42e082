//! Damaged films are made as far as they go or refused; they never bring the process down.

mod shelf;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use spool_media_protocol::{
    AudioTask, CutBy, EncodeTask, Limits, RemuxTask, Rung, RungTask, Task, ThumbnailTask,
};

use shelf::media;

const FILMS: [&str; 7] = [
    "h264_aac.ts",
    "mediarecorder_like_noduration.webm",
    "multi_audio_subs_chapters.mkv",
    "odd_853x479_yuv444.mp4",
    "hdr10_hevc_10bit.mp4",
    "animated.gif",
    "one_frame.mp4",
];
const CASES: u64 = 40;

/// xorshift: the same damage for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn damage(film: &mut Vec<u8>, dice: &mut Dice) {
    let length = film.len();
    match dice.below(4) {
        0 => {
            let within = [length, length.min(3000)][dice.below(2)];
            for _ in 0..[1, 10, 100, 1000][dice.below(4)] {
                film[dice.below(within)] = dice.below(256) as u8;
            }
        }
        1 => film.truncate(dice.below(length)),
        2 => {
            let from = dice.below(length);
            film.drain(from..(from + dice.below(20_000)).min(length));
        }
        _ => {
            let (from, to) = (dice.below(length), dice.below(length));
            let again = film[from..(from + dice.below(50_000)).min(length)].to_vec();
            film.splice(to..to, again);
        }
    }
}

fn task(dice: &mut Dice) -> Task {
    let limits = Limits {
        cpu_seconds_max: 60,
        ..Limits::default()
    };
    let audio = Some(AudioTask::default());
    match dice.below(3) {
        0 => Task::Remux(RemuxTask {
            limits,
            audio,
            limit_ms: 120_000,
            ..RemuxTask::default()
        }),
        1 => Task::Thumbnail(ThumbnailTask {
            limits,
            width: 320,
            at_ms: None,
        }),
        _ => {
            let rung = Rung {
                name: "120p".into(),
                width: 214,
                height: 120,
                sample_aspect: (1, 1),
                crf: 30,
                bit_rate_max: 200_000,
                buffer_bits: 400_000,
            };
            let rungs = vec![RungTask {
                rung,
                start_segment: 0,
            }];
            Task::Encode(EncodeTask {
                limits,
                rungs,
                audio,
                cut: CutBy::Grid,
                encoder_threads: 0,
            })
        }
    }
}

#[test]
fn damaged_films_are_made_or_refused_and_never_crash_the_process() {
    let seed: u64 = std::env::var("SPOOL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_260_311);
    println!("seed {seed} (SPOOL_SEED)");
    let films = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/films");
    let room = tempfile::tempdir().expect("there is a folder for temporary files");
    let broken = room.path().join("film");
    for case in 0..CASES {
        let mut dice = Dice((seed ^ case).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let name = FILMS[dice.below(FILMS.len())];
        let mut film = fs::read(films.join(name)).expect("the films are there");
        damage(&mut film, &mut dice);
        fs::write(&broken, &film).expect("the folder is ours");
        let task = task(&mut dice);
        let began = Instant::now();
        let answer = media::run(&task, &broken);
        let ended_well = answer.finished.is_some() || answer.refused.is_some();
        assert!(
            ended_well,
            "case {case} of seed {seed}, {name}: {:?} {:?}",
            answer.failed, answer.status
        );
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "case {case} of seed {seed}, {name}: too slow"
        );
    }
}
