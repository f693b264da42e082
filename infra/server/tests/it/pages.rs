//! The story of the pages in a real Chromium: register, upload, and watch while the job still runs.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

use crate::clips;
use crate::cluster::fleet::Fleet;
use crate::place::Place;

/// Long enough that the transcode is still running when the film already plays.
const LOOPS: &str = "33";
const STORY_SECONDS: &str = "420";

#[test]
fn somebody_registers_uploads_and_watches_before_the_transcode_has_ended() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let setup = runtime.block_on(Place::Directory.setup(folder.path()))?;
    let server = runtime.block_on(setup.start())?;
    story(&server.base(), folder.path()).with_context(|| server.said())?;
    runtime.block_on(server.stop())?;
    setup.verify()
}

/// Each role in a process of its own: what the page shows of the transcode has come from another node.
#[test]
fn somebody_does_the_same_on_a_cluster_on_kafka_cassandra_and_s3() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let roles = ["gateway", "commands", "projections", "workers"];
    let fleet = runtime.block_on(Fleet::start(folder.path(), &roles))?;
    story(&fleet.base(0)?, folder.path()).with_context(|| fleet.said())?;
    runtime.block_on(fleet.stop_and_verify())
}

fn story(url: &str, folder: &Path) -> Result<()> {
    let film = folder.join("three-minutes.mp4");
    let demo = clips::demo_film().display().to_string();
    clips::ffmpeg(&["-stream_loop", LOOPS, "-i", &demo, "-c", "copy"], &film)?;
    tell(url, &film, folder)
}

fn tell(url: &str, film: &Path, folder: &Path) -> Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gateway/web");
    let shots = std::env::var_os("CAMPAIGN_SHOTS").unwrap_or_else(|| folder.join("shots").into());
    let output = Command::new("node")
        .arg("e2e/story.mjs")
        .current_dir(&web)
        .env("SPOOL_URL", url)
        .env("FILM", film)
        .env("SHOTS", shots)
        .env("STORY_SECONDS", STORY_SECONDS)
        .output()
        .context("starting node")?;
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!(
            "the story went wrong ({}):\n{told}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    println!("{told}");
    Ok(())
}
