//! A person who gives one command after another and remembers what was acknowledged.
//!
//! The memory is the oracle of the campaigns: what was answered must be there after every crash, once; what was not
//! answered is sent again with the same key and must then have happened once.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::broken::broken;
use crate::clips::Clips;
use crate::command::{Answer, Asks, Command, Heard};
use crate::waiting::within;

/// How often each kind of command is given, in parts of a hundred; the rest are descriptions.
#[derive(Clone, Copy)]
pub struct Mix {
    pub uploads: u32,
    pub small_instead_of_tiny: u32,
    pub deletes: u32,
    /// Commands that were acknowledged before, sent once more: they must change nothing.
    pub repeats: u32,
}

pub struct Person {
    http: Client,
    name: String,
    token: Option<String>,
    films: Vec<Film>,
    /// The command that has had no answer yet. There is never more than one.
    doubt: Option<Command>,
    /// How that answer stayed away.
    silence: String,
    acknowledged: Vec<Command>,
    commands: u32,
}

pub struct Film {
    pub id: String,
    pub title: String,
    visibility: &'static str,
    etag: Option<String>,
    seen: Option<String>,
    pub deleted: bool,
    pub seconds: f64,
}

impl Person {
    pub fn new(name: String) -> Self {
        let http = Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client without TLS");
        Self {
            http,
            name,
            token: None,
            films: Vec::new(),
            doubt: None,
            silence: String::new(),
            acknowledged: Vec::new(),
            commands: 0,
        }
    }

    pub fn films(&self) -> impl Iterator<Item = &Film> {
        self.films.iter().filter(|film| !film.deleted)
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Gives one command. `false` means that there was no answer: the server is gone.
    pub async fn act(&mut self, base: &str, mix: Mix, clips: &Clips, choices: &mut StdRng) -> Result<bool> {
        let draw = choices.random_range(0..100);
        let may_repeat = mix.uploads + mix.deletes..mix.uploads + mix.deletes + mix.repeats;
        if may_repeat.contains(&draw) && !self.acknowledged.is_empty() {
            return self.repeat(base, choices).await;
        }
        let Some(asks) = self.choose(base, draw, mix, clips, choices).await? else {
            return Ok(false);
        };
        self.commands += 1;
        let command = Command {
            key: format!("{}-{}", self.name, self.commands),
            asks,
        };
        self.give(base, command).await
    }

    /// Sends the unanswered command again until the server, which is ready, has answered it.
    pub async fn settle(&mut self, base: &str) -> Result<()> {
        let Some(command) = self.doubt.clone() else {
            return Ok(());
        };
        if !self.give(base, command.clone()).await? {
            broken!(
                "{} had no answer from a server that is ready: {}",
                command.asks.shown(),
                self.silence
            );
        }
        Ok(())
    }

    /// Holds what the server shows against what was acknowledged.
    pub async fn check(&mut self, base: &str) -> Result<()> {
        if self.token.is_none() {
            return Ok(());
        }
        let profile = self.read(base, "/api/auth/profile", None).await?;
        if profile.status != StatusCode::OK || profile.body["username"] != self.name.as_str() {
            broken!(
                "the account of {} was acknowledged, yet its profile is {}",
                self.name,
                profile.shown()
            );
        }
        for film in &self.films {
            let shown = self
                .read(base, &format!("/api/videos/{}", film.id), film.seen.as_deref())
                .await?;
            film.compare(&shown)?;
        }
        self.check_list(base).await
    }

    /// No film is missing from the list, none is there twice, and none is there that was not asked for.
    async fn check_list(&self, base: &str) -> Result<()> {
        let wanted: BTreeSet<&str> = self.films().map(|film| film.id.as_str()).collect();
        within(
            Duration::from_secs(10),
            &format!("the list of films of {}", self.name),
            async || {
                let listed = self.listed(base).await?;
                let unique: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
                if unique.len() != listed.len() {
                    return Ok(Err(format!("a film is listed twice: {listed:?}")));
                }
                Ok(if unique == wanted {
                    Ok(())
                } else {
                    Err(format!("listed {unique:?}, acknowledged {wanted:?}"))
                })
            },
        )
        .await
    }

    async fn listed(&self, base: &str) -> Result<Vec<String>> {
        let (mut ids, mut path) = (Vec::new(), "/api/videos?owner=me&limit=100".to_owned());
        loop {
            let page = self.read(base, &path, None).await?;
            let items = page.body["items"]
                .as_array()
                .with_context(|| format!("no list: {}", page.shown()))?;
            ids.extend(
                items
                    .iter()
                    .filter_map(|item| Some(item["id"].as_str()?.to_owned())),
            );
            match page.body["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/videos?owner=me&limit=100&cursor={cursor}"),
                None => return Ok(ids),
            }
        }
    }

    /// Reads a page as this person, waiting for what was seen before.
    pub async fn read(&self, base: &str, path: &str, seen: Option<&str>) -> Result<Page> {
        let mut request = self.http.get(format!("{base}{path}"));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(seen) = seen {
            request = request.header("Consistency-Token", seen);
        }
        let response = request.send().await?;
        let status = response.status();
        let etag = response
            .headers()
            .get("etag")
            .and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Page { status, etag, body })
    }

    /// What to ask next; nothing when the server is gone.
    async fn choose(
        &mut self,
        base: &str,
        draw: u32,
        mix: Mix,
        clips: &Clips,
        choices: &mut StdRng,
    ) -> Result<Option<Asks>> {
        let number = self.commands + 1;
        if self.token.is_none() {
            let (email, password) = (
                format!("{}@example.org", self.name),
                "correct horse battery".to_owned(),
            );
            return Ok(Some(Asks::Register {
                email,
                password,
                username: self.name.clone(),
            }));
        }
        let kept: Vec<usize> = (0..self.films.len())
            .filter(|index| !self.films[*index].deleted)
            .collect();
        if kept.is_empty() || draw < mix.uploads {
            let is_small = choices.random_range(0..100) < mix.small_instead_of_tiny;
            let clip = if is_small {
                clips.small.clone()
            } else {
                clips.tiny.clone()
            };
            let title = format!("film {number} of {}", self.name);
            return Ok(Some(Asks::Upload {
                title,
                visibility: visibility(choices),
                clip,
            }));
        }
        let index = kept[choices.random_range(0..kept.len())];
        let film = self.films[index].id.clone();
        if draw < mix.uploads + mix.deletes {
            return Ok(Some(Asks::Delete { film }));
        }
        let Some(if_match) = self.version(base, index).await? else {
            return Ok(None);
        };
        let (title, description) = (
            format!("title {number} of {}", self.name),
            "x".repeat(number as usize % 300),
        );
        Ok(Some(Asks::Describe {
            film,
            title,
            description,
            visibility: visibility(choices),
            if_match,
        }))
    }

    /// The ETag to edit a film with: from the last answer, or read. Nothing when the server is gone.
    async fn version(&self, base: &str, index: usize) -> Result<Option<String>> {
        let film = &self.films[index];
        if film.etag.is_some() {
            return Ok(film.etag.clone());
        }
        let Ok(page) = self
            .read(base, &format!("/api/videos/{}", film.id), film.seen.as_deref())
            .await
        else {
            return Ok(None);
        };
        if page.status.is_success() && page.etag.is_none() {
            broken!("{} is shown without an ETag", film.id);
        }
        Ok(page.etag)
    }

    async fn give(&mut self, base: &str, command: Command) -> Result<bool> {
        match command.send(&self.http, base, self.token.as_deref()).await? {
            Heard::Unsent => Ok(false),
            Heard::Silence(why) => {
                self.doubt = Some(command);
                self.silence = why;
                Ok(false)
            }
            Heard::Stale => {
                self.doubt = None;
                self.forget_version(&command);
                Ok(true)
            }
            Heard::Done(answer) => {
                self.doubt = None;
                self.remember(&command, answer)?;
                self.acknowledged.push(command);
                Ok(true)
            }
        }
    }

    /// Sends an acknowledged command once more; the answer must be a repetition, and `check` will see that nothing moved.
    async fn repeat(&mut self, base: &str, choices: &mut StdRng) -> Result<bool> {
        let command = self.acknowledged[choices.random_range(0..self.acknowledged.len())].clone();
        let answer = match command.send(&self.http, base, self.token.as_deref()).await? {
            Heard::Done(answer) => answer,
            Heard::Stale => broken!(
                "{} was acknowledged, and is refused now under its key",
                command.asks.shown()
            ),
            Heard::Unsent | Heard::Silence(_) => return Ok(false),
        };
        if let Asks::Upload { title, .. } = &command.asks {
            let id = answer.body["video"]["id"].as_str().unwrap_or_default();
            if !self.films.iter().any(|film| film.id == id) {
                broken!("{title:?} was uploaded again under the same key and became another film, {id}");
            }
        }
        Ok(true)
    }

    /// The transcode moved the film's version; the next description reads it again.
    fn forget_version(&mut self, command: &Command) {
        if let Asks::Describe { film, .. } = &command.asks
            && let Ok(film) = self.film(film)
        {
            film.etag = None;
        }
    }

    fn remember(&mut self, command: &Command, answer: Answer) -> Result<()> {
        match &command.asks {
            Asks::Register { username, .. } => {
                let token = answer.body["access_token"].as_str();
                self.token = Some(
                    token
                        .with_context(|| format!("{username} registered without a token"))?
                        .to_owned(),
                );
            }
            Asks::Upload {
                title,
                visibility,
                clip,
            } => {
                let id = answer.body["video"]["id"]
                    .as_str()
                    .context("an upload was answered without an id")?
                    .to_owned();
                if self.films.iter().any(|film| film.id == id) {
                    broken!("two uploads were answered with the same film {id}");
                }
                let (title, seconds) = (title.clone(), clip.seconds);
                self.films.push(Film {
                    id,
                    title,
                    visibility,
                    etag: None,
                    seen: answer.seen,
                    deleted: false,
                    seconds,
                });
            }
            Asks::Describe {
                film,
                title,
                visibility,
                ..
            } => {
                let film = self.film(film)?;
                (film.title, film.visibility) = (title.clone(), visibility);
                (film.etag, film.seen) = (answer.etag, answer.seen.or(film.seen.take()));
            }
            Asks::Delete { film } => {
                let film = self.film(film)?;
                (film.deleted, film.seen) = (true, answer.seen.or(film.seen.take()));
            }
        }
        Ok(())
    }

    fn film(&mut self, id: &str) -> Result<&mut Film> {
        self.films
            .iter_mut()
            .find(|film| film.id == id)
            .context("commands are about films of one's own")
    }
}

fn visibility(choices: &mut StdRng) -> &'static str {
    ["public", "unlisted", "private"][choices.random_range(0..3)]
}

pub struct Page {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub body: Value,
}

impl Page {
    pub fn shown(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

impl Film {
    fn compare(&self, shown: &Page) -> Result<()> {
        let is_gone = matches!(shown.status, StatusCode::NOT_FOUND | StatusCode::GONE)
            || shown.body["status"] == "deleted";
        if self.deleted {
            if !is_gone {
                broken!("{} was deleted, and is back: {}", self.id, shown.shown());
            }
            return Ok(());
        }
        if shown.status != StatusCode::OK || is_gone {
            broken!("{} was acknowledged and is lost: {}", self.id, shown.shown());
        }
        if shown.body["title"] != self.title.as_str() || shown.body["visibility"] != self.visibility {
            broken!(
                "{} was last described as {:?} ({}), but is {}",
                self.id,
                self.title,
                self.visibility,
                shown.shown()
            );
        }
        if shown.body["status"] == "failed" {
            broken!("{} is a good film, yet it failed: {}", self.id, shown.shown());
        }
        Ok(())
    }
}
