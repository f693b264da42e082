//! A later attempt goes on exactly where an earlier one stopped, and all rungs share their segments.

mod shelf;

use spool_media_protocol::{
    AUDIO_RENDITION, AudioTask, CutBy, EncodeTask, Limits, Probe, RemuxTask, RungTask, SourceUse, Task,
    ladder, plan,
};

use shelf::media::{Answer, Rendition};
use shelf::{check, made, media};

fn probe(film: &std::path::Path) -> Probe {
    media::run(
        &Task::Probe {
            limits: Limits::default(),
        },
        film,
    )
    .probe
    .expect("it is a film")
}

/// The lowest rungs of a film from a segment on.
fn encode(probe: &Probe, rungs: usize, cut: CutBy, from: u32, audio: bool) -> Task {
    Task::Encode(EncodeTask {
        limits: Limits::default(),
        rungs: ladder(probe)
            .into_iter()
            .take(rungs)
            .map(|rung| RungTask {
                rung,
                start_segment: from,
            })
            .collect(),
        audio: audio.then_some(AudioTask { start_segment: from }),
        cut,
        encoder_threads: 0,
    })
}

fn times(rendition: &Rendition) -> Vec<(u32, u64, u64, u32)> {
    rendition
        .segments
        .iter()
        .map(|(segment, _)| {
            (
                segment.index,
                segment.start_ticks,
                segment.duration_ticks,
                segment.frames,
            )
        })
        .collect()
}

fn goes_on_where_the_first_stopped(whole: &Answer, later: &Answer, from: u32) {
    assert!(
        whole.finished.is_some() && later.finished.is_some(),
        "{:?} {:?}",
        whole.failed,
        later.failed
    );
    assert_eq!(whole.renditions.len(), later.renditions.len());
    for (name, rendition) in &whole.renditions {
        let again = &later.renditions[name];
        assert_eq!(
            rendition.init_bytes, again.init_bytes,
            "{name}: another init segment"
        );
        assert_eq!(times(rendition)[from as usize..], times(again), "{name}");
    }
}

#[test]
fn a_later_attempt_at_encoding_makes_the_missing_segments_with_the_same_times() {
    let made = made::looped_demo(18);
    let probe = probe(&made.film);
    let whole = media::run(&encode(&probe, 2, CutBy::Grid, 0, true), &made.film);
    assert_eq!(whole.renditions.len(), 3);
    for from in [1, 3] {
        let later = media::run(&encode(&probe, 2, CutBy::Grid, from, true), &made.film);
        goes_on_where_the_first_stopped(&whole, &later, from);
        joined_films_decode(&whole, &later, from as usize, made.folder.path());
    }
}

/// The first segments of one attempt and the others of the next are one film.
fn joined_films_decode(whole: &Answer, later: &Answer, from: usize, folder: &std::path::Path) {
    for (name, rendition) in &whole.renditions {
        let mut joined = rendition.clone();
        joined.segments.truncate(from);
        joined
            .segments
            .extend(later.renditions[name].segments.iter().cloned());
        check::contiguous(&joined).expect("no hole where the attempts meet");
        let file = folder.join("joined.mp4");
        joined.write_all(&file);
        assert_eq!(shelf::truth::decode_errors(&file), "", "{name}");
    }
}

#[test]
fn a_later_attempt_in_a_hole_shows_the_picture_before_the_hole() {
    // 6 s of a moving picture, nothing until 26 s.
    let made = made::film(
        "hole.mkv",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=7 -vf setpts=PTS+gte(T\\,6)*20/TB -fps_mode vfr -c:v libx264 -g 250 \
         -preset ultrafast",
    );
    let probe = probe(&made.film);
    let whole = media::run(&encode(&probe, 1, CutBy::Grid, 0, false), &made.film);
    let later = media::run(&encode(&probe, 1, CutBy::Grid, 4, false), &made.film);
    goes_on_where_the_first_stopped(&whole, &later, 4);
    let picture = |answer: &Answer, from: usize| {
        let file = made.folder.path().join("segment.mp4");
        let rendition = &answer.renditions["180p"];
        rendition.write(&file, from..=from);
        shelf::truth::first_picture(&file)
    };
    let (before, after) = (picture(&whole, 4), picture(&later, 0));
    assert_eq!(before.len(), after.len());
    let differences = before
        .iter()
        .zip(&after)
        .filter(|(one, two)| one.abs_diff(**two) > 40)
        .count();
    assert!(
        differences * 50 < before.len(),
        "{differences} of {} pixels differ",
        before.len()
    );
}

#[test]
fn an_attempt_with_nothing_left_to_do_still_says_what_there_is() {
    let made = made::looped_demo(6);
    let probe = probe(&made.film);
    let later = media::run(&encode(&probe, 1, CutBy::Grid, 9, true), &made.film);
    let finished = later.finished.expect("it finishes");
    let segments: Vec<u32> = finished.renditions.iter().map(|total| total.segments).collect();
    assert_eq!(segments, [9, 9]);
    assert!(
        later
            .renditions
            .values()
            .all(|rendition| rendition.segments.is_empty() && !rendition.init_bytes.is_empty())
    );
}

#[test]
fn rungs_begin_their_segments_at_the_pictures_of_the_copied_source() {
    let made = made::looped_demo(18);
    let probe = probe(&made.film);
    let SourceUse::Rung { name } = plan(&probe).source else {
        panic!("{probe:?}")
    };
    let remux = |from: u32| {
        let audio = Some(AudioTask { start_segment: from });
        Task::Remux(RemuxTask {
            start_segment: from,
            audio,
            limit_ms: 120_000,
            ..RemuxTask::default()
        })
    };
    let copied = media::run(&remux(0), &made.film);
    let source = times(&copied.renditions[&name]);
    assert_eq!(source.len(), 4, "{source:?}");
    let encoded = media::run(&encode(&probe, 1, CutBy::SourceKeyframes, 0, false), &made.film);
    assert_eq!(times(&encoded.renditions["360p"]), source);

    let copied_later = media::run(&remux(2), &made.film);
    assert_eq!(
        copied.renditions[&name].segments[2..],
        copied_later.renditions[&name].segments
    );
    goes_on_where_the_first_stopped(&copied, &copied_later, 2);
    let encoded_later = media::run(&encode(&probe, 1, CutBy::SourceKeyframes, 2, false), &made.film);
    goes_on_where_the_first_stopped(&encoded, &encoded_later, 2);
    joined_films_decode(&encoded, &encoded_later, 2, made.folder.path());
}

#[test]
fn a_source_with_far_keyframes_is_published_for_the_first_minutes_only_and_its_sound_whole() {
    let made = made::film(
        "far.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=10:d=40 -f lavfi -i sine=d=40 -c:v libx264 -preset ultrafast -g 100 \
         -keyint_min 100 -sc_threshold 0 -pix_fmt yuv420p -c:a aac",
    );
    let task = RemuxTask {
        limit_ms: 15_000,
        audio: Some(AudioTask::default()),
        ..RemuxTask::default()
    };
    let answer = media::run(&Task::Remux(task), &made.film);
    let finished = answer.finished.expect("it finishes");
    assert!(!answer.renditions["source"].init().whole);
    let total = |name: &str| {
        finished
            .renditions
            .iter()
            .find(|total| total.rendition == name)
            .expect("was made")
    };
    assert_eq!(
        (total("source").duration_ms, total("source").whole),
        (20_000, false)
    );
    assert!(total(AUDIO_RENDITION).whole && total(AUDIO_RENDITION).duration_ms >= 39_900);
}

#[test]
fn the_first_segment_of_a_long_film_comes_at_once() {
    let made = made::looped_demo(600);
    let began = std::time::Instant::now();
    let task = RemuxTask {
        audio: Some(AudioTask::default()),
        ..RemuxTask::default()
    };
    let mut child = media::start(&Task::Remux(task), &made.film);
    let mut pipe = child.stdout.take().expect("the output is piped");
    let mut renditions = std::collections::BTreeSet::new();
    while renditions.len() < 2 {
        let (message, _) = spool_media_protocol::framing::read(&mut pipe)
            .expect("whole frames")
            .expect("not the end");
        if let spool_media_protocol::Message::Segment(segment) = message {
            renditions.insert(segment.rendition);
        }
    }
    let took = began.elapsed();
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
    println!("picture and sound after {took:?}");
    // Generous, for a machine that others use; the bench measures.
    assert!(took.as_secs_f64() < 4.0, "{took:?}");
}
