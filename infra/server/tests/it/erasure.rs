//! A person is erased: what a byte scan finds of her then, in the data and in a backup of before.

mod canaries;
mod servers;

use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use canaries::{Canary, Sighting, look, see, there};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::clips::Clips;
use crate::cluster::Servers;
use crate::place::Place;
use crate::server::{Server, Setup};
use crate::waiting::within;

const PASSWORD: &str = "correct horse battery";
const VIEWS: [&str; 5] = ["accounts", "catalogue", "jobs", "analytics", "audit"];

/// Somebody with words that nobody else has.
struct Somebody {
    http: Client,
    mark: &'static str,
    id: String,
    token: String,
}

impl Somebody {
    fn words(mark: &str) -> [(&'static str, String); 11] {
        [
            ("e-mail address", format!("mail-{mark}@canary.example")),
            ("username", format!("user.{mark}")),
            ("first name", format!("First {mark}")),
            ("last name", format!("Last {mark}")),
            ("program", format!("Agent/{mark}")),
            ("preference", format!("xx-{mark}")),
            ("name of a key", format!("Key {mark}")),
            ("title", format!("Title {mark}")),
            ("description", format!("Description {mark}")),
            ("file name", format!("file-{mark}.mp4")),
            ("film", format!("Picture {mark}")),
        ]
    }

    async fn register(base: &str, mark: &'static str) -> Result<Self> {
        let [email, username, first, last, agent, ..] = Self::words(mark).map(|(_, word)| word);
        let http = Client::new();
        let said = json!({
            "email": email, "password": PASSWORD, "username": username, "first_name": first, "last_name": last,
        });
        let asked = http
            .post(format!("{base}/api/auth/register"))
            .header(USER_AGENT, agent);
        let answer: Value = asked.json(&said).send().await?.error_for_status()?.json().await?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        Ok(Self {
            http,
            mark,
            id: text(&answer["user"]["id"])?,
            token: text(&answer["access_token"])?,
        })
    }

    async fn arrange(&self, base: &str) -> Result<()> {
        let [_, _, _, _, _, language, key, ..] = Self::words(self.mark).map(|(_, word)| word);
        let preferred = self.http.put(format!("{base}/api/users/{}/preferences", self.id));
        let preferred = preferred.json(&json!({ "language": language }));
        preferred
            .bearer_auth(&self.token)
            .send()
            .await?
            .error_for_status()?;
        let made = self.http.post(format!("{base}/api/auth/api-keys"));
        let made = made.json(&json!({ "name": key, "scopes": ["videos:read"] }));
        made.bearer_auth(&self.token).send().await?.error_for_status()?;
        Ok(())
    }

    /// A film with a word among its bytes, where no player looks.
    async fn upload(&self, base: &str, film: &[u8]) -> Result<String> {
        let [.., title, description, file_name, word] = Self::words(self.mark).map(|(_, word)| word);
        let length = u32::try_from(8 + word.len())?;
        let bytes = [film, &length.to_be_bytes(), b"free", word.as_bytes()].concat();
        let form = Form::new()
            .text("title", title)
            .text("description", description)
            .part("file", Part::bytes(bytes).file_name(file_name));
        let asked = self.http.post(format!("{base}/api/storage/upload/video"));
        let answer = asked.bearer_auth(&self.token).multipart(form).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let id = answer["video"]["id"].as_str();
        Ok(id.context("a video has an id")?.to_owned())
    }

    /// A picture of the film as her own, and some bytes of what is shown then.
    async fn be_seen(&self, base: &str, video: &str) -> Result<Vec<u8>> {
        let thumbnail = format!("/api/storage/videos/{video}/thumbnail");
        let thumbnail = self.get(base, &thumbnail).await?.error_for_status()?;
        let picture = thumbnail.bytes().await?;
        let path = format!("/api/users/{}/avatar", self.id);
        let set = self.http.put(format!("{base}{path}")).bearer_auth(&self.token);
        let set = set.header(CONTENT_TYPE, "image/jpeg").body(picture);
        set.send().await?.error_for_status()?;
        let shown = self.get(base, &path).await?.error_for_status()?.bytes().await?;
        // Behind the tables, which all pictures have, there is only what is seen in this one.
        Ok(shown[shown.len() - 200..shown.len() - 100].to_vec())
    }

    async fn get(&self, base: &str, path: &str) -> Result<reqwest::Response> {
        let asked = self.http.get(format!("{base}{path}")).bearer_auth(&self.token);
        Ok(asked.send().await?)
    }

    async fn wait_for_the_film(&self, base: &str, video: &str) -> Result<()> {
        within(Duration::from_secs(120), "the film", async || {
            let answer = self.get(base, &format!("/api/videos/{video}")).await?;
            let answer: Value = answer.json().await?;
            Ok(match answer["status"].as_str() {
                Some("ready") => Ok(()),
                other => Err(format!("{other:?}")),
            })
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_erased_person_nothing_is_found_in_any_file_or_backup_and_others_keep_all() {
    check(Place::Directory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_erased_person_nothing_is_found_on_kafka_cassandra_and_s3_and_others_keep_all() {
    check(Place::Servers).await;
}

async fn check(place: Place) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    erase_and_look(place, folder.path())
        .await
        .expect("nothing is left");
}

/// Everything that is kept, wherever that is.
async fn look_everywhere(place: Place, setup: &Setup, canaries: &[Canary]) -> Result<Vec<Sighting>> {
    let mut sightings = look(setup.data(), canaries)?;
    if let Place::Servers = place {
        for (name, bytes) in servers::everything(Servers::shared().await, setup).await? {
            see(Path::new(&name), &bytes, canaries, &mut sightings);
        }
    }
    Ok(sightings)
}

async fn erase_and_look(place: Place, folder: &Path) -> Result<()> {
    let setup = place.setup(folder).await?;
    let server = setup.start().await?;
    let base = server.base();
    let film = Clips::make(folder)?.tiny.bytes;
    let gone = Somebody::register(&base, "zq7f3akx").await?;
    let other = Somebody::register(&base, "hw2m9dvb").await?;
    gone.arrange(&base).await?;
    other.arrange(&base).await?;
    let (video, others) = (
        gone.upload(&base, &film).await?,
        other.upload(&base, &film).await?,
    );
    gone.wait_for_the_film(&base, &video).await?;
    other.wait_for_the_film(&base, &others).await?;
    let picture = gone.be_seen(&base, &video).await?;
    let words = Somebody::words(gone.mark).map(|(what, word)| Canary::new(what, word));
    let canaries: Vec<Canary> = words
        .into_iter()
        .chain([Canary::of_bytes("picture", &picture)])
        .collect();

    // The film is kept as it came, so whoever looks finds it: the search sees what there is.
    let before = look_everywhere(place, &setup, &canaries).await?;
    ensure!(before.iter().any(|seen| seen.what == "film"), "{before:?}");
    exported(&gone, &base, &canaries).await?;
    let backup = folder.join("backup");
    copy(setup.data(), &backup, "keys")?;

    let url = format!("{base}/api/users/{}", gone.id);
    let deleted = gone.http.delete(&url).bearer_auth(&gone.token).send().await?;
    ensure!(deleted.status() == 204, "{deleted:?}");
    ensure!(gone.get(&base, "/api/auth/profile").await?.status() == 401);
    within(Duration::from_secs(60), "the end of the films", async || {
        let mut seen = look_everywhere(place, &setup, &canaries).await?;
        seen.retain(|seen| seen.what == "film");
        let shown = other.get(&base, &format!("/api/videos/{video}")).await?.status();
        Ok(if seen.is_empty() && shown == 404 {
            Ok(())
        } else {
            Err(format!("{seen:?}, {shown}"))
        })
    })
    .await?;

    // Nothing comes back by making everything anew.
    for view in VIEWS {
        let rebuilt = setup
            .run(&["rebuild", view, "--data", &path(setup.data())])
            .await?;
        ensure!(rebuilt.status.success(), "{rebuilt:?}");
    }
    others_are_whole(&other, &base, &others).await?;
    ensure!(
        gone.get(&base, &format!("/api/users/{}", gone.id))
            .await?
            .status()
            != 200
    );
    let said = std::fs::read(folder.join("server.log"))?;
    for canary in &canaries {
        ensure!(
            canary.form_in(&said).is_none(),
            "{} in the application's log",
            canary.what
        );
    }
    server.stop().await?;
    let after = look_everywhere(place, &setup, &canaries).await?;
    ensure!(after.is_empty(), "{after:#?}");
    if let Place::Directory = place {
        setup.verify()?;
    }
    // A backup has the films as they came, and without the keys no other word.
    let kept: Vec<_> = look(&backup, &canaries)?;
    let words = kept.iter().filter(|seen| seen.what != "film").collect::<Vec<_>>();
    ensure!(words.is_empty(), "{words:#?}");
    let server: Server = setup.start().await?;
    others_are_whole(&other, &server.base(), &others).await?;
    server.stop().await
}

/// The archive has all of the words.
async fn exported(gone: &Somebody, base: &str, canaries: &[Canary]) -> Result<()> {
    let answer = gone
        .get(base, &format!("/api/users/{}/export?files=true", gone.id))
        .await?;
    let bytes = answer.error_for_status()?.bytes().await?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let mut all = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        all.extend_from_slice(file.name()?.as_bytes());
        file.read_to_end(&mut all)?;
    }
    for canary in canaries {
        ensure!(
            canary.form_in(&all).is_some(),
            "no {} in the archive: {}",
            canary.what,
            canary.word
        );
    }
    Ok(())
}

async fn others_are_whole(other: &Somebody, base: &str, video: &str) -> Result<()> {
    let profile: Value = other.get(base, "/api/auth/profile").await?.json().await?;
    let shown: Value = other
        .get(base, &format!("/api/videos/{video}"))
        .await?
        .json()
        .await?;
    let words = Somebody::words(other.mark).map(|(_, word)| word);
    ensure!(
        profile["email"] == words[0] && shown["title"] == words[7],
        "{profile} {shown}"
    );
    ensure!(
        shown["status"] == "ready" && shown["file_name"] == words[9],
        "{shown}"
    );
    Ok(())
}

/// Everything but the folder of this name at the top.
fn copy(from: &Path, to: &Path, without: &str) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() == without {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, "")?;
        } else if entry.file_type()?.is_file() {
            there(std::fs::copy(entry.path(), target))?;
        }
    }
    Ok(())
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
