//! Several nodes on the same servers: whichever is asked, and whichever dies or stands still, it is one installation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::Rng;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::fleet::Fleet;
use crate::account::Account;
use crate::campaign::{self, Campaign};
use crate::clips::Clips;
use crate::crowd::Crowd;
use crate::person::Mix;
use crate::waiting::within;

/// A death is noticed after a second, and the machine may be busy.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(20);
const READY_WITHIN: Duration = Duration::from_secs(120);

const MIX: Mix = Mix {
    uploads: 6,
    small_instead_of_tiny: 30,
    deletes: 3,
    repeats: 10,
};

/// One person, who asks now this node and now that one.
struct Visitor {
    account: Account,
    film: String,
    titles: usize,
}

impl Visitor {
    async fn new(base: String, clips: &Clips) -> Result<Self> {
        let account = Account::register(base, "anna").await?;
        let film = account.uploaded("a film", clips.tiny.bytes.clone()).await?;
        Ok(Self {
            account,
            film,
            titles: 0,
        })
    }

    fn video(&self, base: &str) -> String {
        format!("{base}/api/videos/{}", self.film)
    }

    async fn put(&self, base: &str, title: &str) -> Result<Response> {
        let body = json!({ "title": title, "description": "", "visibility": "public" });
        let put = self
            .account
            .http
            .put(self.video(base))
            .bearer_auth(&self.account.token);
        let put = put
            .header("If-Match", "*")
            .header("Idempotency-Key", title)
            .json(&body);
        Ok(put.send().await?)
    }

    /// Changes the title by one node, and reads it at once by another.
    async fn changes(&mut self, by: &str, read_by: &str) -> Result<()> {
        self.titles += 1;
        let title = format!("title {}", self.titles);
        let changed = within(TAKEN_OVER_WITHIN, "a change", async || {
            let answer = self.put(by, &title).await?;
            Ok(match answer.status() {
                StatusCode::SERVICE_UNAVAILABLE => Err("not yet".to_owned()),
                _ => Ok(answer.error_for_status()?),
            })
        })
        .await?;
        let token = changed
            .headers()
            .get("consistency-token")
            .context("a change is answered with a token")?;
        let read = self
            .account
            .http
            .get(self.video(read_by))
            .bearer_auth(&self.account.token);
        let read = read
            .header("Consistency-Token", token)
            .send()
            .await?
            .error_for_status()?;
        let shown: Value = read.json().await?;
        ensure!(
            shown["title"] == title.as_str(),
            "{title:?} was acknowledged, shown is {shown}"
        );
        Ok(())
    }

    async fn sees_it_ready(&self, base: &str) -> Result<()> {
        within(READY_WITHIN, "the end of the transcode", async || {
            let read = self
                .account
                .http
                .get(self.video(base))
                .bearer_auth(&self.account.token);
            let shown: Value = read.send().await?.json().await?;
            Ok((shown["status"] == "ready")
                .then_some(())
                .ok_or_else(|| shown.to_string()))
        })
        .await
    }

    /// The film's master playlist and one of its segments.
    async fn can_watch(&self, base: &str) -> Result<()> {
        let shown: Value = self
            .account
            .http
            .get(self.video(base))
            .send()
            .await?
            .json()
            .await?;
        let url = shown["hls_url"]
            .as_str()
            .with_context(|| format!("nothing to play: {shown}"))?;
        let master = self.account.http.get(format!("{base}{url}")).send().await?;
        let master = master.error_for_status()?.text().await?;
        ensure!(master.starts_with("#EXTM3U"), "{master}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_are_one_place_and_one_of_them_is_enough() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let told = two_nodes(folder.path()).await;
    told.expect("each node does what was asked of either");
}

async fn two_nodes(folder: &std::path::Path) -> Result<()> {
    let clips = Clips::make(folder)?;
    let mut fleet = Fleet::start(folder, &["all", "all"]).await?;
    let [one, other] = [fleet.base(0)?, fleet.base(1)?];
    let mut visitor = Visitor::new(one.clone(), &clips).await?;
    for _ in 0..8 {
        visitor.changes(&one, &other).await?;
        visitor.changes(&other, &one).await?;
    }
    visitor.sees_it_ready(&other).await?;
    visitor.can_watch(&one).await?;
    visitor.can_watch(&other).await?;
    who_leaves_here_is_out_there(&one, &other).await?;

    fleet.kill(0)?;
    let begun = Instant::now();
    visitor.changes(&other, &other).await?;
    println!("a change {:?} after the death of a node of two", begun.elapsed());
    let account = Account::register(other.clone(), "berta").await?;
    account.uploaded("another film", clips.tiny.bytes.clone()).await?;

    fleet.restart(0).await?;
    let one = fleet.base(0)?;
    visitor.changes(&one, &other).await?;
    visitor.changes(&other, &one).await?;
    fleet.stop_and_verify().await
}

/// A token that one node believes stops working there when the session is ended at the other.
async fn who_leaves_here_is_out_there(one: &str, other: &str) -> Result<()> {
    let account = Account::register(one.to_owned(), "carla").await?;
    let asked_there = async || {
        let profile = account.http.get(format!("{other}/api/auth/profile"));
        anyhow::Ok(profile.bearer_auth(&account.token).send().await?.status())
    };
    ensure!(asked_there().await? == StatusCode::OK);
    let left = account.http.post(format!("{one}/api/auth/logout"));
    left.bearer_auth(&account.token)
        .send()
        .await?
        .error_for_status()?;
    let begun = Instant::now();
    within(
        Duration::from_secs(10),
        "the end of a session elsewhere",
        async || {
            Ok(match asked_there().await? {
                StatusCode::UNAUTHORIZED => Ok(()),
                status => Err(status.to_string()),
            })
        },
    )
    .await?;
    println!(
        "a session that ended at one node was over at the other after {:?}",
        begun.elapsed()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_hands_over_and_nobody_is_turned_away() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let told = rolling_restart(folder.path()).await;
    told.expect("every change is answered, by whichever node leads");
}

/// As in an update: the nodes that lead are stopped and started one after the other, below changes that come one by one.
async fn rolling_restart(folder: &std::path::Path) -> Result<()> {
    let clips = Clips::make(folder)?;
    let mut fleet = Fleet::start(folder, &["gateway,workers,projections", "commands", "commands"]).await?;
    let base = fleet.base(0)?;
    let visitor = Visitor::new(base.clone(), &clips).await?;
    let mut films = vec![visitor.film.clone()];
    for number in 0..7 {
        let bytes = clips.tiny.bytes.clone();
        films.push(visitor.account.uploaded(&format!("film {number}"), bytes).await?);
    }
    for node in [1, 2, 1, 2] {
        let restarted = AtomicBool::new(false);
        let changes = async {
            let (mut count, mut slowest) = (0, Duration::ZERO);
            while !restarted.load(Ordering::Relaxed) {
                for film in &films {
                    let begun = Instant::now();
                    let status = visitor.account.retitle(film, &format!("title {count}")).await;
                    ensure!(
                        status == Some(StatusCode::OK),
                        "a change while a node restarts was answered {status:?}"
                    );
                    slowest = slowest.max(begun.elapsed());
                    count += 1;
                }
            }
            Ok((count, slowest))
        };
        let restart = async {
            let done = fleet.stop_and_start(node).await;
            restarted.store(true, Ordering::Relaxed);
            done
        };
        let (restarted, changed) = tokio::join!(restart, changes);
        restarted.with_context(|| fleet.said())?;
        let (count, slowest) = changed.with_context(|| fleet.said())?;
        println!("{count} changes while a node was stopped and started, the slowest in {slowest:?}");
    }
    fleet.stop_and_verify().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_stood_still_changes_nothing_when_it_wakes_up() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let told = stopped_owner(folder.path()).await;
    told.expect("what was acknowledged stays, and nothing else comes");
}

async fn stopped_owner(folder: &std::path::Path) -> Result<()> {
    let clips = Clips::make(folder)?;
    let mut fleet = Fleet::start(folder, &["all", "commands,projections", "commands,projections"]).await?;
    let base = fleet.base(0)?;
    let mut visitor = Visitor::new(base.clone(), &clips).await?;
    for stopped in [1, 2, 1] {
        fleet.server(stopped)?.pause()?;
        for _ in 0..4 {
            visitor.changes(&base, &base).await?;
        }
        fleet.server(stopped)?.resume()?;
        for _ in 0..4 {
            visitor.changes(&base, &base).await?;
        }
        fleet.all_ready().await?;
    }
    visitor.sees_it_ready(&base).await?;
    fleet.stop_and_verify().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_whose_nodes_are_killed_one_by_one_keeps_every_promise() {
    let campaign = campaign::sized("fleet", 100);
    let summary = kill_one_by_one(&campaign).await;
    println!(
        "{}",
        summary.expect("no acknowledged command is lost or applied twice")
    );
}

/// Two nodes of each role.
const ROLES: [&str; 8] = [
    "gateway",
    "gateway",
    "commands",
    "commands",
    "projections",
    "projections",
    "workers",
    "workers",
];

async fn kill_one_by_one(campaign: &Campaign) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let clips = Arc::new(Clips::make(folder.path())?);
    let mut fleet = Fleet::start(folder.path(), &ROLES).await?;
    let mut crowd = Crowd::new("fleet", MIX, clips);
    let mut killed = std::collections::BTreeMap::<_, usize>::new();
    let begun = Instant::now();
    for round in 0..campaign.rounds {
        let mut choices = campaign.choices(round);
        let victim = choices.random_range(0..fleet.count());
        let pause = Duration::from_millis(choices.random_range(20..1500));
        // Half of the time people are with the one that dies, if it is a gateway.
        let base = match fleet.role(victim) {
            "gateway" if choices.random() => fleet.base(victim)?,
            _ => fleet.another_gateway(victim)?,
        };
        let told = round_of(&mut fleet, &mut crowd, victim, pause, &base, &mut choices).await;
        told.with_context(|| format!("round {round}, {}\n{}", fleet.role(victim), fleet.said()))?;
        *killed.entry(fleet.role(victim)).or_default() += 1;
    }
    let lasted = begun.elapsed().as_secs();
    let end = fleet.end(&mut crowd).await?;
    Ok(format!(
        "{} kills in {lasted} s ({killed:?}); {end}",
        campaign.rounds
    ))
}

async fn round_of(
    fleet: &mut Fleet,
    crowd: &mut Crowd,
    victim: usize,
    pause: Duration,
    base: &str,
    choices: &mut rand::rngs::StdRng,
) -> Result<()> {
    let other = fleet.another_gateway(victim)?;
    let disaster = async {
        tokio::time::sleep(pause).await;
        fleet.kill(victim)?;
        // The others go on without it for a while.
        tokio::time::sleep(pause).await;
        Ok(())
    };
    crowd.live_until(base, choices, disaster).await?;
    // The one that is gone is not waited for.
    crowd.settle_and_check(&other).await?;
    fleet.restart(victim).await?;
    crowd.fetch_some(&other, 3).await
}
