//! Disks that fail or are full, and two servers on one directory.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use reqwest::StatusCode;

use super::setup_in;
use crate::account::{Account, reason_of};
use crate::clips::Clips;
use crate::disk::{self, SmallDisk};
use crate::server::Setup;
use crate::waiting::within;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failing_fdatasync_nothing_is_acknowledged() {
    if Command::new("strace").arg("--version").output().is_err() {
        println!("NOT RUN: strace is not installed");
        return;
    }
    for when in [25, 60] {
        fail_the_sync(when)
            .await
            .expect("a failed sync stops all promises");
    }
}

/// Lets every fdatasync from the `when`-th of a thread on fail, and edits one film until nobody answers.
async fn fail_the_sync(when: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clips = Clips::make(folder.path())?;
    let setup = setup_in(folder.path());
    // The film is made before, so that no media process runs below the tracer.
    let server = setup.start().await?;
    let account = Account::register(server.base(), "editor").await?;
    let film = account.uploaded("title 0", clips.tiny.bytes.clone()).await?;
    within(Duration::from_secs(60), "the end of the transcode", async || {
        let films = account.films().await?;
        Ok(if films[0]["status"] == "ready" {
            Ok(())
        } else {
            Err(films[0].to_string())
        })
    })
    .await?;
    server.stop().await?;

    let trace = folder.path().join("trace");
    let inject = format!("inject=fdatasync:error=EIO:when={when}+");
    let words = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-ttt",
        "-e",
        "trace=fdatasync",
        "-e",
        &inject,
        "-o",
    ];
    let words: Vec<&str> = words.into_iter().chain(trace.to_str()).collect();
    let mut server = setup.clone().through(&words).start().await?;
    let account = Account {
        base: server.base(),
        ..account
    };
    let mut acknowledged = Vec::new();
    for number in 1..2000 {
        let sent_at = now();
        match account.retitle(&film, &format!("title {number}")).await {
            Some(status) if status.is_success() => acknowledged.push((sent_at, number)),
            Some(status) => anyhow::ensure!(
                status == StatusCode::SERVICE_UNAVAILABLE,
                "an edit was answered {status}"
            ),
            None => break,
        }
    }
    server
        .ended(Duration::from_secs(20))
        .await
        .context("a failed sync must stop the process")?;

    let failed_at = first_failure(&std::fs::read_to_string(&trace)?).context("no fdatasync failed")?;
    let late: Vec<_> = acknowledged
        .iter()
        .filter(|(sent_at, _)| *sent_at > failed_at)
        .collect();
    anyhow::ensure!(late.is_empty(), "acknowledged after the failed sync: {late:?}");
    anyhow::ensure!(
        !acknowledged.is_empty(),
        "no edit was acknowledged before the failure"
    );

    let server = setup.start().await?;
    let account = Account {
        base: server.base(),
        ..account
    };
    let last = acknowledged.last().map_or(0, |(_, number)| *number);
    let title = account.films().await?[0]["title"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let number: u32 = title
        .trim_start_matches("title ")
        .parse()
        .context("the title has its number")?;
    anyhow::ensure!(
        number == last || number == last + 1,
        "{last} was acknowledged, {title:?} is there"
    );
    server.stop().await?;
    setup.verify()
}

/// When strace saw the first injected failure, in seconds since 1970.
fn first_failure(trace: &str) -> Option<f64> {
    let line = trace.lines().find(|line| line.contains("(INJECTED)"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_clearly_and_goes_on_when_there_is_room() {
    if let Some(reason) = disk::unavailable() {
        println!("NOT RUN: {reason}");
        return;
    }
    fill_the_disk()
        .await
        .expect("a full disk is an answer, not an accident");
}

async fn fill_the_disk() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clips = Clips::make(folder.path())?;
    let disk = SmallDisk::create(folder.path(), 96)?;
    let setup = Setup::new(disk.mounted.join("data"), folder.path().join("server.log"))
        .with("LOG_SEGMENT_BYTES", "1MiB")
        .with("UPLOADS_MIN_FREE_BYTES", "8MiB");
    let server = setup.start().await?;
    let account = Account::register(server.base(), "owner").await?;
    let film = account.uploaded("kept", clips.tiny.bytes.clone()).await?;

    let filler = disk.fill_but(64 * 1024)?;
    let (status, reason) = reason_of(
        account
            .upload("too much", "film.mp4", clips.small.bytes.clone())
            .await?,
    )
    .await?;
    anyhow::ensure!(
        matches!(status, 503 | 507),
        "a full disk was answered {status}: {reason}"
    );

    // Edits need room in the log. What was set aside is used up first, then they are refused, and none is lost.
    let mut last = None;
    let mut refused = None;
    for number in 0..20_000 {
        let title = format!("{number} {}", "x".repeat(180));
        let status = account
            .retitle(&film, &title)
            .await
            .context("a full disk is no reason to stop answering")?;
        if !status.is_success() {
            refused = Some(status.as_u16());
            break;
        }
        last = Some(title);
    }
    anyhow::ensure!(
        matches!(refused, Some(503 | 507)),
        "edits on a full disk were answered {refused:?}"
    );
    // Views are on the same full disk: they answer, and may be behind the log until there is room.
    anyhow::ensure!(
        account.films().await?.len() == 1,
        "the film is not listed on a full disk"
    );

    std::fs::remove_file(filler)?;
    within(
        Duration::from_secs(10),
        "the last acknowledged title",
        async || {
            let shown = account.films().await?;
            let title = shown.first().and_then(|film| film["title"].as_str());
            Ok(if title == last.as_deref() {
                Ok(())
            } else {
                Err(format!("shown is {title:?}"))
            })
        },
    )
    .await?;
    within(
        Duration::from_secs(10),
        "an edit after there was room again",
        async || {
            let status = account
                .retitle(&film, "room again")
                .await
                .context("the server answers")?;
            Ok(if status.is_success() {
                Ok(())
            } else {
                Err(format!("answered {status}"))
            })
        },
    )
    .await?;
    account.uploaded("another", clips.tiny.bytes.clone()).await?;
    server.stop().await?;
    setup.verify()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory_is_refused() {
    double_the_server().await.expect("one directory, one server");
}

async fn double_the_server() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setup = setup_in(folder.path());
    let first = setup.start().await?;
    let second_setup = Setup::new(setup.data(), folder.path().join("second.log"));
    let mut second = second_setup.spawn()?;
    let status = second.ended(Duration::from_secs(20)).await?;
    let said = second.said();
    anyhow::ensure!(!status.success(), "the second server ended as if all were well");
    let names_the_reason = ["another process", "in use", "locked", "held"]
        .iter()
        .any(|word| said.contains(word));
    anyhow::ensure!(names_the_reason, "the second server did not say why: {said}");
    let account = Account::register(first.base(), "undisturbed").await?;
    anyhow::ensure!(account.films().await?.is_empty());
    first.stop().await?;
    setup.verify()
}
