//! Uploads every film of a folder and holds the outcome against what the folder's manifest says.

mod generated;
mod manifest;

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::account::Account;
use crate::server::Setup;
use crate::waiting::within;
use manifest::{Line, Outcome};

/// Hostile films call this address; nothing may ever connect.
const CANARY: &str = "127.0.0.1:18999";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_films_gets_what_its_manifest_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let corpus = match std::env::var_os("CAMPAIGN_CORPUS") {
        Some(corpus) => corpus.into(),
        None => generated::corpus(folder.path()).expect("ffmpeg makes the films"),
    };
    let wrong = upload_all(folder.path(), &corpus)
        .await
        .expect("the films can be uploaded");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Uploads them all, waits for each, and gives what went other than the manifest says.
async fn upload_all(folder: &Path, corpus: &Path) -> Result<Vec<String>> {
    let calls = watch_the_canary();
    let setup = Setup::new(folder.join("data"), folder.join("server.log"));
    let server = setup.start().await?;
    let account = Account::register(server.base(), "films").await?;
    let mut wrong = Vec::new();
    let mut waiting = Vec::new();
    let lines = manifest::read(corpus)?;
    println!("{} films", lines.len());
    for line in lines {
        let bytes =
            std::fs::read(corpus.join(&line.file)).with_context(|| format!("{} is not there", line.file))?;
        let (status, body) = upload(&account, &line, bytes).await?;
        match status {
            201 => waiting.push((line, body["video"]["id"].as_str().unwrap_or_default().to_owned())),
            _ => judge(
                &line,
                Outcome::Refused {
                    status,
                    reason: text(&body["detail"]),
                },
                &mut wrong,
            ),
        }
    }
    for (line, id) in waiting {
        let film = ended(&account, &id).await.with_context(|| line.file.clone())?;
        judge(&line, Outcome::of(film), &mut wrong);
    }
    let calls = calls.map_or(0, |calls| calls.load(Ordering::SeqCst));
    if calls > 0 {
        wrong.push(format!("something connected to {CANARY} {calls} times"));
    }
    server.stop().await?;
    setup.verify()?;
    Ok(wrong)
}

fn judge(line: &Line, outcome: Outcome, wrong: &mut Vec<String>) {
    let verdict = line.hold_against(&outcome);
    let shown = outcome.shown();
    match verdict {
        Ok(()) => println!("  {}: {shown}", line.file),
        Err(complaint) => {
            println!("  {}: {shown} (WRONG: {complaint})", line.file);
            wrong.push(format!(
                "{} ({}): {complaint}; it was {shown}",
                line.file, line.expected
            ));
        }
    }
}

async fn upload(account: &Account, line: &Line, bytes: Vec<u8>) -> Result<(u16, Value)> {
    let name = line.file.rsplit('/').next().unwrap_or_default();
    let answer = account.upload(&line.file, name, bytes.into()).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.unwrap_or(Value::Null)))
}

/// The film once its job has ended, well or not.
async fn ended(account: &Account, id: &str) -> Result<Value> {
    let url = format!("{}/api/videos/{id}", account.base);
    within(Duration::from_secs(300), "the end of a job", async || {
        let asked = account.http.get(&url).bearer_auth(&account.token);
        let film: Value = asked.send().await?.json().await?;
        let has_ended = matches!(film["status"].as_str(), Some("ready" | "failed"));
        Ok(if has_ended {
            Ok(film)
        } else {
            Err(film.to_string())
        })
    })
    .await
}

/// Counts connections to the canary's address; nothing when somebody else listens there.
fn watch_the_canary() -> Option<Arc<AtomicUsize>> {
    static LISTENER: Mutex<Option<TcpListener>> = Mutex::new(None);
    let listener = TcpListener::bind(CANARY).ok()?;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let heard = listener.try_clone().ok()?;
    *LISTENER.lock().ok()? = Some(listener);
    std::thread::spawn(move || {
        for _ in heard.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    Some(calls)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
