//! The story of the pages in a real Chromium: register, upload, and watch while the job still runs.

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::clips;
use crate::cluster::fleet::Fleet;
use crate::place::Place;
use crate::server::Server;
use crate::waiting::within;

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
    tell("e2e/story.mjs", url, folder, &[("FILM", film.as_os_str())])
}

/// An account's owner looks after it, and an administrator after everybody.
#[test]
fn somebody_looks_after_an_account_and_an_administrator_after_everybody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mail = folder.path().join("mail");
    let runtime = tokio::runtime::Runtime::new()?;
    let setup = runtime.block_on(Place::Directory.setup(folder.path()))?;
    let setup = setup.with("MAIL_FILE", &mail.display().to_string());
    let server = runtime.block_on(setup.start())?;
    runtime.block_on(first_admin(&server))?;
    let given: [(&str, &OsStr); 3] = [
        ("ADMIN_EMAIL", ADMIN_EMAIL.as_ref()),
        ("ADMIN_PASSWORD", ADMIN_PASSWORD.as_ref()),
        ("MAIL_FILE", mail.as_os_str()),
    ];
    tell("e2e/accounts.mjs", &server.base(), folder.path(), &given).with_context(|| server.said())?;
    runtime.block_on(server.stop())?;
    setup.verify()
}

const SOON: Duration = Duration::from_secs(30);
const ADMIN_EMAIL: &str = "admin@example.org";
const ADMIN_PASSWORD: &str = "an administrator walks too";

/// Registers by the secret that the server printed.
async fn first_admin(server: &Server) -> Result<()> {
    let secret = within(SOON, "how the first administrator registers", async || {
        let said = server.said();
        let rest = said.split("may register as the first one, once:").nth(1);
        let secret = rest.and_then(|rest| rest.split_whitespace().next());
        Ok(secret.map(str::to_owned).ok_or(said.clone()))
    })
    .await?;
    let body = json!({
        "secret": secret, "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD, "username": "admin",
        "first_name": "Addie", "last_name": "Min",
    });
    let url = format!("{}/api/auth/register-admin", server.base());
    let answer = reqwest::Client::new().post(url).json(&body).send().await?;
    answer.error_for_status()?;
    Ok(())
}

fn tell(script: &str, url: &str, folder: &Path, given: &[(&str, &OsStr)]) -> Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gateway/web");
    let shots = std::env::var_os("CAMPAIGN_SHOTS").unwrap_or_else(|| folder.join("shots").into());
    let output = Command::new("node")
        .arg(script)
        .current_dir(&web)
        .env("SPOOL_URL", url)
        .envs(given.iter().copied())
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
