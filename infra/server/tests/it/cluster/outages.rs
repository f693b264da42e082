//! Kafka, Cassandra and the S3 server go away below a running server and come back: who needs them is told to ask again,
//! who does not is served, nothing that was acknowledged is lost, and everything goes on by itself.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use spool_services::{Brokers, Cassandra, Failed, Kafka, S3};
use tokio::task::block_in_place;

use super::Servers;
use crate::account::Account;
use crate::clips::Clips;
use crate::server::{Server, Setup};
use crate::waiting::within;

/// An answer may take as long as this, whatever is away. The server's own deadline, and a busy machine.
const DEADLINE: Duration = Duration::from_secs(25);
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// How a server is away.
#[derive(Clone, Copy, Debug)]
enum Away {
    /// It holds its connections and says nothing.
    Silent,
    Killed,
}

/// Servers that no other test uses.
struct Own {
    kafka: Kafka,
    cassandra: Cassandra,
    s3: S3,
}

impl Own {
    fn start() -> Result<Self, Failed> {
        Ok(Self {
            kafka: Kafka::start(Brokers::One)?,
            cassandra: Cassandra::start()?,
            s3: S3::start()?,
        })
    }

    fn servers(&self) -> Servers<'_> {
        Servers {
            kafka: &self.kafka,
            cassandra: &self.cassandra,
            s3: &self.s3,
        }
    }
}

/// A running server, somebody with a film on it, and what was acknowledged last.
struct Story {
    server: Server,
    account: Account,
    clips: Clips,
    film: String,
    title: String,
    /// Counts what was asked, so that no answer was kept from before.
    asked: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_away_is_said_and_everything_goes_on_when_it_is_back() {
    tell().await.expect("nothing is lost, and nothing stands still");
}

async fn tell() -> Result<()> {
    let mut own = block_in_place(Own::start)?;
    let folder = tempfile::tempdir()?;
    let clips = Clips::make(folder.path())?;
    let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"));
    let setup = own.servers().install(setup).await?;
    let setup = setup.with("CQL_REQUEST_TIMEOUT_MS", "2000");
    let server = setup.start().await?;
    let account = Account::register(server.base(), "patient").await?;
    let film = account.uploaded("title 0", clips.tiny.bytes.clone()).await?;
    let mut story = Story {
        server,
        account,
        clips,
        film,
        title: "title 0".to_owned(),
        asked: 0,
    };
    story.all_films_are_ready(1).await?;
    for away in [Away::Silent, Away::Killed] {
        story.without_kafka(&mut own.kafka, away).await?;
        story.without_cassandra(&mut own.cassandra, away).await?;
        story.without_s3(&mut own.s3, away).await?;
    }
    story.all_films_are_ready(3).await?;
    story.server.stop().await?;
    setup.verify()
}

impl Story {
    async fn without_kafka(&mut self, kafka: &mut Kafka, away: Away) -> Result<()> {
        block_in_place(|| match away {
            Away::Silent => kafka.pause(1),
            Away::Killed => kafka.kill(1),
        })?;
        let change = self.change();
        self.is_put_off(&change).await.context("a change without Kafka")?;
        // Queries and playback need no log.
        self.shows_the_title().await?;
        self.can_fetch_the_film().await?;
        self.is_not_ready("log").await?;
        block_in_place(|| match away {
            Away::Silent => kafka.resume(1),
            Away::Killed => kafka.restart(1),
        })?;
        let etag = self
            .comes_about(change, &format!("Kafka after it was {away:?}"))
            .await?;
        self.shows_the_title().await?;
        let shown = self.get(&format!("/api/videos/{}", self.film)).send().await?;
        ensure!(
            etag_of(&shown) == etag,
            "a change that was asked for again and again has happened once: {etag:?}, {:?}",
            etag_of(&shown)
        );
        self.is_ready().await
    }

    async fn without_cassandra(&mut self, cassandra: &mut Cassandra, away: Away) -> Result<()> {
        block_in_place(|| match away {
            Away::Silent => cassandra.pause(),
            Away::Killed => cassandra.kill(),
        })?;
        let list = self.list();
        is_told_to_come_again(list)
            .await
            .context("a list without Cassandra")?;
        // A command needs no table.
        self.can_change_the_title().await?;
        self.is_not_ready("tables").await?;
        block_in_place(|| match away {
            Away::Silent => cassandra.resume(),
            Away::Killed => cassandra.restart(),
        })?;
        self.shows_the_title().await?;
        self.is_ready().await
    }

    async fn without_s3(&mut self, s3: &mut S3, away: Away) -> Result<()> {
        block_in_place(|| match away {
            Away::Silent => s3.pause(),
            Away::Killed => s3.kill(),
        })?;
        let original = self.get(&format!("/api/storage/videos/{}/original", self.film));
        is_told_to_come_again(original)
            .await
            .context("a film without S3")?;
        let uploaded = async || {
            let film = self.clips.tiny.bytes.clone();
            self.account.upload("another", "film.mp4", film).await
        };
        let refused = tokio::time::timeout(DEADLINE, uploaded()).await??;
        says_come_again(refused).context("an upload without S3")?;
        // Lists and changes need no file.
        self.can_change_the_title().await?;
        self.shows_the_title().await?;
        self.is_not_ready("blobs").await?;
        block_in_place(|| match away {
            Away::Silent => s3.resume(),
            Away::Killed => s3.restart(),
        })?;
        self.can_fetch_the_film().await?;
        let film = self.clips.tiny.bytes.clone();
        self.account.uploaded("another", film).await?;
        self.is_ready().await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let http = &self.account.http;
        http.get(format!("{}{path}", self.account.base))
            .bearer_auth(&self.account.token)
    }

    /// A page that nobody has asked for yet.
    fn list(&mut self) -> RequestBuilder {
        self.asked += 1;
        self.get(&format!("/api/videos?owner=me&limit={}", self.asked + 10))
    }

    fn change(&mut self) -> Change {
        self.asked += 1;
        Change {
            key: format!("change-{}", self.asked),
            title: format!("title {}", self.asked),
        }
    }

    async fn send(&self, change: &Change) -> Result<Response> {
        let url = format!("{}/api/videos/{}", self.account.base, self.film);
        let body = json!({ "title": change.title, "description": "", "visibility": "public" });
        let put = self
            .account
            .http
            .put(url)
            .bearer_auth(&self.account.token)
            .json(&body);
        let put = put.header("If-Match", "*").header("Idempotency-Key", &change.key);
        Ok(tokio::time::timeout(DEADLINE, put.send()).await??)
    }

    async fn can_change_the_title(&mut self) -> Result<()> {
        let change = self.change();
        let answer = self.send(&change).await?;
        self.was_changed(change, &answer)
    }

    fn was_changed(&mut self, change: Change, answer: &Response) -> Result<()> {
        let status = answer.status();
        ensure!(status.is_success(), "a change was answered {status}");
        self.title = change.title;
        Ok(())
    }

    async fn is_put_off(&self, change: &Change) -> Result<()> {
        says_come_again(self.send(change).await?)
    }

    /// Asks for the change until it is acknowledged, under its key; gives the version it made.
    async fn comes_about(&mut self, change: Change, what: &str) -> Result<String> {
        let changed = within(BACK_WITHIN, what, async || {
            let answer = self.send(&change).await?;
            Ok(match answer.status() {
                StatusCode::SERVICE_UNAVAILABLE => Err("not yet".to_owned()),
                _ => Ok(answer),
            })
        })
        .await?;
        self.was_changed(change, &changed)?;
        Ok(etag_of(&changed))
    }

    /// The list has the title that was acknowledged last.
    async fn shows_the_title(&mut self) -> Result<()> {
        let (begun, title) = (Instant::now(), self.title.clone());
        loop {
            let answer = tokio::time::timeout(DEADLINE, self.list().send()).await??;
            let shown = match answer.status() {
                StatusCode::OK => answer.json().await?,
                _ => Value::Null,
            };
            let films = shown["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let film = films.iter().find(|film| film["id"] == self.film.as_str());
            if film.is_some_and(|film| film["title"] == title.as_str()) {
                return Ok(());
            }
            ensure!(begun.elapsed() < BACK_WITHIN, "{title:?} is not shown: {shown}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn can_fetch_the_film(&self) -> Result<()> {
        let path = format!("/api/storage/videos/{}/original", self.film);
        within(BACK_WITHIN, "the original", async || {
            let answer = tokio::time::timeout(DEADLINE, self.get(&path).send()).await??;
            let status = answer.status();
            if !status.is_success() {
                return Ok(Err(status.to_string()));
            }
            let bytes = answer.bytes().await?;
            ensure!(
                bytes == *self.clips.tiny.bytes,
                "{} other bytes came",
                bytes.len()
            );
            Ok(Ok(()))
        })
        .await
    }

    async fn is_not_ready(&self, what: &str) -> Result<()> {
        let answer = self.health().await?;
        ensure!(answer[what]["ok"] == false, "{what} is well: {answer}");
        Ok(())
    }

    async fn is_ready(&self) -> Result<()> {
        within(BACK_WITHIN, "readiness", async || {
            let health = self.health().await?;
            Ok((health["status"] == "ready")
                .then_some(())
                .ok_or_else(|| health.to_string()))
        })
        .await
    }

    async fn health(&self) -> Result<Value> {
        let asked = self.get("/health/ready").send();
        Ok(tokio::time::timeout(DEADLINE, asked).await??.json().await?)
    }

    async fn all_films_are_ready(&self, count: usize) -> Result<()> {
        within(BACK_WITHIN, "the end of all transcodes", async || {
            let films = self.account.films().await?;
            let ready = films.iter().filter(|film| film["status"] == "ready").count();
            let all = ready == count && films.len() == count;
            Ok(all
                .then_some(())
                .ok_or_else(|| format!("{films:?}\n{}", self.server.said())))
        })
        .await
    }
}

struct Change {
    /// The `Idempotency-Key`.
    key: String,
    title: String,
}

async fn is_told_to_come_again(request: RequestBuilder) -> Result<()> {
    says_come_again(tokio::time::timeout(DEADLINE, request.send()).await??)
}

fn says_come_again(answer: Response) -> Result<()> {
    let retry_after = answer.headers().get("retry-after");
    ensure!(
        answer.status() == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some(),
        "it was answered {} with Retry-After {retry_after:?}",
        answer.status()
    );
    Ok(())
}

fn etag_of(answer: &Response) -> String {
    let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok());
    // The part after the dash is the representation's own.
    etag.unwrap_or_default()
        .trim_matches('"')
        .split('-')
        .next()
        .unwrap_or_default()
        .to_owned()
}
