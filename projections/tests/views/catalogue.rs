//! What the catalogue says of a video, from the upload to the end.

use crate::story::{Story, film, rung, segments, sound};
use crate::world::{World, tables};
use spool_domain::actors::Actor;
use spool_domain::ids::{JobId, VideoId};
use spool_domain::jobs::{Command, Fact};
use spool_domain::time::Millis;
use spool_domain::videos::{self, Described, Visibility};
use spool_projections::QueryError;
use spool_projections::catalogue::{List, Of, Status, Video};
use uuid::Uuid;

impl World {
    fn video(&self, id: VideoId) -> Video {
        let found = self.projections.catalogue().video(id).expect("the view answers");
        found.expect("the video is there")
    }

    /// The titles of one page, and the cursor to the next.
    fn page(&self, of: Of, cursor: Option<String>, limit: usize) -> (Vec<String>, Option<String>) {
        let list = List { of, cursor, limit };
        let page = self
            .projections
            .catalogue()
            .list(&list)
            .expect("the view answers");
        (
            page.items.into_iter().map(|video| video.title).collect(),
            page.next_cursor,
        )
    }
}

#[tokio::test]
async fn a_video_goes_from_uploaded_to_ready_and_says_what_it_is_made_of() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let id = story.films[at].id;
    world.tell_and_see(&mut story).await;
    let uploaded = world.video(id);
    assert_eq!(
        (uploaded.status, uploaded.playable, uploaded.version),
        (Status::Uploaded, false, 2)
    );
    assert_eq!(uploaded.job_id, Some(JobId::of(id, 1)));

    story.claim(at);
    story.report(
        at,
        vec![
            Fact::Probed(film(60_000)),
            Fact::RenditionStarted(sound()),
            Fact::RenditionStarted(rung(360)),
        ],
    );
    story.publish(at, "360p", &segments(1, 100_000));
    world.tell_and_see(&mut story).await;
    let silent = world.video(id);
    assert_eq!(
        (silent.status, silent.playable),
        (Status::Processing, false),
        "its sound is not there yet"
    );

    story.publish(at, "audio", &segments(1, 30_000));
    world.tell_and_see(&mut story).await;
    assert!(world.video(id).playable, "from its first segments on");

    story.report(
        at,
        vec![Fact::ThumbnailMade {
            blob: "renditions/t.jpg".into(),
        }],
    );
    story.publish(at, "360p", &segments(14, 100_000));
    story.report(
        at,
        vec![Fact::RenditionFinished {
            rendition: "360p".into(),
        }],
    );
    story.complete(at, 59_960);
    world.tell_and_see(&mut story).await;
    let ready = world.video(id);
    assert_eq!(
        (ready.status, ready.duration_seconds),
        (Status::Ready, Some(59.96))
    );
    assert_eq!(ready.thumbnail.as_deref(), Some("renditions/t.jpg"));
    assert_eq!(ready.warnings, ["the sound ends before the picture"]);
    assert_eq!(ready.renditions.len(), 1, "sound is no quality to choose");
    assert!(ready.renditions[0].complete);
    assert_eq!(ready.renditions[0].published_seconds, 60.0);
    world.rows_are_a_refold().await;
}

#[tokio::test]
async fn the_outside_form_of_a_video_is_as_promised() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Unlisted);
    story.claim(at);
    story.report(
        at,
        vec![Fact::Probed(film(60_000)), Fact::RenditionStarted(rung(360))],
    );
    story.publish(at, "360p", &segments(2, 100_000));
    world.tell_and_see(&mut story).await;
    insta::assert_json_snapshot!(world.video(story.films[at].id));
}

#[tokio::test]
async fn a_failed_job_tells_why_and_may_be_started_again() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let id = story.films[at].id;
    story.claim(at);
    story.fail(at, false);
    world.tell_and_see(&mut story).await;
    let failed = world.video(id);
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(
        failed.error_text.as_deref(),
        Some("there is no picture in this file")
    );
    assert_eq!(
        world.page(Of::Public, None, 10).0,
        [""; 0],
        "there is nothing to see for others"
    );
    assert_eq!(world.page(Of::Owner(owner), None, 10).0, ["Film 1"]);

    story.job(at, &Command::Restart { by: Actor::System });
    world.tell_and_see(&mut story).await;
    assert_eq!(
        (world.video(id).status, world.video(id).error_text),
        (Status::Uploaded, None)
    );
    assert_eq!(world.page(Of::Public, None, 10).0, ["Film 1"]);

    story.job(at, &Command::Cancel { by: Actor::System });
    world.tell_and_see(&mut story).await;
    assert_eq!(
        world.video(id).error_text.as_deref(),
        Some("processing was cancelled")
    );
    world.rows_are_a_refold().await;
}

#[tokio::test]
async fn lists_are_newest_first_and_hold_what_the_reader_may_find() {
    let (world, mut story) = (World::new(), Story::new());
    let (one, other) = (story.register(1), story.register(2));
    story.upload(1, one, Visibility::Public);
    story.upload(2, other, Visibility::Private);
    story.upload(3, one, Visibility::Unlisted);
    story.upload(4, other, Visibility::Public);
    world.tell_and_see(&mut story).await;
    assert_eq!(world.page(Of::Public, None, 10).0, ["Film 4", "Film 1"]);
    assert_eq!(world.page(Of::Owner(one), None, 10).0, ["Film 3", "Film 1"]);
    assert_eq!(world.page(Of::Owner(other), None, 10).0, ["Film 4", "Film 2"]);
}

#[tokio::test]
async fn a_cursor_holds_its_place_while_videos_come_and_go() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    for seed in 1..=5 {
        story.upload(seed, owner, Visibility::Public);
        story.wait(Millis(10));
    }
    world.tell_and_see(&mut story).await;
    let (first, cursor) = world.page(Of::Public, None, 2);
    assert_eq!(first, ["Film 5", "Film 4"]);

    story.upload(6, owner, Visibility::Public);
    story.video(3, &videos::Command::Delete { by: Actor::System });
    world.tell_and_see(&mut story).await;
    let (second, cursor) = world.page(Of::Public, cursor, 2);
    assert_eq!(
        second,
        ["Film 3", "Film 2"],
        "though the film that the cursor is made of is gone"
    );
    let (third, cursor) = world.page(Of::Public, cursor, 2);
    assert_eq!((third, cursor), (vec!["Film 1".to_owned()], None));
    let list = List {
        of: Of::Public,
        cursor: Some("abc".into()),
        limit: 2,
    };
    assert!(matches!(
        world.projections.catalogue().list(&list),
        Err(QueryError::BadCursor)
    ));
}

#[tokio::test]
async fn describing_moves_a_video_between_the_lists() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let mut description = Described {
        title: "Another title".into(),
        description: String::new(),
        visibility: Visibility::Private,
    };
    let by = Actor::System;
    story.video(
        at,
        &videos::Command::Describe {
            by,
            description: description.clone(),
        },
    );
    world.tell_and_see(&mut story).await;
    assert_eq!(world.page(Of::Public, None, 10).0, [""; 0]);
    assert_eq!(world.video(story.films[at].id).version, 3);
    description.visibility = Visibility::Public;
    story.video(at, &videos::Command::Describe { by, description });
    world.tell_and_see(&mut story).await;
    assert_eq!(world.page(Of::Public, None, 10).0, ["Another title"]);
}

#[tokio::test]
async fn nothing_is_left_of_a_deleted_video_and_its_job_says_no_more() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let id = story.films[at].id;
    story.claim(at);
    story.report(at, vec![Fact::RenditionStarted(rung(360))]);
    story.publish(at, "360p", &segments(150, 1_000));
    world.tell_and_see(&mut story).await;
    story.video(at, &videos::Command::Delete { by: Actor::System });
    story.publish(at, "360p", &segments(3, 1_000));
    story.job(at, &Command::Cancel { by: Actor::System });
    world.tell_and_see(&mut story).await;
    let catalogue = world.projections.catalogue();
    assert_eq!(catalogue.video(id).expect("the view answers"), None);
    assert_eq!(catalogue.rendition(id, "360p").expect("the view answers"), None);
    assert_eq!(world.page(Of::Owner(owner), None, 10).0, [""; 0]);
    let tables = tables(&world.dir);
    let rows = tables.view("catalogue_r1", 1).expect("the file is there");
    for table in rows.tables() {
        assert_eq!(rows.count(&table, None).expect("it can be counted"), 0, "{table}");
    }
    world.rows_are_a_refold().await;
}

#[tokio::test]
async fn segments_are_found_by_number_with_the_attempt_that_made_them() {
    let (world, mut story) = (World::new(), Story::new());
    let owner = story.register(1);
    let at = story.upload(1, owner, Visibility::Public);
    let id = story.films[at].id;
    story.claim(at);
    story.report(at, vec![Fact::RenditionStarted(rung(360))]);
    story.publish(at, "360p", &segments(70, 1_000));
    story.fail(at, true);
    story.wait(Millis(60_000));
    story.claim(at);
    story.report(at, vec![Fact::RenditionStarted(rung(360))]);
    story.publish(at, "360p", &segments(130, 5_000));
    world.tell_and_see(&mut story).await;

    let catalogue = world.projections.catalogue();
    let rendition = catalogue
        .rendition(id, "360p")
        .expect("the view answers")
        .expect("it is there");
    let runs: Vec<_> = rendition
        .runs
        .iter()
        .map(|run| (run.attempt, run.from, run.segments.len()))
        .collect();
    assert_eq!(runs, [(1, 0, 70), (2, 70, 130)]);
    assert_eq!(rendition.state.attempts, [1, 2]);

    let job = JobId::of(id, 1);
    for (index, attempt, bytes) in [(0, 1, 1_000), (69, 1, 1_069), (70, 2, 5_000), (199, 2, 5_129)] {
        let found = catalogue
            .segment(id, "360p", index)
            .expect("the view answers")
            .expect("it is published");
        let blob = format!("renditions/{id}/{job}/{attempt}/360p/{index}.m4s");
        assert_eq!((found.attempt, found.bytes, found.blob), (attempt, bytes, blob));
    }
    assert_eq!(
        catalogue.segment(id, "360p", 200).expect("the view answers"),
        None
    );
    assert_eq!(catalogue.segment(id, "720p", 0).expect("the view answers"), None);
    let init = |attempt| {
        catalogue
            .init_blob(id, "360p", attempt)
            .expect("the view answers")
    };
    assert_eq!(init(2), Some(format!("renditions/{id}/{job}/2/360p/init.mp4")));
    assert_eq!(init(3), None);
    assert_eq!(
        catalogue.media(VideoId(Uuid::nil())).expect("the view answers"),
        None
    );
    world.rows_are_a_refold().await;
}
