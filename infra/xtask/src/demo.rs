//! `cargo xtask demo`: from a fresh clone to a film playing in the browser.

mod server;
mod visitor;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::flags::Flags;
use crate::setup::{self, Purpose};
use crate::{cargo, say, web};
use server::Server;
use visitor::Visitor;

pub const HELP: &str = "
cargo xtask demo [--data DIR] [--exit]

Installs what is missing, builds the pages and the server, starts it on 127.0.0.1 (port 8080 or the next free one),
signs up a demo account, uploads a film and prints the page where it plays. Runs until Ctrl-C.

  --data DIR   where the server keeps everything (default target/demo-data, which the next demo finds again)
  --exit       stop once the film is playable, for tests
";

const FILM: &str = "infra/demo/bbb_720p25_aac51.mp4";

pub fn run(mut flags: Flags) -> Result<()> {
    let data = flags
        .option("--data")?
        .map_or_else(|| cargo::target().join("demo-data"), PathBuf::from);
    let exit = flags.switch("--exit");
    flags.finish()?;
    let data = std::path::absolute(data)?;

    let node = setup::prepare(Purpose::Build)?;
    web::build(&node)?;
    let step = say::step("building the server");
    cargo::run(&[
        "build",
        "--package",
        "spool",
        "--package",
        "spool-media",
        "--bins",
    ])?;
    step.done();

    let server = Server::start(&data)?;
    let visitor = Visitor::sign_in_or_up(server.address(), &data)?;
    let film = match visitor.newest_film()? {
        Some(film) => film,
        None => upload(&server, &visitor)?,
    };
    let step = say::step("waiting until the film can be played");
    visitor.wait_until_playable(&film)?;
    step.done();

    say::line(&format!(
        "\n  Watch:    http://{address}/watch/{film}\n  Sign in:  http://{address}/ with\n            e-mail    {email}\n            \
         password  {password}\n  API:      http://{address}/api/openapi.json\n",
        address = server.address(),
        email = visitor.email,
        password = visitor.password,
    ));
    if exit {
        return server.stop();
    }
    say::line("Ctrl-C stops the server.");
    server.wait()
}

/// Uploads the film with the product's own command, and gives its id.
fn upload(server: &Server, visitor: &Visitor) -> Result<String> {
    let step = say::step("uploading Big Buck Bunny with `spool upload`");
    let mut spool = Command::new(cargo::debug_binary("spool"));
    spool
        .current_dir(cargo::root())
        .args(["upload", FILM, "--title", "Big Buck Bunny"]);
    // In the environment, so that the password is not in the list of processes.
    spool
        .env("SPOOL_EMAIL", &visitor.email)
        .env("SPOOL_PASSWORD", &visitor.password);
    spool.args([
        "--wait",
        "playable",
        "--url",
        &format!("http://{}", server.address()),
    ]);
    spool.stderr(std::process::Stdio::inherit());
    let printed = spool.output().context("could not start spool upload")?;
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    anyhow::ensure!(
        printed.status.success(),
        "spool upload failed ({}): {text}",
        printed.status
    );
    step.done();
    first_id(&text).with_context(|| format!("spool upload printed no id: {text}"))
}

/// The first UUID in a text.
fn first_id(text: &str) -> Option<String> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let is_id = |window: &&[u8]| {
        window
            .iter()
            .enumerate()
            .all(|(index, byte)| match DASHES.contains(&index) {
                true => *byte == b'-',
                false => byte.is_ascii_hexdigit(),
            })
    };
    let found = text.as_bytes().windows(36).find(is_id)?;
    Some(String::from_utf8_lossy(found).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_wherever_the_upload_prints_it() {
        let id = "0192f0c1-2345-7abc-8def-001122334455";
        assert_eq!(
            first_id(&format!("watch at http://x/watch/{id}.")).as_deref(),
            Some(id)
        );
        assert_eq!(first_id("no id here"), None);
    }

    #[test]
    fn the_demo_film_is_committed() {
        assert!(cargo::root().join(FILM).is_file());
    }
}
