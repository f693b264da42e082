//! Mail of the real binary: into a file, and to a mail server that goes away and comes back.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use spool_services::Mail;

use crate::account::Account;
use crate::place::Place;
use crate::server::Server;
use crate::waiting::within;

/// Longer than the longest pause between two tries that these stories can get to.
const SOON: Duration = Duration::from_secs(60);
const OLD: &str = "correct horse battery";
const NEW: &str = "another battery, another horse";

async fn post(server: &Server, path: &str, body: &Value) -> Result<StatusCode> {
    let url = format!("{}/api/auth/{path}", server.base());
    Ok(Client::new().post(url).json(body).send().await?.status())
}

async fn login(server: &Server, email: &str, password: &str) -> Result<StatusCode> {
    post(server, "login", &json!({ "email": email, "password": password })).await
}

async fn forgot(server: &Server, email: &str) -> Result<()> {
    let status = post(server, "forgot-password", &json!({ "email": email })).await?;
    anyhow::ensure!(
        status == StatusCode::ACCEPTED,
        "forgot-password was answered {status}"
    );
    Ok(())
}

/// The token of the link to `page` in a mail, as somebody reads it who sees the text.
pub fn token(mail: &str, page: &str) -> Option<String> {
    let link = mail
        .split_whitespace()
        .find(|word| word.contains(&format!("/{page}#token=")))?;
    Some(link.split_once("#token=")?.1.to_owned())
}

/// The first mail for `email` with a link to `page`, of those in the box.
pub async fn arrived(
    mut taken: impl FnMut() -> Result<Vec<String>>,
    email: &str,
    page: &str,
) -> Result<String> {
    within(SOON, "the mail", async || {
        let mails = taken()?;
        let is_it = |mail: &&String| mail.contains(&format!("To: {email}")) && token(mail, page).is_some();
        Ok(mails
            .iter()
            .find(is_it)
            .cloned()
            .ok_or_else(|| format!("{} others", mails.len())))
    })
    .await
}

pub fn mails_in(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let start = "From spool@localhost ";
    Ok(text.split(start).skip(1).map(str::to_owned).collect())
}

/// Waits until the lines of all the server's runs have said something so often.
async fn said(folder: &Path, what: &str, times: usize) -> Result<()> {
    within(SOON, what, async || {
        let lines = std::fs::read_to_string(folder.join("server.log"))?;
        let is_said = lines.matches(what).count() >= times;
        Ok(if is_said { Ok(()) } else { Err(lines) })
    })
    .await
}

/// Everything with a link, from the registration to the new password.
#[tokio::test(flavor = "multi_thread")]
async fn mail_in_a_file_can_be_read_and_its_links_are_good() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("mail");
    let setup = Place::Directory.setup(folder.path()).await?;
    let setup = setup
        .with("MAIL_FILE", file.to_str().context("a path in UTF-8")?)
        .with("PUBLIC_URL", "https://films.example/")
        .with("MAIL_FROM", "\"Films, and more\" <films@films.example>");
    let server = setup.start().await?;
    let ada = Account::register(server.base(), "ada").await?;
    let confirmation = arrived(|| mails_in(&file), "ada@example.org", "confirm-email").await?;
    let link = "\n\nhttps://films.example/confirm-email#token=";
    anyhow::ensure!(confirmation.contains(link), "{confirmation}");
    // A name with a comma goes as an encoded word (RFC 2047).
    let from_us = "From: =?utf-8?b?RmlsbXMsIGFuZCBtb3Jl?= <films@films.example>\n";
    anyhow::ensure!(confirmation.contains(from_us), "{confirmation}");
    let id = confirmation
        .lines()
        .find(|line| line.starts_with("Message-ID: <"));
    anyhow::ensure!(
        id.is_some_and(|id| id.ends_with("@films.example>")),
        "{confirmation}"
    );
    let confirm = json!({ "token": token(&confirmation, "confirm-email") });
    assert_eq!(
        post(&server, "confirm-email", &confirm).await?,
        StatusCode::NO_CONTENT
    );
    forgot(&server, "ada@example.org").await?;
    let mail = arrived(|| mails_in(&file), "ada@example.org", "reset-password").await?;
    let reset = json!({ "token": token(&mail, "reset-password"), "password": NEW });
    assert_eq!(
        post(&server, "reset-password", &reset).await?,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        post(&server, "reset-password", &reset).await?,
        StatusCode::CONFLICT
    );
    assert_eq!(
        login(&server, "ada@example.org", OLD).await?,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(login(&server, "ada@example.org", NEW).await?, StatusCode::OK);
    let profile = ada
        .http
        .get(format!("{}/api/auth/profile", ada.base))
        .bearer_auth(&ada.token);
    assert_eq!(profile.send().await?.status(), StatusCode::UNAUTHORIZED);
    server.stop().await?;
    assert_eq!(mails_in(&file)?.len(), 2, "each mail once");
    // What was sent is not sent again.
    let server = setup.start().await?;
    Account::register(server.base(), "eve").await?;
    arrived(|| mails_in(&file), "eve@example.org", "confirm-email").await?;
    assert_eq!(mails_in(&file)?.len(), 3);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_no_mail_can_be_sent_with_are_said_at_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setup = Place::Directory.setup(folder.path()).await?;
    let wrong = [
        ("MAIL_FROM", "films", "mail.from is no sender"),
        (
            "MAIL_SMTP_URL",
            "mail.example",
            "it starts with smtp:// or smtps://",
        ),
    ];
    for (name, value, complaint) in wrong {
        let setup = setup
            .clone()
            .with("MAIL_SMTP_URL", "smtp://127.0.0.1:1")
            .with(name, value);
        let mut server = setup.spawn()?;
        let status = server.ended(SOON).await?;
        assert!(!status.success(), "{name}={value} was taken");
        assert!(server.said().contains(complaint), "{}", server.said());
    }
    let printed = setup
        .run(&["serve", "--mail-file", "/tmp/mail.txt", "--print-config"])
        .await?;
    let printed = String::from_utf8(printed.stdout)?;
    assert!(printed.contains("\nfile = \"/tmp/mail.txt\"\n"), "{printed}");
    Ok(())
}

/// The mail server is away, the node is killed between the fact and the mail, and everything comes in the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_waits_for_the_mail_server_and_outlives_a_kill() -> Result<()> {
    waits_and_outlives_a_kill(Place::Directory).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_waits_and_outlives_a_kill_on_kafka_cassandra_and_s3() -> Result<()> {
    waits_and_outlives_a_kill(Place::Servers).await
}

async fn waits_and_outlives_a_kill(place: Place) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut mail = tokio::task::spawn_blocking(Mail::start).await??;
    let setup = place
        .setup(folder.path())
        .await?
        .with("MAIL_SMTP_URL", &mail.url());
    let server = setup.start().await?;
    Account::register(server.base(), "ada").await?;
    arrived(|| Ok(mail.taken()?), "ada@example.org", "confirm-email").await?;
    tokio::task::block_in_place(|| mail.kill())?;
    forgot(&server, "ada@example.org").await?;
    said(folder.path(), "mail cannot be sent", 1).await?;
    server.kill()?;
    let lines = std::fs::read_to_string(folder.path().join("server.log"))?;
    let before = lines.matches("mail cannot be sent").count();
    let server = setup.start().await?;
    said(folder.path(), "mail cannot be sent", before + 1).await?;
    // Everything else goes on meanwhile.
    Account::register(server.base(), "eve").await?;
    tokio::task::block_in_place(|| mail.restart())?;
    let reset = arrived(|| Ok(mail.taken()?), "ada@example.org", "reset-password").await?;
    arrived(|| Ok(mail.taken()?), "eve@example.org", "confirm-email").await?;
    let reset = json!({ "token": token(&reset, "reset-password"), "password": NEW });
    assert_eq!(
        post(&server, "reset-password", &reset).await?,
        StatusCode::NO_CONTENT
    );
    assert_eq!(login(&server, "ada@example.org", NEW).await?, StatusCode::OK);
    server.stop().await
}

/// An address that the server refuses holds up nobody else, and is not told to the application log.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_have_mail_holds_up_nobody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mail = tokio::task::spawn_blocking(Mail::start).await??;
    let setup = Place::Directory.setup(folder.path()).await?;
    let setup = setup
        .with("MAIL_SMTP_URL", &mail.url())
        .with("LOG_PARTITIONS", "1");
    let server = setup.start().await?;
    Account::register(server.base(), "never").await?;
    Account::register(server.base(), "later").await?;
    Account::register(server.base(), "ada").await?;
    arrived(|| Ok(mail.taken()?), "ada@example.org", "confirm-email").await?;
    arrived(|| Ok(mail.taken()?), "later@example.org", "confirm-email").await?;
    said(folder.path(), "the mail server said 550", 1).await?;
    let log = std::fs::read_to_string(folder.path().join("server.log"))?;
    assert!(log.contains("the mail server said 451"), "{log}");
    assert!(!log.contains("example.org"), "{log}");
    server.stop().await?;
    assert_eq!(mail.taken()?.len(), 2);
    Ok(())
}

/// A link whose time is over when the mail server is back is of no use to anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_link_is_not_sent() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut mail = tokio::task::spawn_blocking(Mail::start).await??;
    let setup = Place::Directory.setup(folder.path()).await?;
    let setup = setup
        .with("MAIL_SMTP_URL", &mail.url())
        .with("LOG_PARTITIONS", "1")
        .with("MAIL_RESET_LINK_SECONDS", "5");
    let server = setup.start().await?;
    Account::register(server.base(), "ada").await?;
    let confirmation = arrived(|| Ok(mail.taken()?), "ada@example.org", "confirm-email").await?;
    tokio::task::block_in_place(|| mail.kill())?;
    forgot(&server, "ada@example.org").await?;
    said(folder.path(), "mail cannot be sent", 1).await?;
    server.kill()?;
    // Time is what this is about: that is how long the link is good.
    tokio::time::sleep(Duration::from_secs(5)).await;
    tokio::task::block_in_place(|| mail.restart())?;
    let server = setup.start().await?;
    // The only partition is followed in order, but mails are not sent so: what is of no use is dropped before this one comes.
    Account::register(server.base(), "eve").await?;
    arrived(|| Ok(mail.taken()?), "eve@example.org", "confirm-email").await?;
    server.stop().await?;
    let mails = mail.taken()?;
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert_eq!(mails[0], confirmation);
    Ok(())
}
