//! A client in Python, generated from the document that the real binary serves: it registers, signs in, uploads, lists, and
//! reads a refusal as a problem.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::clips::demo_film;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_python_client_does_what_a_person_does() {
    story().await.expect("the client is understood, and understands");
}

async fn story() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Place::Directory.setup(folder.path()).await?.start().await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/generated_client/check.sh");
    let output = Command::new(script)
        .args([server.base().as_ref(), folder.path(), demo_film().as_path()] as [&Path; 3])
        .stdin(Stdio::null())
        .output()
        .await
        .context("bash starts")?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}\n{}", server.said());
    println!("{said}");
    server.stop().await
}
