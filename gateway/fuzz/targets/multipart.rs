//! Forms of any shape, sent to the route that takes films: refused with a reason or taken, and never a fault of ours.
#![no_main]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use axum::response::Response;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use spool_blobs::Blobs;
use spool_commands::Commands;
use spool_gateway::{Gateway, Parts};
use spool_log::Log;
use spool_platform::clock::Clock;
use spool_platform::config::{Config, Preset};
use spool_platform::keys::Keys;
use spool_platform::signals::Signals;
use spool_platform::telemetry;
use spool_projections::{Projections, no_switcher};
use spool_tables::Tables;
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

const ANSWER_MAX_BYTES: usize = 1 << 20;

/// A node that listens nowhere, and somebody who may upload.
struct Node {
    router: Router,
    token: String,
    runtime: Runtime,
    _folder: TempDir,
}

static NODE: OnceLock<Node> = OnceLock::new();

// The boundary is `x`.
fuzz_target!(|input: &[u8]| {
    let node = NODE.get_or_init(Node::open);
    node.runtime.block_on(node.upload(input));
});

impl Node {
    fn open() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _entered = runtime.enter();
        let mut config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        config.limits.preset = Preset::Off;
        config.uploads.min_free_bytes = 1;
        config.uploads.max_bytes = 64 * 1024;
        let router = router(config);
        let token = runtime.block_on(registered(&router));
        Self {
            router,
            token,
            _folder: folder,
            runtime,
        }
    }

    async fn upload(&self, form: &[u8]) {
        let request = Request::post("/api/storage/upload/video")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
            .body(Body::from(form.to_vec()))
            .expect("a request");
        let answer = answer(&self.router, request).await;
        let status = answer.status();
        assert!(!status.is_server_error(), "{status}");
        let kind = answer.headers()[header::CONTENT_TYPE].clone();
        let wanted = match status.is_success() {
            true => "application/json",
            false => "application/problem+json",
        };
        assert_eq!(kind, wanted, "{status}");
        let body = to_bytes(answer.into_body(), ANSWER_MAX_BYTES).await.expect("a whole answer");
        serde_json::from_slice::<Value>(&body).expect("an answer in JSON");
    }
}

fn router(config: Config) -> Router {
    let data = config.data_dir.clone();
    let clock = Clock::system();
    let log = Log::open(spool_log::Config::new(data.join("log"))).expect("the log opens");
    let tables = Tables::open(data.join("tables")).expect("the tables open");
    let commands = Commands::open(spool_commands::Parts {
        log: log.clone(),
        tables: tables.clone(),
        clock: clock.clone(),
    });
    let blobs = Blobs::open(spool_blobs::Settings {
        dir: data.join("blobs"),
        min_free_bytes: config.uploads.min_free_bytes,
    });
    let gateway = Gateway::new(Parts {
        config: Arc::new(config),
        clock,
        commands: commands.expect("the commands open"),
        projections: Projections::start(log.clone(), tables, no_switcher()).expect("the views start"),
        log,
        blobs: blobs.expect("the blobs open"),
        signals: Signals::new(),
        keys: Keys::open(&data.join("keys")).expect("the keys open"),
        metrics: telemetry::metrics(),
    });
    gateway.router()
}

async fn registered(router: &Router) -> String {
    let person = json!({
        "email": "ada@example.org", "password": "correct horse battery", "first_name": "Ada",
        "last_name": "Lovelace", "username": "ada",
    });
    let request = Request::post("/api/auth/register")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(person.to_string()))
        .expect("a request");
    let answer = answer(router, request).await;
    let body = to_bytes(answer.into_body(), ANSWER_MAX_BYTES).await.expect("a whole answer");
    let body: Value = serde_json::from_slice(&body).expect("an answer in JSON");
    body["access_token"].as_str().expect("a token").to_owned()
}

async fn answer(router: &Router, request: Request<Body>) -> Response {
    router.clone().oneshot(request).await.expect("a router never fails")
}
