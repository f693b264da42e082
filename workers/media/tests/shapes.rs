//! Films of odd shapes: late or long sound, holes, many pictures a second, cut files, limits.

mod shelf;

use std::fs;

use spool_media_protocol::{
    AudioTask, CutBy, EncodeTask, Limits, RefusalCode, RemuxTask, RungTask, Task, WarningCode, ladder,
};

use shelf::media::Answer;
use shelf::{check, made, media, truth};

fn encode(film: &std::path::Path, limits: Limits) -> Answer {
    let probed = media::run(
        &Task::Probe {
            limits: limits.clone(),
        },
        film,
    );
    let Some(probe) = probed.probe else { return probed };
    let task = EncodeTask {
        limits,
        rungs: ladder(&probe)
            .into_iter()
            .take(1)
            .map(|rung| RungTask {
                rung,
                start_segment: 0,
            })
            .collect(),
        audio: Some(AudioTask::default()),
        cut: CutBy::Grid,
        encoder_threads: 0,
    };
    media::run(&Task::Encode(task), film)
}

/// When the silence at the beginning of a sound ends, in seconds.
fn silence_ends(file: &std::path::Path) -> f64 {
    let path = file.display().to_string();
    let output = truth::ffmpeg(&[
        "-i",
        &path,
        "-af",
        "silencedetect=n=-50dB:d=0.2",
        "-f",
        "null",
        "-",
    ]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let after = log
        .split("silence_end: ")
        .nth(1)
        .unwrap_or_else(|| panic!("no silence: {log}"));
    after
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

fn check_late_sound(codec: &str) {
    let made = made::film(
        "late.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r=25:d=6 -itsoffset 1.7 -f lavfi -i sine=d=3:r=48000 -map 0 -map 1 \
             -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a {codec} -ac 2"
        ),
    );
    let remux = RemuxTask {
        audio: Some(AudioTask::default()),
        ..RemuxTask::default()
    };
    for answer in [
        encode(&made.film, Limits::default()),
        media::run(&Task::Remux(remux), &made.film),
    ] {
        let sound = &answer.renditions["audio"];
        check::contiguous(sound).expect("no hole in the sound");
        let lasts: u64 = sound
            .segments
            .iter()
            .map(|(segment, _)| segment.duration_ticks)
            .sum();
        assert!(
            (5 * 48_000 + 40_000..=6 * 48_000 + 2_000).contains(&lasts),
            "{codec}: {lasts}"
        );
        let file = made.folder.path().join("sound.mp4");
        sound.write_all(&file);
        let ends = silence_ends(&file);
        assert!((ends - 1.7).abs() < 0.05, "{codec}: sound begins at {ends} s");
    }
}

#[test]
fn sound_that_starts_late_stays_late_when_copied_and_when_encoded() {
    check_late_sound("aac");
    check_late_sound("libopus");
}

#[test]
fn a_hole_between_pictures_is_filled_with_the_last_one_and_not_with_thousands() {
    // 2 s of pictures, 20 s of nothing, 2 s of pictures.
    let made = made::film(
        "hole.mkv",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -vf setpts=PTS+gte(T\\,2)*20/TB -fps_mode vfr -c:v mpeg4",
    );
    let answer = encode(&made.film, Limits::default());
    let picture = &answer.renditions["180p"];
    check::contiguous(picture).expect("no hole in the picture");
    assert_eq!(picture.segments.len(), 6);
    let frames: u32 = picture.segments.iter().map(|(segment, _)| segment.frames).sum();
    assert!((100..=106).contains(&frames), "{frames}");

    let limits = Limits {
        gap_ms_max: 10_000,
        ..Limits::default()
    };
    let refused = encode(&made.film, limits).refused.expect("it is refused");
    assert_eq!(refused.code, RefusalCode::GapTooLong);
}

#[test]
fn a_picture_that_ends_before_the_sound_stays_until_its_end() {
    let made = made::film(
        "song.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -f lavfi -i sine=d=14 -c:v libx264 -preset ultrafast -pix_fmt yuv420p \
         -c:a aac",
    );
    let answer = encode(&made.film, Limits::default());
    for rendition in answer.renditions.values() {
        check::contiguous(rendition).expect("no hole");
        let last = &rendition.segments.last().expect("it has segments").0;
        let ends = last.start_ms + last.duration_ms;
        assert!((13_900..=14_100).contains(&ends), "{}: {ends}", last.rendition);
    }
}

#[test]
fn a_film_of_120_pictures_a_second_gets_60() {
    let made = made::film(
        "fast.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=120:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let answer = encode(&made.film, Limits::default());
    let frames: u32 = answer.renditions["180p"]
        .segments
        .iter()
        .map(|(segment, _)| segment.frames)
        .sum();
    assert_eq!(frames, 120);
}

#[test]
fn an_interlaced_film_is_made_progressive() {
    let made = made::film(
        "interlaced.mpg",
        "-f lavfi -i testsrc2=s=320x180:r=50:d=2 -vf tinterlace=interleave_top,fieldorder=tff -c:v mpeg2video -flags \
         +ildct+ilme -q:v 4",
    );
    let answer = encode(&made.film, Limits::default());
    assert!(answer.probe.expect("it is a film").video.interlaced);
    let file = made.folder.path().join("out.mp4");
    answer.renditions["180p"].write_all(&file);
    let stream = &truth::streams(&file)[0];
    assert_eq!((stream.field_order.as_str(), stream.frames), ("progressive", 50));
}

#[test]
fn squeezed_pixels_are_stretched() {
    let made = made::film(
        "dv.mkv",
        "-f lavfi -i testsrc2=s=720x576:r=25:d=1 -vf setsar=64/45 -c:v mpeg2video -q:v 4",
    );
    let probe = encode(&made.film, Limits::default()).probe.expect("it is a film");
    assert_eq!((probe.video.width, probe.video.height), (1024, 576));
}

#[test]
fn a_film_cut_in_the_middle_says_how_much_of_it_there_is() {
    let made = made::looped_demo(20);
    let bytes = fs::read(&made.film).expect("just made");
    let cut = made.folder.path().join("cut.mp4");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("the folder is ours");
    let answer = encode(&cut, Limits::default());
    let finished = answer.finished.expect("what is there is made");
    assert!(
        (8_000..=12_000).contains(&finished.duration_ms),
        "{}",
        finished.duration_ms
    );
    assert!(
        finished
            .warnings
            .iter()
            .any(|warning| warning.code == WarningCode::Truncated),
        "{:?}",
        finished.warnings
    );

    let matroska = made.folder.path().join("whole.mkv");
    made::make(&matroska, &format!("-i {} -c copy", made.film.display()));
    let bytes = fs::read(&matroska).expect("just made");
    let cut = made.folder.path().join("cut.mkv");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("the folder is ours");
    let answer = encode(&cut, Limits::default());
    let finished = answer.finished.expect("what is there is made");
    assert!(
        finished
            .warnings
            .iter()
            .any(|warning| warning.code == WarningCode::Truncated),
        "{finished:?}"
    );
}

#[test]
fn limits_are_refused_with_their_own_code() {
    let made = made::looped_demo(6);
    let check = |limits: Limits, code: RefusalCode| {
        let refused = encode(&made.film, limits)
            .refused
            .unwrap_or_else(|| panic!("{code:?} was not noticed"));
        assert_eq!(refused.code, code);
    };
    check(
        Limits {
            duration_ms_max: 3_000,
            ..Limits::default()
        },
        RefusalCode::TooLong,
    );
    check(
        Limits {
            pixels_max: 640 * 480,
            ..Limits::default()
        },
        RefusalCode::TooManyPixels,
    );
    check(
        Limits {
            streams_max: 1,
            ..Limits::default()
        },
        RefusalCode::TooManyStreams,
    );
    check(
        Limits {
            frames_max: 50,
            ..Limits::default()
        },
        RefusalCode::TooManyFrames,
    );
}

#[test]
fn a_film_whose_black_is_zero_gets_the_usual_range() {
    let made = made::film(
        "full.mp4",
        "-f lavfi -i color=white:s=320x180:r=25:d=1 -vf scale=out_range=pc -c:v libx264 -preset ultrafast -pix_fmt yuvj420p",
    );
    let answer = encode(&made.film, Limits::default());
    let file = made.folder.path().join("out.mp4");
    answer.renditions["180p"].write_all(&file);
    let path = file.display().to_string();
    let shown = truth::ffmpeg(&[
        "-v",
        "error",
        "-i",
        &path,
        "-frames:v",
        "1",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-",
    ]);
    let white = shown.stdout[0];
    assert!((233..=237).contains(&white), "white is {white}");
}
