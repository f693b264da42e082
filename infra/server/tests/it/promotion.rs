//! A single node becomes a cluster: told what is wrong, killed on the way, and the same to everybody afterwards.

use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use spool_blobs::{Access, Blobs, S3Settings};
use spool_log::{KafkaConfig, Log};
use spool_services::fresh_name;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::account::Account;
use crate::clips::Clips;
use crate::cluster::Servers;
use crate::playback::decode_all;
use crate::server::Setup;
use crate::waiting::within;

/// They are copied one after the other, so something is left when the first commits have arrived.
const PARTITIONS: u16 = 16;
const PEOPLE: u64 = 12;
const FILMS: usize = 2;
const READY_WITHIN: Duration = Duration::from_secs(120);
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);
/// How long a promotion that shall be killed runs between two looks at it.
const STEP: Duration = Duration::from_millis(2);

/// A single node with its directory, and a cluster that nobody has started.
struct Move {
    folder: TempDir,
    servers: Servers<'static>,
    topics: String,
    keyspace: String,
    bucket: String,
}

impl Move {
    async fn new() -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            servers: Servers::shared().await,
            topics: fresh_name("it-"),
            keyspace: fresh_name("it_"),
            bucket: fresh_name("it-"),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn single(&self) -> Setup {
        Setup::new(self.path("single"), self.path("single.log"))
    }

    /// A node of the cluster.
    fn node(&self) -> Result<Setup> {
        let file = self.write("cluster.toml", &[])?;
        Ok(Setup::new(self.path("node"), self.path("node.log")).with("CONFIG", &file))
    }

    /// The configuration of the cluster's nodes, with some words replaced by others.
    fn write(&self, name: &str, changes: &[(&str, &str)]) -> Result<String> {
        let Servers { kafka, cassandra, s3 } = self.servers;
        let mut text = format!(
            "data_dir = {:?}\n[log]\nbackend = \"kafka\"\npartitions = {PARTITIONS}\n[tables]\nbackend = \"cql\"\n[blobs]\n\
             backend = \"s3\"\n[kafka]\nbrokers = {:?}\ntopic_prefix = {:?}\nreplication = 1\n[cql]\ncontact_points = {:?}\n\
             user = {:?}\npassword = {:?}\nkeyspace = {:?}\nrequest_timeout_ms = 20000\n[s3]\nendpoint = {:?}\nregion = {:?}\nbucket = {:?}\naccess_key = {:?}\n\
             secret_key = {:?}\ncreate_bucket = true\n",
            self.path("node"),
            kafka.bootstrap(),
            self.topics,
            cassandra.contact_point(),
            cassandra.user(),
            cassandra.password(),
            self.keyspace,
            s3.endpoint(),
            s3.region(),
            self.bucket,
            s3.access_key(),
            s3.secret_key(),
        );
        for (from, to) in changes {
            ensure!(text.contains(from), "{from:?} is not in {text}");
            text = text.replace(from, to);
        }
        let path = self.path(name);
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }

    async fn promote(&self, to: &str) -> Result<Output> {
        let data = self.path("single").to_string_lossy().into_owned();
        self.single().run(&["promote", "--data", &data, "--to", to]).await
    }

    /// It ends as a failure, in one line that has all of `expected`.
    async fn refused(&self, changes: &[(&str, &str)], expected: &[&str]) -> Result<()> {
        let file = self.write("refused.toml", changes)?;
        let ended = self.promote(&file).await?;
        let said = String::from_utf8_lossy(&ended.stderr);
        let why: Vec<_> = said.lines().filter(|line| line.starts_with("spool: ")).collect();
        ensure!(ended.status.code() == Some(1) && why.len() == 1, "{ended:?}");
        for words in expected {
            ensure!(why[0].contains(words), "{words:?} is not in: {said}");
        }
        println!("{}", why[0]);
        Ok(())
    }

    async fn promoted(&self, expected: &[&str]) -> Result<()> {
        let ended = self.promote(&self.write("cluster.toml", &[])?).await?;
        let told = String::from_utf8_lossy(&ended.stdout);
        println!("{told}");
        ensure!(ended.status.success(), "{ended:?}");
        for words in expected {
            ensure!(told.contains(words), "{words:?} is not in: {told}");
        }
        Ok(())
    }

    /// Runs a step at a time and stands still while it is looked at, so that it is killed soon after `has_come`
    /// however slow it is to look.
    async fn killed_when(&self, what: &str, mut has_come: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
        let file = self.write("cluster.toml", &[])?;
        let data = self.path("single").to_string_lossy().into_owned();
        let mut promoting = Killed(
            self.single()
                .begin(&["promote", "--data", &data, "--to", &file])?,
        );
        let until = Instant::now() + ARRIVES_WITHIN;
        while !has_come().await? {
            ensure!(
                Instant::now() < until,
                "{what} did not come within {ARRIVES_WITHIN:?}"
            );
            if let Some(status) = promoting.0.try_wait()? {
                anyhow::bail!("it ended before {what}: {status}");
            }
            promoting.signal(libc::SIGCONT)?;
            tokio::time::sleep(STEP).await;
            promoting.signal(libc::SIGSTOP)?;
        }
        Ok(())
    }

    async fn verify_against_the_cluster(&self) -> Result<Output> {
        let file = self.write("cluster.toml", &[])?;
        let data = self.path("single").to_string_lossy().into_owned();
        let single = self.single();
        let ended = single
            .run(&["verify", "--data", &data, "--against", &file])
            .await?;
        println!("{}", String::from_utf8_lossy(&ended.stdout));
        Ok(ended)
    }

    /// The log of the cluster, for looking only.
    fn log(&self, who: &str) -> Result<Log> {
        let settings =
            spool_kafka::Settings::new(self.servers.kafka.bootstrap()).with_prefix(self.topics.clone());
        let config = KafkaConfig {
            partitions: PARTITIONS,
            ..KafkaConfig::new(settings, self.path(who), who, "")
        };
        Ok(block_in_place(|| Log::kafka(config))?)
    }

    /// How many commits the cluster's log has.
    fn arrived(&self) -> Result<u64> {
        Ok(commits(&self.log("looking")?))
    }

    async fn blobs(&self) -> Result<Blobs> {
        let s3 = self.servers.s3;
        let access = Access::keys(s3.access_key(), s3.secret_key());
        let settings = S3Settings {
            region: s3.region().to_owned(),
            create_bucket: true,
            ..S3Settings::new(s3.endpoint(), &self.bucket, access)
        };
        Ok(Blobs::s3(settings).await?)
    }

    async fn blobs_of_the_single_node(&self) -> Result<usize> {
        let settings = spool_blobs::Settings {
            dir: self.path("single").join("blobs"),
            min_free_bytes: 0,
        };
        let blobs = block_in_place(|| Blobs::open(settings))?;
        Ok(blobs.list("", None, 1_000).await?.len())
    }

    fn commits_of_the_single_node(&self) -> Result<u64> {
        let log = Log::open(spool_log::Config::new(self.path("single").join("log")))?;
        let commits = commits(&log);
        log.close();
        Ok(commits)
    }
}

/// Dropped, it is killed with SIGKILL.
struct Killed(Child);

impl Killed {
    fn signal(&self, signal: libc::c_int) -> Result<()> {
        let id = libc::pid_t::try_from(self.0.id())?;
        #[expect(unsafe_code, reason = "the standard library sends nothing but SIGKILL")]
        // SAFETY: no memory is given; a child that nobody has waited for keeps its id.
        let sent = unsafe { libc::kill(id, signal) };
        ensure!(sent == 0, std::io::Error::last_os_error());
        Ok(())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn commits(log: &Log) -> u64 {
    (0..log.partitions()).map(|partition| log.head(partition)).sum()
}

/// Gives what was on its way when the writer stopped the time to be read.
async fn has_commits(log: &Log) -> bool {
    tokio::time::sleep(4 * STEP).await;
    commits(log) > 0
}

/// Somebody with films that are ready and have been renamed, and others besides.
async fn live_on(setup: &Setup, folder: &Path) -> Result<(Account, String)> {
    let clips = Clips::make(folder)?;
    let server = setup.start().await?;
    let account = Account::register(server.base(), "promoted").await?;
    let mut film = String::new();
    for number in 0..FILMS {
        film = account
            .uploaded(&format!("film {number}"), clips.tiny.bytes.clone())
            .await?;
    }
    for other in 1..PEOPLE {
        Account::register(server.base(), &format!("other{other}")).await?;
    }
    within(READY_WITHIN, "the films", async || {
        let films = account.films().await?;
        let are_ready = films.len() == FILMS && films.iter().all(|film| film["status"] == "ready");
        Ok(are_ready.then_some(()).ok_or_else(|| format!("{films:?}")))
    })
    .await?;
    for number in 0..20 {
        let status = account.retitle(&film, &format!("title {number}")).await;
        ensure!(status == Some(StatusCode::OK), "{status:?}");
    }
    // From here on the log names a version of a view that no other tables have.
    let data = setup.data().to_string_lossy().into_owned();
    let rebuilt = setup.run(&["rebuild", "catalogue", "--data", &data]).await?;
    ensure!(
        String::from_utf8_lossy(&rebuilt.stdout).contains("version 2 serves"),
        "{rebuilt:?}"
    );
    server.stop().await?;
    Ok((account, film))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_node_becomes_a_cluster_though_it_is_killed_on_the_way() {
    tell().await.expect("everything arrives, once");
}

async fn tell() -> Result<()> {
    let moving = Move::new().await?;
    let (account, film) = live_on(&moving.single(), moving.folder.path()).await?;
    refusals_before_anything_is_there(&moving).await?;
    let all = moving.commits_of_the_single_node()?;

    let node = moving.node()?;
    let made = node.run(&["topics", "ensure"]).await?;
    ensure!(made.status.success(), "{made:?}");
    let (log, blobs) = (moving.log("watching")?, moving.blobs().await?);
    moving
        .killed_when("the first film", async || {
            Ok(!blobs.list("", None, 1).await?.is_empty())
        })
        .await?;
    let arrived = moving.arrived()?;
    println!("killed with {arrived} of {all} commits");
    let films = blobs.list("", None, 1_000).await?.len();
    let of_the_single_node = moving.blobs_of_the_single_node().await?;
    ensure!(
        arrived == 0 || films == of_the_single_node,
        "the films come before the log: {films} of {of_the_single_node}"
    );
    moving
        .killed_when("the first commit", async || Ok(has_commits(&log).await))
        .await?;
    let arrived = moving.arrived()?;
    println!("killed after {arrived} of {all} commits");
    ensure!(0 < arrived && arrived < all, "{arrived} of {all}");
    moving
        .promoted(&["the cluster has everything now", "of 12 persons"])
        .await?;
    ensure!(moving.arrived()? == all);
    moving
        .promoted(&["there was nothing to do", &format!("{all} commits, 0 of them")])
        .await?;

    let same = moving.verify_against_the_cluster().await?;
    let told = String::from_utf8_lossy(&same.stdout);
    let views = told
        .lines()
        .filter(|line| line.starts_with("ok   view") && line.contains("has the same content"));
    ensure!(same.status.success() && views.count() == 5, "{same:?}");

    the_cluster_goes_on(&moving, &node, account, &film).await?;
    let differs = moving.verify_against_the_cluster().await?;
    let told = String::from_utf8_lossy(&differs.stdout);
    ensure!(
        differs.status.code() == Some(1) && told.contains("FAIL view catalogue has the same content"),
        "{differs:?}"
    );
    both_go_on(&moving).await
}

async fn refusals_before_anything_is_there(moving: &Move) -> Result<()> {
    let running = moving.single().start().await?;
    moving
        .refused(
            &[],
            &[
                "must be stopped before it is promoted",
                "in use by another process",
            ],
        )
        .await?;
    running.stop().await?;
    moving
        .refused(&[], &["the topic is missing", "spool topics ensure"])
        .await?;
    for (backend, other) in [("kafka", "embedded"), ("cql", "embedded"), ("s3", "local")] {
        let (from, to) = (format!("backend = {backend:?}"), format!("backend = {other:?}"));
        moving
            .refused(&[(&from, &to)], &["describes no cluster", &from])
            .await?;
    }
    moving
        .refused(
            &[("partitions = 16", "partitions = 4")],
            &["16 partitions", "log.partitions = 16"],
        )
        .await
}

/// Everybody is who they were, every film plays, and the single node's promotion has come to its end.
async fn the_cluster_goes_on(moving: &Move, node: &Setup, mut account: Account, film: &str) -> Result<()> {
    let server = node.start().await?;
    account.base = server.base();
    let films = account.films().await.context("the token is still good")?;
    ensure!(films.len() == FILMS, "{films:?}");
    let shown = films
        .iter()
        .find(|shown| shown["id"] == film)
        .context("it is listed")?;
    ensure!(
        shown["title"] == "title 19" && shown["status"] == "ready",
        "{shown}"
    );
    let login = json!({"email": "promoted@example.org", "password": "correct horse battery"});
    let url = format!("{}/api/auth/login", account.base);
    let login = account.http.post(url).json(&login).send().await?;
    let session: Value = login.error_for_status()?.json().await?;
    account.token = session["access_token"].as_str().context("a token")?.to_owned();
    let url = format!("{}/api/auth/profile", account.base);
    let profile = account.http.get(url).bearer_auth(&account.token).send().await?;
    let profile: Value = profile.error_for_status()?.json().await?;
    ensure!(profile["email"] == "promoted@example.org", "{profile}");
    for film in &films {
        let master = film["hls_url"].as_str().context("it can be played")?;
        decode_all(&Url::parse(&account.base)?.join(master)?, 1.0).await?;
    }
    let changed = account.retitle(film, "of the cluster").await;
    ensure!(changed == Some(StatusCode::OK), "{changed:?}");

    // A promotion that has nothing to do takes nothing from the nodes.
    moving
        .promoted(&["of its own since: there is nothing to do"])
        .await?;
    let changed = account.retitle(film, "still of the cluster").await;
    ensure!(changed == Some(StatusCode::OK), "{changed:?}");
    server.stop().await?;
    node.verify()
}

async fn both_go_on(moving: &Move) -> Result<()> {
    let server = moving.single().start().await?;
    Account::register(server.base(), "late").await?;
    server.stop().await?;
    moving
        .refused(&[], &["both have gone on since a promotion", "must be given up"])
        .await?;

    // With topics of its own it would be another cluster; but then its nodes must not have another master key.
    let topics = fresh_name("it-");
    let elsewhere = [(moving.topics.as_str(), topics.as_str())];
    let file = moving.write("elsewhere.toml", &elsewhere)?;
    let other = Setup::new(moving.path("node"), moving.path("elsewhere.log")).with("CONFIG", &file);
    let made = other.run(&["topics", "ensure"]).await?;
    ensure!(made.status.success(), "{made:?}");
    std::fs::write(moving.path("node").join("keys/master.key"), [7; 32])?;
    moving
        .refused(
            &elsewhere,
            &["copying the keys", "is another master key, and was left alone"],
        )
        .await
}
