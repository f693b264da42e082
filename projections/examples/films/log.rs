//! A log as films leave it: registered for, uploaded, transcoded.

use crate::story::{Story, film, rung, segments, sound};
use bytes::Bytes;
use spool_domain::ids::ViewId;
use spool_domain::jobs::Fact;
use spool_domain::time::Millis;
use spool_domain::videos::Visibility;
use spool_log::Log;
use spool_projections::Switcher;
use spool_schemas::Commit;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Films whose commits are mixed with each other, as uploads at the same time would be.
const TOGETHER: usize = 64;

#[derive(Default)]
pub struct Written {
    pub events: u64,
    pub commits: u64,
    pub bytes: u64,
}

pub async fn write_log(dir: &Path, events: u64) -> Written {
    let log = open(dir);
    let mut written = Written::default();
    let mut seed = 1;
    while written.events < events {
        let mut stories: Vec<_> = (0..TOGETHER)
            .map(|_| {
                seed += 1;
                commits_of_a_film(seed).into_iter()
            })
            .collect();
        loop {
            let round: Vec<Commit> = stories.iter_mut().filter_map(Iterator::next).collect();
            if round.is_empty() {
                break;
            }
            append(&log, &round, &mut written).await;
        }
    }
    log.close();
    written
}

/// One round of commits, as the executors of the partitions would hand them over.
pub async fn append(log: &Log, commits: &[Commit], written: &mut Written) {
    let mut batches: HashMap<u16, Vec<Bytes>> = HashMap::new();
    for commit in commits {
        let bytes = Bytes::from(commit.encode());
        written.events += commit.events.len() as u64;
        written.commits += 1;
        written.bytes += bytes.len() as u64;
        batches
            .entry(commit.stream.partition(log.partitions()))
            .or_default()
            .push(bytes);
    }
    let appends: Vec<_> = batches
        .into_iter()
        .map(|(partition, commits)| log.append(partition, log.head(partition), commits))
        .collect();
    for append in appends {
        append.await.expect("there is room");
    }
}

/// A person registers and uploads a film of some minutes; a worker makes it, and its lease is renewed meanwhile.
pub fn commits_of_a_film(seed: u128) -> Vec<Commit> {
    let mut story = Story::new();
    story.wait(Millis(
        i64::try_from(seed % 400).expect("it is small") * 7_200_000,
    ));
    let owner = story.register(seed);
    let at = story.upload(seed, owner, Visibility::Public);
    story.claim(at);
    let rungs = [sound(), rung(360), rung(720)];
    story.report(
        at,
        vec![
            Fact::Probed(film(300_000)),
            Fact::RenditionStarted(rungs[0].clone()),
        ],
    );
    for rung in &rungs[1..] {
        story.report(at, vec![Fact::RenditionStarted(rung.clone())]);
    }
    for batch in 0..30 {
        for rung in &rungs {
            story.publish(at, &rung.name, &segments(2, 300_000));
        }
        story.wait(Millis(4_000));
        if batch == 7 {
            story.report(
                at,
                vec![Fact::ThumbnailMade {
                    blob: "renditions/a/b/1/thumbnail.jpg".into(),
                }],
            );
        }
    }
    story.complete(at, 300_000);
    let request = Uuid::from_u128(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    for commit in &mut story.commits {
        commit.cause.correlation = request;
        commit.command = Uuid::new_v5(&request, commit.command.as_bytes());
    }
    story.commits
}

pub fn open(dir: &Path) -> Log {
    Log::open(spool_log::Config::new(dir.join("log"))).expect("the log opens")
}

pub fn switcher(log: Log) -> Switcher {
    let versions = Arc::new(AtomicU64::new(0));
    Arc::new(move |view, version| {
        let (log, versions) = (log.clone(), versions.clone());
        Box::pin(async move {
            let mut story = Story::new();
            story.switched(&view, version, versions.fetch_add(1, Ordering::Relaxed));
            let partition = ViewId::of(&view).stream().partition(log.partitions());
            let bytes = story.commits[0].encode().into();
            let appended = log.append(partition, log.head(partition), vec![bytes]).await;
            appended.map(drop).map_err(|error| error.to_string())
        })
    })
}
