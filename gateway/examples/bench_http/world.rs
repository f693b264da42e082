//! The product as it runs, in a temporary folder, with a person and some videos in it.

use bytes::Bytes;
use spool_blobs::{Blobs, Settings as BlobSettings};
use spool_commands::managers::Settings;
use spool_commands::{Ask, Commands};
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::uploads::{Command, Received};
use spool_domain::videos::{Described, Source, Visibility};
use spool_gateway::{Gateway, Parts};
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::{Config, Limits, Rate};
use spool_platform::keys::Keys;
use spool_platform::signals::Signals;
use spool_platform::telemetry;
use spool_projections::{Projections, no_switcher};
use spool_tables::Tables;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

const DESCRIPTION: &str = "A large and lovable rabbit deals with three tiny bullies, led by a flying squirrel, who are \
                           determined to squelch his happiness.";

const PASSWORD: &str = "correct horse battery";

pub struct World {
    gateway: Gateway,
    log: Log,
    token: String,
    videos: Vec<VideoId>,
    dir: TempDir,
}

impl World {
    /// In `SPOOL_BENCH_DIR`, or where temporary files go: it should be a disk and not memory.
    pub async fn open(videos: usize) -> Self {
        let dir = match std::env::var_os("SPOOL_BENCH_DIR") {
            Some(folder) => TempDir::new_in(folder),
            None => TempDir::new(),
        }
        .expect("a temporary folder");
        let data = dir.path();
        let log = Log::open(spool_log::Config::new(data.join("log"))).expect("the log opens");
        let (clock, keys) = (
            Clock::system(),
            Keys::open(&data.join("keys")).expect("the keys open"),
        );
        let tables = Tables::open(data.join("tables")).expect("the tables open");
        let blob_settings = BlobSettings {
            dir: data.join("blobs"),
            min_free_bytes: 1,
        };
        let blobs = Blobs::open(blob_settings).expect("the blobs open");
        let parts = spool_commands::Parts {
            log: log.clone(),
            tables: tables.clone(),
            clock: clock.clone(),
        };
        let commands = Commands::open(parts).expect("the commands open");
        let projections =
            Projections::start(log.clone(), tables.clone(), no_switcher()).expect("the views start");
        // Left out to see what they cost.
        if std::env::var_os("SPOOL_BENCH_WITHOUT_MANAGERS").is_none() {
            let following = commands.clone();
            tokio::spawn(async move {
                let settings = Settings::of(&Config::default());
                following
                    .run_managers(&tables, settings, CancellationToken::new())
                    .await
            });
        }
        let gateway = Gateway::new(Parts {
            config: Arc::new(unlimited()),
            clock,
            log: log.clone(),
            commands: commands.clone(),
            projections: projections.clone(),
            blobs,
            signals: Signals::new(),
            keys,
            metrics: telemetry::metrics(),
        });
        let (owner, token) = register(&gateway, "ada").await;
        let videos = fill(&commands, owner, videos).await;
        projections
            .caught_up(Duration::from_secs(30))
            .await
            .expect("the views follow");
        Self {
            gateway,
            log,
            token,
            videos,
            dir,
        }
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let gateway = self.gateway.clone();
        tokio::spawn(async move { gateway.serve(listener, std::future::pending()).await });
        address
    }

    pub fn change_body(&self, title: &str) -> String {
        serde_json::json!({"title": title, "description": DESCRIPTION, "visibility": "public"}).to_string()
    }

    /// Two changes of the video of a connection, which undo each other.
    pub fn changes(&self, connection: usize) -> Vec<Vec<u8>> {
        let id = self.videos[connection % self.videos.len()];
        let change = |title| {
            let body = self.change_body(title);
            let (token, length) = (&self.token, body.len());
            format!(
                "PUT /api/videos/{id} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        };
        vec![change("A"), change("B")]
    }

    /// The same page, for somebody who is signed in.
    pub fn signed_in_list_request(&self) -> Vec<u8> {
        self.list_request(&format!("Authorization: Bearer {}\r\n", self.token))
    }

    /// Further people, and for each the request that signs them in.
    pub async fn sign_in_requests(&self, people: usize) -> Vec<Vec<u8>> {
        let mut requests = vec![];
        for number in 0..people {
            let name = format!("person-{number}");
            register(&self.gateway, &name).await;
            let body =
                serde_json::json!({"email": format!("{name}@example.org"), "password": PASSWORD}).to_string();
            let length = body.len();
            requests.push(
                format!(
                    "POST /api/auth/login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\n\r\n{body}"
                )
                .into_bytes(),
            );
        }
        requests
    }

    pub fn list_request(&self, headers: &str) -> Vec<u8> {
        format!("GET /api/videos HTTP/1.1\r\nHost: bench\r\n{headers}\r\n").into_bytes()
    }

    /// The bytes that one change writes to the log, as the ideal is to write: read there after such a change.
    pub async fn sample_commit(&self) -> Bytes {
        let video = self.videos[0];
        let request = axum::http::Request::put(format!("/api/videos/{video}"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(axum::body::Body::from(self.change_body("A")))
            .expect("a valid request");
        let answer = self.gateway.router().oneshot(request).await;
        assert_eq!(answer.expect("a router never fails").status(), 200);
        let partition = video.stream().partition(self.log.partitions());
        let last = self.log.head(partition) - 1;
        let records = self.log.read(partition, last, 1).expect("the log can be read");
        records[0].payload.clone()
    }
}

/// With limits that are counted as always, and that nothing here reaches.
fn unlimited() -> Config {
    let high = || {
        Some(Rate::Of {
            requests: 1_000_000_000,
            seconds: 1,
        })
    };
    let mut config = Config::default();
    config.limits = Limits {
        preset: config.limits.preset,
        sign_in: high(),
        commands: high(),
        queries: high(),
        media: high(),
        sockets: high(),
    };
    config
}

async fn register(gateway: &Gateway, name: &str) -> (AccountId, String) {
    let body = serde_json::json!({
        "email": format!("{name}@example.org"), "password": PASSWORD,
        "first_name": "Ada", "last_name": "Lovelace", "username": name,
    });
    let request = axum::http::Request::post("/api/auth/register")
        .header("content-type", "application/json")
        .body(axum::body::Body::from(body.to_string()))
        .expect("a valid request");
    let answer = gateway
        .router()
        .oneshot(request)
        .await
        .expect("a router never fails");
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20)
        .await
        .expect("a whole body");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("registered").to_owned();
    (
        AccountId(text(&body["user"]["id"]).parse().expect("a UUID")),
        text(&body["access_token"]),
    )
}

async fn fill(commands: &Commands, owner: AccountId, count: usize) -> Vec<VideoId> {
    let mut videos = vec![];
    for number in 0..count {
        let video = VideoId(Uuid::new_v4());
        let received = Received {
            video,
            owner,
            description: Described {
                title: format!("Big Buck Bunny {number}"),
                description: DESCRIPTION.to_owned(),
                visibility: Visibility::Public,
            },
            source: Source {
                blob: format!("originals/{video}/{}", UploadId::of(video)),
                file_name: "bbb.mp4".to_owned(),
                bytes: 1_000_000,
                sha256: "00".repeat(32),
                container: "mp4".to_owned(),
            },
        };
        let create = spool_commands::videos::create(&received);
        let actor = Actor::Person {
            account: owner,
            role: spool_domain::actors::Role::Creator,
        };
        let upload = UploadId::of(video).stream();
        commands
            .give(upload, Command::Receive(received), Ask::fresh(actor))
            .await
            .expect("it is taken");
        commands
            .give(video.stream(), create, Ask::fresh(actor))
            .await
            .expect("it is taken");
        videos.push(video);
    }
    videos
}
