//! The examples for other teams, run as they are: both see what a person does, and nothing about the person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use spool_kafka::Settings;

use super::published::read_all;
use super::{installation, make_topics, writing_to};
use crate::clips::demo_film;
use crate::server::Setup;
use crate::waiting::within;

/// None of it may be found in any topic.
const PERSONAL: [&str; 6] = [
    "kanarienvogel@example.org",
    "Tweetiana",
    "Gelbschnabel",
    "kanarie77",
    "correct horse battery",
    "holiday of Tweetiana.mp4",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_consumers_see_what_a_person_does_and_nothing_about_the_person() {
    story().await.expect("the examples see the same story");
}

async fn story() -> Result<()> {
    let examples = tokio::task::spawn_blocking(Examples::fetch).await??;
    let settings = installation().await;
    make_topics(&settings).await;
    let folder = tempfile::tempdir()?;
    let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"));
    let server = writing_to(setup, &settings).start().await?;
    let (account, video) = upload(&server.base()).await?;

    let seen = within(
        Duration::from_secs(300),
        "the end of the film's transcode",
        async || {
            let seen = examples.python(&settings).await?;
            let is_over = seen.iter().any(|event| event["type"] == "TranscodeCompleted");
            Ok(is_over.then_some(seen).ok_or_else(|| server.said()))
        },
    )
    .await?;
    let also_seen = examples.go(&settings).await?;
    ensure!(by_key(&seen) == by_key(&also_seen), "{seen:#?}\n{also_seen:#?}");

    let stories = by_key(&seen);
    let types = |key: &str| -> Vec<&str> {
        let events = stories.get(key).map(Vec::as_slice).unwrap_or_default();
        events.iter().filter_map(|event| event["type"].as_str()).collect()
    };
    ensure!(types(&account) == ["UserRegistered"]);
    ensure!(stories[&account][0]["data"] == json!({ "role": "creator" }));
    ensure!(types(&video) == ["VideoCreated", "VideoUploaded"]);
    let job = seen
        .iter()
        .find(|event| event["type"] == "TranscodeRequested" && event["data"]["video"] == video.as_str());
    let job = job
        .and_then(|event| event["key"].as_str())
        .context("a job was requested")?;
    let job = types(job);
    ensure!(
        job.starts_with(&["TranscodeRequested", "JobClaimed", "JobProbed"]),
        "{job:?}"
    );
    ensure!(job.ends_with(&["TranscodeCompleted"]), "{job:?}");

    nothing_personal(&settings).await?;
    server.stop().await
}

/// Registers, uploads the demo film, and gives the ids of account and video.
async fn upload(base: &str) -> Result<(String, String)> {
    let http = Client::new();
    let [email, first_name, last_name, username, password, file_name] = PERSONAL;
    let body = json!({
        "email": email, "password": password, "username": username,
        "first_name": first_name, "last_name": last_name,
    });
    let answer = http
        .post(format!("{base}/api/auth/register"))
        .json(&body)
        .send()
        .await?;
    let registered: Value = answer.error_for_status()?.json().await?;
    let token = registered["access_token"]
        .as_str()
        .context("registering gives a token")?;
    let file = Part::bytes(std::fs::read(demo_film())?)
        .file_name(file_name)
        .mime_str("video/mp4")?;
    let form = Form::new()
        .text("title", "A film for everybody")
        .text("visibility", "public")
        .part("file", file);
    let upload = http
        .post(format!("{base}/api/storage/upload/video"))
        .bearer_auth(token);
    let answer = upload.multipart(form).send().await?;
    let uploaded: Value = answer.error_for_status()?.json().await?;
    let video = &uploaded["video"];
    let id = |value: &Value| value.as_str().map(str::to_owned);
    Ok((
        id(&video["owner_id"]).with_context(|| format!("a video has an owner: {video}"))?,
        id(&video["id"]).with_context(|| format!("a video has an id: {video}"))?,
    ))
}

/// Looks through every byte that is in the topics.
async fn nothing_personal(settings: &Settings) -> Result<()> {
    let settings = settings.clone();
    let all = tokio::task::spawn_blocking(move || read_all(&settings)).await?;
    ensure!(!all.is_empty());
    for event in all {
        let whole = format!(
            "{} {:?} {}",
            event.key,
            event.headers,
            String::from_utf8_lossy(&event.body)
        );
        for personal in PERSONAL {
            ensure!(!whole.contains(personal), "{personal} is in {whole}");
        }
    }
    Ok(())
}

/// Each key's events as they came.
fn by_key(events: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in events {
        let key = event["key"].as_str().unwrap_or_default();
        all.entry(key.to_owned()).or_default().push(event.clone());
    }
    all
}

/// Where the examples lie, ready to run.
struct Examples {
    sources: PathBuf,
    fetched: PathBuf,
}

impl Examples {
    /// Fetches what they are made of, once.
    fn fetch() -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let ran = Command::new(sources.join("fetch.sh")).output()?;
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        ensure!(
            ran.status.success(),
            "the examples could not be made ready: {told}"
        );
        let fetched = PathBuf::from(String::from_utf8(ran.stdout)?.trim());
        Ok(Self { sources, fetched })
    }

    async fn python(&self, settings: &Settings) -> Result<Vec<Value>> {
        let mut command = Command::new(self.fetched.join("python/bin/python"));
        command.arg(self.sources.join("python/consume.py"));
        command.args([
            "--brokers",
            &settings.brokers,
            "--prefix",
            &settings.topic_prefix,
            "--to-end",
        ]);
        lines(command).await
    }

    async fn go(&self, settings: &Settings) -> Result<Vec<Value>> {
        let mut command = Command::new(self.fetched.join("consume-go"));
        command
            .arg("-schemas")
            .arg(self.sources.join("../../schemas/public"));
        command.args([
            "-brokers",
            &settings.brokers,
            "-prefix",
            &settings.topic_prefix,
            "-to-end",
        ]);
        lines(command).await
    }
}

async fn lines(mut command: Command) -> Result<Vec<Value>> {
    let ran = tokio::task::spawn_blocking(move || command.output()).await??;
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    ensure!(ran.status.success(), "an example failed ({}): {told}", ran.status);
    let lines = String::from_utf8(ran.stdout)?;
    lines
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}
