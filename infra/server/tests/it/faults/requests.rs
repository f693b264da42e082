//! Requests that are cut off, too large, or full of tricks: a 4xx with a reason, and nothing left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::setup_in;
use crate::account::{Account, reason_of};
use crate::clips::{self, Clips};
use crate::raw;
use crate::server::Server;
use crate::waiting::within;

/// A server, an account, and what lies in the data directory before anything is tried.
struct Bench {
    _folder: tempfile::TempDir,
    data: PathBuf,
    clips: Clips,
    server: Server,
    account: Account,
}

impl Bench {
    async fn set_up() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clips = Clips::make(folder.path())?;
        let setup = setup_in(folder.path());
        let server = setup.start().await?;
        let account = Account::register(server.base(), "tricky").await?;
        Ok(Self {
            data: setup.data().to_owned(),
            _folder: folder,
            clips,
            server,
            account,
        })
    }

    /// No film, and no file of an upload, finished or not.
    async fn expect_nothing_left(&self) -> Result<()> {
        anyhow::ensure!(
            self.account.films().await?.is_empty(),
            "a refused upload is listed"
        );
        let blobs = self.data.join("blobs");
        within(Duration::from_secs(10), "an empty blob folder", async || {
            let lock = blobs.join("lock");
            let left: Vec<_> = files_below(&blobs)
                .into_iter()
                .filter(|file| *file != lock)
                .collect();
            Ok(if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            })
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_cut_off_in_the_middle_leaves_nothing() {
    let bench = Bench::set_up().await.expect("a server");
    let film = std::fs::read(clips::demo_film()).expect("the demo film is committed");
    for part in [0, 1, 4096, film.len() / 2] {
        let body = raw::unfinished_body(&film[..part]);
        let declared = raw::unfinished_body(&film).len() as u64 + 12;
        let answer = raw::upload_cut_off(bench.server.address(), &bench.account.token, declared, &body)
            .expect("the server can be reached");
        let is_4xx = answer.status.is_none_or(|status| (400..500).contains(&status));
        assert!(is_4xx, "{part} bytes of a film were answered {}", answer.text);
        bench.expect_nothing_left().await.expect("nothing is left behind");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_gigabytes_are_refused_before_they_are_sent() {
    let bench = Bench::set_up().await.expect("a server");
    let body = raw::unfinished_body(b"only a little of it");
    let answer = raw::upload_cut_off(bench.server.address(), &bench.account.token, 5 << 30, &body)
        .expect("the server can be reached");
    assert_eq!(answer.status, Some(413), "{}", answer.text);
    assert!(answer.text.contains("problem+json"), "{}", answer.text);
    bench.expect_nothing_left().await.expect("nothing is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_no_films_are_refused_with_a_reason() {
    let bench = Bench::set_up().await.expect("a server");
    let cases: [(&str, &[u8]); 6] = [
        ("nothing", b""),
        ("text", b"this is not a film at all\n"),
        (
            "an executable",
            b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00",
        ),
        (
            "a picture",
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00",
        ),
        (
            "a playlist of another's file",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n",
        ),
        ("a page", b"<!doctype html><script>alert(1)</script>"),
    ];
    for (what, bytes) in cases {
        let answer = bench
            .account
            .upload(what, "film.mp4", Arc::from(bytes))
            .await
            .expect("the server answers");
        let (status, reason) = reason_of(answer).await.expect("a refusal with its reason");
        assert!(
            (400..500).contains(&status),
            "{what} was answered {status}: {reason}"
        );
    }
    bench.expect_nothing_left().await.expect("nothing is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn titles_of_ten_thousand_characters_are_refused() {
    let bench = Bench::set_up().await.expect("a server");
    for title in [
        "x".repeat(10_000),
        "é".repeat(10_000),
        String::new(),
        "line\nbreak".into(),
        "null\0".into(),
    ] {
        let shown: String = title.chars().take(12).collect();
        let answer = bench
            .account
            .upload(&title, "film.mp4", bench.clips.tiny.bytes.clone())
            .await;
        let (status, reason) = reason_of(answer.expect("the server answers"))
            .await
            .expect("a refusal with its reason");
        assert!(
            matches!(status, 400 | 422),
            "{shown:?} was answered {status}: {reason}"
        );
    }
    bench.expect_nothing_left().await.expect("nothing is left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_file_names_are_labels_or_refused_and_never_paths() {
    let bench = Bench::set_up().await.expect("a server");
    let long = format!("{}.mp4", "A".repeat(300));
    let names = [
        "../../../../etc/cron.d/x.mp4",
        "..\\..\\windows\\x.mp4",
        "-i.mp4",
        "--help.mp4",
        "$(touch pwned).mp4",
        "`id`;rm -rf x;.mp4",
        "a|b&c>d.mp4",
        "file:///etc/passwd.mp4",
        "concat:a.mp4|b.mp4",
        "%03d.mp4",
        "<img src=x onerror=alert(1)>.mp4",
        "\"quote'.mp4",
        "naïve café 日本語 🎬.mp4",
        "bell\u{7}.mp4",
        "\u{202e}4pm.exe",
        "CON.mp4",
        ".hidden",
        "noextension",
        &long,
    ];
    for name in names {
        let answer = bench
            .account
            .upload("a name", name, bench.clips.tiny.bytes.clone())
            .await;
        let answer = answer.expect("the server answers");
        if answer.status().as_u16() == 201 {
            let body: Value = answer.json().await.expect("an answer in JSON");
            let label = body["video"]["file_name"].as_str().unwrap_or_default();
            assert!(
                !label.contains(['/', '\\', '<', '>', '\u{7}', '\u{202e}']),
                "{name:?} became the label {label:?}"
            );
            continue;
        }
        let (status, reason) = reason_of(answer).await.expect("a refusal with its reason");
        assert!(
            (400..500).contains(&status),
            "{name:?} was answered {status}: {reason}"
        );
    }
    for path in files_below(&bench.data) {
        let text = path.to_string_lossy().into_owned();
        let derived = [
            "cron", "windows", "help", "pwned", "passwd", "quote", "CON", "hidden", "AAAA", "%03d",
        ];
        assert!(
            !derived.iter().any(|word| text.contains(word)),
            "a stored path comes from a name: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_the_wrong_shape_are_refused_with_a_reason() {
    let bench = Bench::set_up().await.expect("a server");
    let account = &bench.account;
    let bodies = [
        ("no JSON", "{".to_owned()),
        ("a list", "[]".to_owned()),
        (
            "wrong kinds",
            json!({ "email": 1, "password": [], "username": {} }).to_string(),
        ),
        ("a short password", registration("a@example.org", "x", "somebody")),
        (
            "no e-mail",
            registration("not an address", "correct horse battery", "somebody"),
        ),
        (
            "markup as a name",
            registration("b@example.org", "correct horse battery", "<b>x</b>"),
        ),
        (
            "ten thousand characters",
            registration("c@example.org", "correct horse battery", &"x".repeat(10_000)),
        ),
    ];
    for (what, body) in bodies {
        let post = account
            .http
            .post(format!("{}/api/auth/register", account.base))
            .body(body);
        let answer = post
            .header("Content-Type", "application/json")
            .send()
            .await
            .expect("the server answers");
        let (status, reason) = reason_of(answer).await.expect("a refusal with its reason");
        assert!(
            (400..500).contains(&status),
            "{what} was answered {status}: {reason}"
        );
    }
    for path in [
        "/api/videos/not-an-id",
        "/api/jobs/0",
        "/api/videos?limit=0",
        "/api/videos?cursor=%00",
        "/api/none",
    ] {
        let get = account
            .http
            .get(format!("{}{path}", account.base))
            .bearer_auth(&account.token);
        let (status, reason) = reason_of(get.send().await.expect("the server answers"))
            .await
            .expect("a reason");
        assert!(
            (400..500).contains(&status),
            "{path} was answered {status}: {reason}"
        );
    }
}

fn registration(email: &str, password: &str, username: &str) -> String {
    let body = json!({
        "email": email, "password": password, "username": username, "first_name": "Some", "last_name": "Body",
    });
    body.to_string()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else {
            files.push(path)
        }
    }
    files
}
