//! A whole node without sockets, with a clock that stands still.

use crate::forms::{film, form};
use crate::place::{Place, is_on_servers};
use crate::requests::{Answer, Asking};
use axum::Router;
use axum::http::StatusCode;
use serde_json::{Value, json};
use spool_blobs::Blobs;
use spool_commands::Commands;
use spool_commands::erasures::Erasing;
use spool_commands::managers::Settings;
use spool_domain::ids::{Feature, ViewId};
use spool_domain::views;
use spool_gateway::{Gateway, Parts};
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::{Config, Preset};
use spool_platform::keys::Keys;
use spool_platform::signals::Signals;
use spool_platform::telemetry;
use spool_projections::{Projections, Switcher};
use spool_schemas::CommitRef;
use spool_services::Keyspace;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longer than the views need, whatever they are kept in; only a failing test waits for it.
const SOON: Duration = Duration::from_secs(60);
/// 2026-11-21T08:00:00Z.
pub const START_MS: i64 = 1_795_248_000_000;

pub struct World {
    pub gateway: Gateway,
    pub router: Router,
    pub clock: Clock,
    pub commands: Commands,
    pub log: Log,
    pub keys: Keys,
    pub blobs: Blobs,
    pub signals: Signals,
    pub projections: Projections,
    data: PathBuf,
    _stop: DropGuard,
    // The last to go: what is above has tables and files there.
    _keyspace: Option<Keyspace>,
    _dir: TempDir,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub access_token: String,
    pub refresh_token: String,
}

impl World {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config {
            data_dir: dir.path().to_owned(),
            ..Config::default()
        };
        config.log.partitions = 2;
        config.uploads.min_free_bytes = 1;
        // Limits have stories of their own, and attacks none.
        config.limits.preset = Preset::Off;
        change(&mut config);
        let data = config.data_dir.clone();
        let Place {
            log,
            tables,
            own_tables,
            blobs,
            keyspace,
        } = Place::open(&config).await;
        let clock = Clock::manual(START_MS);
        let keys = Keys::open(&data.join("keys")).expect("the keys open");
        let parts = spool_commands::Parts {
            log: log.clone(),
            tables: own_tables,
            clock: clock.clone(),
        };
        let commands = Commands::open(parts).expect("the commands open");
        let projections =
            Projections::start(log.clone(), tables.clone(), switcher(&commands)).expect("the views start");
        let signals = Signals::new();
        let stop = CancellationToken::new();
        let settings = Settings {
            erasing: Some(erasing(&keys, &projections)),
            ..Settings::of(&config)
        };
        let (following, stopping) = (commands.clone(), stop.clone());
        tokio::spawn(async move { following.run_managers(&tables, settings, stopping).await });
        let (following, stopping) = (commands.clone(), stop.clone());
        tokio::spawn(async move { following.run_following(stopping).await });
        let gateway = Gateway::new(Parts {
            config: Arc::new(config),
            clock: clock.clone(),
            log: log.clone(),
            commands: commands.clone(),
            projections: projections.clone(),
            blobs: blobs.clone(),
            signals: signals.clone(),
            keys: keys.clone(),
            metrics: telemetry::metrics(),
        });
        projections
            .caught_up(SOON)
            .await
            .expect("the views are made from an empty log");
        let router = gateway.router();
        let _stop = stop.drop_guard();
        Self {
            gateway,
            router,
            clock,
            commands,
            log,
            keys,
            blobs,
            signals,
            projections,
            data,
            _stop,
            _keyspace: keyspace,
            _dir: dir,
        }
    }

    pub fn get(&self, path: &str) -> Asking {
        Asking::new(&self.router, "GET", path)
    }

    pub fn post(&self, path: &str) -> Asking {
        Asking::new(&self.router, "POST", path)
    }

    pub fn put(&self, path: &str) -> Asking {
        Asking::new(&self.router, "PUT", path)
    }

    pub fn delete(&self, path: &str) -> Asking {
        Asking::new(&self.router, "DELETE", path)
    }

    /// Registers `name`@example.org.
    pub async fn person(&self, name: &str) -> Person {
        let answer = self
            .post("/api/auth/register")
            .json(&registration(name))
            .send()
            .await;
        answer.expect(StatusCode::CREATED);
        Person::of(&answer.json())
    }

    /// Uploads a small film and waits until it has its job.
    pub async fn video(&self, owner: &Person, title: &str, visibility: &str) -> Value {
        let file = film(2_000);
        let parts = [
            ("title", None, title.as_bytes()),
            ("visibility", None, visibility.as_bytes()),
            ("file", Some("a film.mp4"), &file),
        ];
        let answer = self
            .post("/api/storage/upload/video")
            .by(owner)
            .form(form(&parts))
            .send()
            .await;
        answer.expect(StatusCode::CREATED);
        let video = answer.json()["video"].clone();
        self.job_of(video["id"].as_str().expect("a video has an id"))
            .await;
        video
    }

    /// Waits until the process manager has requested the job and the views know it.
    pub async fn job_of(&self, video: &str) -> String {
        let mut changed = self.projections.jobs().watch();
        let mut seen = self.projections.catalogue().watch();
        loop {
            let answer = self
                .projections
                .catalogue()
                .video(spool_domain::ids::VideoId(video.parse().expect("a UUID")));
            let job = answer
                .expect("the catalogue answers")
                .and_then(|video| video.job_id);
            let known = job.map(|job| {
                self.projections
                    .jobs()
                    .job(job)
                    .expect("the queue answers")
                    .is_some()
            });
            if let (Some(job), Some(true)) = (job, known) {
                return job.to_string();
            }
            tokio::select! {
                _ = changed.changed() => {}
                _ = seen.changed() => {}
            }
        }
    }

    /// Every file below the blobs: objects and whatever was left behind. On a server, every object, and every upload
    /// that was begun and not ended.
    pub fn stored(&self) -> Vec<String> {
        if is_on_servers() {
            return block_in_place(|| Handle::current().block_on(self.stored_in_the_bucket()));
        }
        let mut files = vec![];
        list(&self.data.join("blobs"), &mut files);
        let below = |path: PathBuf| {
            path.strip_prefix(self.data.join("blobs"))
                .expect("listed below")
                .display()
                .to_string()
        };
        files
            .into_iter()
            .map(below)
            .filter(|name| name != "lock")
            .collect()
    }

    async fn stored_in_the_bucket(&self) -> Vec<String> {
        let objects = self.blobs.list("", None, 1_000).await;
        let objects = objects.expect("the bucket can be listed").into_iter();
        let direct = self.blobs.direct().expect("it is a bucket");
        let unfinished = direct.unfinished().await.expect("uploads can be listed");
        objects
            .map(|object| format!("objects/{}", object.key))
            .chain(
                unfinished
                    .into_iter()
                    .map(|upload| format!("unfinished/{}", upload.key)),
            )
            .collect()
    }

    /// Waits until what the disk was told to do before is done: temporary files are removed in the background.
    pub async fn settled(&self) {
        while self.stored().iter().any(|name| !name.starts_with("objects/")) {
            tokio::task::yield_now().await;
        }
    }

    /// How many commits the log has.
    pub fn commits(&self) -> u64 {
        (0..self.log.partitions())
            .map(|partition| self.log.head(partition))
            .sum()
    }

    /// How many commits are about films; those about persons go on a little after a registration.
    pub fn commits_about_films(&self) -> usize {
        let partitions = 0..self.log.partitions();
        let read = |partition| {
            self.log
                .read(partition, 0, usize::MAX)
                .expect("the log can be read")
        };
        let is_about_films = |record: &spool_log::Record| {
            let commit = CommitRef::decode(&record.payload).expect("the log has commits only");
            matches!(
                commit.stream.feature,
                Feature::Uploads | Feature::Videos | Feature::Jobs
            )
        };
        partitions.flat_map(read).filter(is_about_films).count()
    }

    pub async fn caught_up(&self) {
        self.projections.caught_up(SOON).await.expect("the views follow");
    }
}

impl Person {
    pub fn of(signed_in: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            id: text(&signed_in["user"]["id"]),
            email: text(&signed_in["user"]["email"]),
            access_token: text(&signed_in["access_token"]),
            refresh_token: text(&signed_in["refresh_token"]),
        }
    }
}

pub fn registration(name: &str) -> Value {
    json!({
        "email": format!("{name}@example.org"),
        "password": "correct horse battery",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "username": name,
    })
}

/// The status of an answer that must be what is expected, with its body in the message if not.
pub fn check(answer: &Answer, status: u16) {
    answer.expect(StatusCode::from_u16(status).expect("a status"));
}

fn erasing(keys: &Keys, projections: &Projections) -> Erasing {
    let projections = projections.clone();
    Erasing {
        keys: keys.clone(),
        videos_of: Arc::new(move |account| Box::pin(projections.clone().videos_of(account))),
    }
}

fn switcher(commands: &Commands) -> Switcher {
    let commands = commands.clone();
    Arc::new(move |name, version| {
        let commands = commands.clone();
        Box::pin(async move {
            let stream = ViewId::of(&name).stream();
            let ask = spool_commands::Ask::fresh(spool_domain::actors::Actor::System);
            let given = commands
                .give(stream, views::Command::Switch { name, version }, ask)
                .await;
            given.map(drop).map_err(|error| error.to_string())
        })
    })
}

fn list(folder: &std::path::Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => list(&path, files),
            path => files.push(path),
        }
    }
}
