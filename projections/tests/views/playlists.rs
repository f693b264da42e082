//! The text of playlists, as players get it.

use crate::story::{rung, segments, sound, source_rung};
use spool_domain::ids::{JobId, VideoId};
use spool_domain::media::{Rendition, Segment};
use spool_projections::catalogue::{Media, RenditionMedia, RenditionState, Run};
use spool_projections::playlists;
use uuid::Uuid;

fn published(rendition: &Rendition, count: u32, bytes: u32) -> RenditionState {
    let mut state = RenditionState::new(rendition);
    if count > 0 {
        state.publish(1, &segments(count, bytes));
    }
    state
}

fn of(renditions: Vec<RenditionState>) -> Media {
    let video = VideoId(Uuid::from_u128(7));
    Media {
        video,
        job: JobId::of(video, 1),
        over: false,
        renditions,
    }
}

#[test]
fn a_master_names_every_quality_with_the_sound_counted_in() {
    let media = of(vec![
        published(&rung(720), 3, 1_000_000),
        published(&sound(), 3, 64_000),
        published(&rung(360), 5, 300_000),
    ]);
    insta::assert_snapshot!(
        playlists::master(&media, Some("expires=1&signature=abc")).expect("it is playable")
    );
}

#[test]
fn there_is_no_master_before_picture_and_sound_are_there() {
    for renditions in [
        vec![],
        vec![published(&rung(360), 0, 0)],
        vec![published(&sound(), 3, 1)],
        vec![published(&rung(360), 1, 1), published(&sound(), 0, 0)],
    ] {
        assert_eq!(playlists::master(&of(renditions), None), None);
    }
}

#[test]
fn a_provisional_source_gives_way_to_a_rung_that_is_as_far() {
    let names = |rung_count: u32, finished: bool| {
        let mut rung = published(&rung(360), rung_count, 1_000);
        rung.finished = finished;
        let media = of(vec![published(&source_rung(), 10, 1_000), rung]);
        let text = playlists::master(&media, None).expect("it is playable");
        let uris: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(String::from)
            .collect();
        uris
    };
    assert_eq!(names(0, false), ["source/index.m3u8"]);
    assert_eq!(names(9, false), ["360p/index.m3u8", "source/index.m3u8"]);
    assert_eq!(names(10, false), ["360p/index.m3u8"]);
    assert_eq!(
        names(2, true),
        ["360p/index.m3u8"],
        "the whole film is shorter than it claimed"
    );
}

#[test]
fn a_picture_with_its_sound_inside_needs_no_group() {
    let muxed = Rendition {
        codecs: "avc1.64001f,mp4a.40.2".into(),
        ..rung(360)
    };
    let text = playlists::master(&of(vec![published(&muxed, 1, 1_000)]), None).expect("it is playable");
    assert!(!text.contains("AUDIO"), "{text}");
}

fn media(finished: bool, over: bool) -> RenditionMedia {
    let mut state = published(&rung(360), 3, 1_000);
    state.finished = finished;
    let run = |attempt, from, durations: &[u32]| Run {
        attempt,
        from,
        segments: durations
            .iter()
            .map(|duration_ms| Segment {
                duration_ms: *duration_ms,
                bytes: 1_000,
            })
            .collect(),
    };
    RenditionMedia {
        video: VideoId(Uuid::from_u128(1)),
        job: JobId(Uuid::from_u128(2)),
        state,
        over,
        runs: vec![run(1, 0, &[4_000, 4_004]), run(2, 2, &[1_960])],
    }
}

#[test]
fn a_media_playlist_grows_while_the_job_runs() {
    insta::assert_snapshot!(playlists::media(
        &media(false, false),
        Some("expires=1&signature=abc"),
        &|_| None
    ));
}

#[test]
fn a_media_playlist_is_final_when_the_job_is_over() {
    insta::assert_snapshot!(playlists::media(&media(true, true), None, &|_| None));
}

#[test]
fn files_that_everybody_finds_elsewhere_are_named_by_where_they_are() {
    let rendition = media(true, true);
    let elsewhere = |folder: &str| Some(format!("https://cdn.example.org/{folder}"));
    let text = playlists::media(&rendition, Some("signature=abc"), &elsewhere);
    let folder = |attempt| format!("https://cdn.example.org/{}", rendition.folder(attempt));
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("renditions/")).collect();
    let (first, second) = (folder(1), folder(2));
    assert_eq!(
        lines,
        [
            format!("#EXT-X-MAP:URI=\"{first}/init.mp4\""),
            format!("{first}/0.m4s"),
            format!("{first}/1.m4s"),
            format!("#EXT-X-MAP:URI=\"{second}/init.mp4\""),
            format!("{second}/2.m4s"),
        ]
    );
    assert!(!text.contains("signature"), "{text}");
}

#[test]
fn a_finished_rendition_ends_before_the_job_does_unless_it_is_provisional() {
    let mut rendition = media(true, false);
    let text = playlists::media(&rendition, None, &|_| None);
    assert!(
        text.contains("TYPE:EVENT") && text.ends_with("#EXT-X-ENDLIST\n"),
        "{text}"
    );
    rendition.state.provisional = true;
    assert!(!playlists::media(&rendition, None, &|_| None).contains("ENDLIST"));
}

#[test]
fn the_target_duration_stays_while_segments_come() {
    let target = |rendition: &RenditionMedia| {
        let text = playlists::media(rendition, None, &|_| None);
        text.lines()
            .find(|line| line.contains("TARGETDURATION"))
            .map(String::from)
    };
    let mut rendition = media(false, false);
    let before = target(&rendition);
    rendition.runs[1].segments.push(Segment {
        duration_ms: 5_900,
        bytes: 1,
    });
    assert_eq!(target(&rendition), before);
    rendition.runs[1].segments.push(Segment {
        duration_ms: 9_100,
        bytes: 1,
    });
    assert_eq!(target(&rendition).as_deref(), Some("#EXT-X-TARGETDURATION:10"));
}
