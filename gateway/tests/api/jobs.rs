//! Processing: what one sees of a job, stopping it and starting it again.

use crate::shown::redacted;
use crate::world::{World, check};
use serde_json::{Value, json};
use spool_commands::Ask;
use spool_domain::actors::Actor;
use spool_domain::ids::{JobId, VideoId};
use spool_domain::jobs::{Command, Failure};
use spool_domain::time::Millis;

pub const LEASE: Millis = Millis(30_000);

impl World {
    /// What a worker says about the job of a video.
    pub async fn work(&self, video: &Value, command: Command) {
        let video = VideoId(video["id"].as_str().expect("an id").parse().expect("a UUID"));
        let given = self
            .commands
            .give(JobId::of(video, 1).stream(), command, Ask::fresh(Actor::System))
            .await;
        given.expect("the job takes it");
        self.caught_up().await;
    }

    pub async fn claim(&self, video: &Value) {
        self.work(
            video,
            Command::Claim {
                worker: "worker-1".to_owned(),
                lease: LEASE,
            },
        )
        .await;
    }

    /// What a worker signals while it works.
    pub fn signal(&self, owner: &str, video: &str, job: &str, progress: u8) {
        let signal = json!({
            "video_id": video, "job_id": job, "owner_id": owner,
            "state": "PROCESSING", "progress": progress, "stage_text": "making 360p",
        });
        self.signals.publish("jobs", job, signal.to_string());
    }
}

fn processing(video: &Value, what: &str) -> String {
    format!(
        "/api/processing/videos/{}/{what}",
        video["id"].as_str().expect("an id")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_seen_from_request_to_failure() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    let id = video["id"].as_str().expect("an id");
    let job = world.job_of(id).await;
    let status = || world.get(&processing(&video, "status")).send();
    let pending = status().await;
    check(&pending, 200);
    insta::assert_json_snapshot!("job_pending", redacted(pending.json()));
    world.clock.advance(2_000);
    world.claim(&video).await;
    world.signal(&ada.id, id, &job, 42);
    let running = status().await.json();
    assert_eq!(
        (&running["state"], &running["progress"]),
        (&json!("PROCESSING"), &json!(42))
    );
    assert_eq!(
        world.get(&format!("/api/jobs/{job}")).send().await.json(),
        running
    );
    let brief = world.get(&format!("/api/videos/{id}/status")).send().await;
    insta::assert_json_snapshot!("video_status_running", redacted(brief.json()));
    world.clock.advance(3_000);
    let failure = Failure {
        code: "no_video".to_owned(),
        sentence: "This file has sound but no video.".to_owned(),
        passing: false,
    };
    world.work(&video, Command::Fail { attempt: 1, failure }).await;
    insta::assert_json_snapshot!("job_failed", redacted(status().await.json()));
    let shown = world.get(&format!("/api/videos/{id}")).send().await.json();
    assert_eq!(
        (&shown["status"], &shown["error_text"]),
        (&json!("failed"), &json!("This file has sound but no video."))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_stopped_and_started_again_by_its_owner() {
    let world = World::open().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let video = world.video(&ada, "One", "public").await;
    let post = |what: &str, person| world.post(&processing(&video, what)).by(person).send();
    check(&post("cancel", &eve).await, 403);
    check(&world.post(&processing(&video, "cancel")).send().await, 401);
    world.claim(&video).await;
    check(&post("start", &ada).await, 409);
    let cancelled = post("cancel", &ada).await;
    check(&cancelled, 200);
    assert_eq!(cancelled.json()["state"], "CANCELLED");
    check(&post("cancel", &ada).await, 200);
    check(&post("start", &eve).await, 403);
    let started = post("start", &ada).await;
    check(&started, 202);
    assert_eq!(started.json()["state"], "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_start_is_one_start() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let video = world.video(&ada, "One", "public").await;
    check(
        &world.post(&processing(&video, "cancel")).by(&ada).send().await,
        200,
    );
    let start = || {
        world
            .post(&processing(&video, "start"))
            .by(&ada)
            .header("idempotency-key", "s-1")
            .send()
    };
    check(&start().await, 202);
    world.claim(&video).await;
    // Running by now; the repeated question still has its first answer.
    check(&start().await, 202);
    check(
        &world.post(&processing(&video, "start")).by(&ada).send().await,
        409,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_shows_ones_own_jobs() {
    let world = World::open().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let first = world.video(&ada, "One", "public").await;
    world.clock.advance(1_000);
    world.video(&ada, "Two", "private").await;
    world.claim(&first).await;
    check(&world.get("/api/processing/queue/status").send().await, 401);
    let own = world.get("/api/processing/queue/status").by(&ada).send().await;
    check(&own, 200);
    insta::assert_json_snapshot!("queue", redacted(own.json()));
    let others = world
        .get("/api/processing/queue/status")
        .by(&eve)
        .send()
        .await
        .json();
    assert_eq!((&others["running"], &others["items"]), (&json!(1), &json!([])));
}
