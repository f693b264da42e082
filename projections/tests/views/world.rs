//! A real log and real tables in a temporary directory, and views that follow them.

use crate::story::Story;
use bytes::Bytes;
use spool_domain::ids::StreamId;
use spool_domain::ids::ViewId;
use spool_log::Log;
use spool_projections::{Projections, Switcher, Verified};
use spool_schemas::Commit;
use spool_services::Cassandra;
use spool_tables::{CqlSettings, Credentials, Tables};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

pub const SOON: Duration = Duration::from_secs(20);
const PARTITIONS: u16 = 4;

pub struct World {
    pub dir: TempDir,
    pub log: Log,
    pub projections: Projections,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let log = open_log(&dir);
        let projections = start(&log, &dir);
        Self {
            dir,
            log,
            projections,
        }
    }

    /// Makes what the story said durable, in its order.
    pub async fn tell(&self, story: &mut Story) {
        for commit in story.commits.drain(..) {
            append(&self.log, &commit).await;
        }
    }

    pub async fn tell_and_see(&self, story: &mut Story) {
        self.tell(story).await;
        self.caught_up().await;
    }

    /// A record that no program wrote so.
    pub async fn append_raw(&self, stream: StreamId, json: &str) {
        append_bytes(&self.log, stream, Bytes::copy_from_slice(json.as_bytes())).await;
    }

    pub async fn caught_up(&self) {
        self.projections
            .caught_up(SOON)
            .await
            .expect("the views follow the log");
    }

    /// Ends the views without writing what is unwritten, and starts them again on the same files.
    pub async fn restart(&mut self) {
        self.stop_and(|_| {}).await;
    }

    /// The same, with something done to the directory in between.
    pub async fn stop_and(&mut self, between: impl FnOnce(&TempDir)) {
        blocking(&self.projections, Projections::end_writing).await;
        between(&self.dir);
        self.projections = start(&self.log, &self.dir);
    }

    pub async fn verify(&self) -> Vec<Verified> {
        blocking(&self.projections, |projections| {
            projections.verify().expect("the log can be refolded")
        })
        .await
    }

    /// Every view's rows are what a refold makes of the log.
    pub async fn rows_are_a_refold(&self) {
        for verified in self.verify().await {
            assert!(verified.equal, "{verified:?}");
        }
    }
}

pub async fn blocking<T: Send + 'static>(
    projections: &Projections,
    run: impl FnOnce(&Projections) -> T + Send + 'static,
) -> T {
    let projections = projections.clone();
    let ran = tokio::task::spawn_blocking(move || run(&projections)).await;
    ran.expect("it does not panic")
}

fn open_log(dir: &TempDir) -> Log {
    let mut config = spool_log::Config::new(dir.path().join("log"));
    config.partitions = PARTITIONS;
    config.segment_bytes = 4 << 20;
    Log::open(config).expect("a new log opens")
}

fn start(log: &Log, dir: &TempDir) -> Projections {
    Projections::start(log.clone(), tables(dir), switcher(log.clone())).expect("the views start")
}

/// The world's tables: in its directory, or, with `SPOOL_TEST_WORLD=servers`, in a keyspace of its own on Cassandra.
pub fn tables(dir: &TempDir) -> Tables {
    if std::env::var("SPOOL_TEST_WORLD").is_err() {
        return Tables::open(dir.path().join("tables")).expect("a directory for tables can be made");
    }
    let cassandra = Cassandra::shared();
    let mut settings = CqlSettings::new([cassandra.contact_point()]);
    settings.credentials = Some(Credentials::new(cassandra.user(), cassandra.password()));
    let name = dir.path().file_name().expect("it lies below another directory");
    // The directory's name is unique, but for upper and lower case, and has other signs than a keyspace may.
    let name = name.as_encoded_bytes().iter().map(|byte| format!("{byte:02x}"));
    settings.keyspace = format!("views_{}", name.collect::<String>());
    settings.request_timeout = SOON;
    Tables::cql(settings).expect("the CQL server answers")
}

/// Records switches as the executor would.
fn switcher(log: Log) -> Switcher {
    let versions = Arc::new(Mutex::new(0));
    Arc::new(move |view, version| {
        let (log, versions) = (log.clone(), versions.clone());
        Box::pin(async move {
            let mut story = Story::new();
            let after = {
                let mut versions = versions.lock().expect("nobody panics with it");
                *versions += 1;
                *versions
            };
            story.switched(&view, version, after);
            assert_eq!(story.commits[0].stream, ViewId::of(&view).stream());
            append(&log, &story.commits[0]).await;
            Ok(())
        })
    })
}

async fn append(log: &Log, commit: &Commit) {
    append_bytes(log, commit.stream, commit.encode().into()).await;
}

/// Held from looking where the log ends until it ends elsewhere: a rebuild that ends tells the log so, at the same time
/// as the test tells its story.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn append_bytes(log: &Log, stream: StreamId, bytes: Bytes) {
    let _turn = TURN.lock().await;
    let partition = stream.partition(log.partitions());
    let appended = log.append(partition, log.head(partition), vec![bytes]).await;
    appended.expect("there is room in a new log");
}
