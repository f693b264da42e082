//! Several people at once, some of them new in each round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::broken::broken;
use crate::clips::Clips;
use crate::person::{Mix, Person};
use crate::playback;
use crate::waiting::within;

pub struct Crowd {
    people: Vec<Person>,
    name: String,
    born: usize,
    mix: Mix,
    clips: Arc<Clips>,
}

/// How many give commands at the same time.
const ACTIVE: usize = 6;
const NEW_IN_A_ROUND: usize = 2;

impl Crowd {
    /// An empty crowd. The name keeps its people apart from those of other crowds.
    pub fn new(name: impl Into<String>, mix: Mix, clips: Arc<Clips>) -> Self {
        Self {
            people: Vec::new(),
            name: name.into(),
            born: 0,
            mix,
            clips,
        }
    }

    /// Commands that were answered so far.
    pub fn acknowledged(&self) -> usize {
        self.people.iter().map(Person::acknowledged).sum()
    }

    /// Commands that have no answer yet.
    pub fn in_doubt(&self) -> usize {
        self.people.iter().filter(|person| person.is_in_doubt()).count()
    }

    pub fn films(&self) -> usize {
        self.people.iter().map(|person| person.films().count()).sum()
    }

    /// Lets people give commands until each has met silence, while `disaster` strikes.
    pub async fn live_until<T>(
        &mut self,
        base: &str,
        choices: &mut StdRng,
        disaster: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        for _ in 0..NEW_IN_A_ROUND {
            self.born += 1;
            self.people
                .push(Person::new(format!("{}-{}", self.name, self.born)));
        }
        let mut lives = JoinSet::new();
        let is_over = Arc::new(AtomicBool::new(false));
        let first_active = self.people.len().saturating_sub(ACTIVE);
        for person in self.people.drain(first_active..) {
            let choices = StdRng::seed_from_u64(choices.random());
            let clips = Arc::clone(&self.clips);
            lives.spawn(live(
                person,
                base.to_owned(),
                self.mix,
                clips,
                choices,
                Arc::clone(&is_over),
            ));
        }
        let struck = disaster.await;
        is_over.store(true, Ordering::SeqCst);
        let mut broken = None;
        while let Some(joined) = lives.join_next().await {
            let (person, lived) = joined.context("a person's task panicked")?;
            self.people.push(person);
            broken = broken.or(lived.err());
        }
        match broken {
            Some(error) => Err(error),
            None => struck,
        }
    }

    /// After a restart: unanswered commands are sent again, then everything is compared.
    pub async fn settle_and_check(&mut self, base: &str) -> Result<()> {
        for person in &mut self.people {
            person.settle(base).await?;
        }
        for person in &mut self.people {
            person.check(base).await?;
        }
        Ok(())
    }

    /// Some films are fetched whole, as far as they have been published.
    pub async fn fetch_some(&self, base: &str, most: usize) -> Result<()> {
        let newest = self
            .people
            .iter()
            .rev()
            .flat_map(|person| person.films().map(move |film| (person, film)));
        for (person, film) in newest.take(most) {
            playback::fetch_published(person, film, base).await?;
        }
        Ok(())
    }

    /// No job is stuck, and each film can be fetched whole and decodes.
    pub async fn wait_until_all_is_done(&self, base: &str, limit: Duration) -> Result<()> {
        within(limit, "the end of all jobs", async || {
            let mut waiting = Vec::new();
            for person in &self.people {
                for film in person.films() {
                    let page = person
                        .read(base, &format!("/api/videos/{}", film.id), None)
                        .await?;
                    match page.body["status"].as_str() {
                        Some("ready") => {}
                        Some("failed") => {
                            broken!("{} is a good film, yet it failed: {}", film.id, page.shown())
                        }
                        _ => waiting.push(page.shown()),
                    }
                }
            }
            let first = waiting.first().cloned().unwrap_or_default();
            Ok(if waiting.is_empty() {
                Ok(())
            } else {
                Err(format!("{} wait, among them {first}", waiting.len()))
            })
        })
        .await?;
        for person in &self.people {
            for film in person.films() {
                playback::decode_whole(person, film, base).await?;
            }
        }
        Ok(())
    }
}

async fn live(
    mut person: Person,
    base: String,
    mix: Mix,
    clips: Arc<Clips>,
    mut choices: StdRng,
    is_over: Arc<AtomicBool>,
) -> (Person, Result<()>) {
    while !is_over.load(Ordering::SeqCst) && !person.is_in_doubt() {
        match person.act(&base, mix, &clips, &mut choices).await {
            Ok(true) => {}
            // Silence without a doubt: it was only reading, or the server is not up yet.
            Ok(false) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => return (person, Err(error)),
        }
    }
    (person, Ok(()))
}
