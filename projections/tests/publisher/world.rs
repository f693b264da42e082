//! A real log, real topics, and a publisher that can be stopped and cut off.

use crate::published::{Published, expected, read_all};
use crate::story::{Story, film, rung, segments};
use spool_domain::jobs::Fact;
use spool_domain::videos::{self, Described, Visibility};
use spool_kafka::topics::{self, TopicSpec};
use spool_kafka::{Connection, Settings};
use spool_log::Log;
use spool_projections::Publisher;
use spool_projections::publisher::public::Topic;
use spool_services::{Kafka, fresh_name};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const WITHIN: Duration = Duration::from_secs(60);
const PARTITIONS: u16 = 4;

pub struct World {
    pub log: Log,
    pub settings: Settings,
    _dir: TempDir,
}

/// A publisher at work.
pub struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl World {
    /// On the shared broker, with its topics made.
    pub async fn new() -> Self {
        let world = Self::without_topics().await;
        world.make_topics().await;
        world
    }

    pub async fn without_topics() -> Self {
        let broker = tokio::task::spawn_blocking(Kafka::shared).await;
        Self::on(broker.expect("a broker starts"))
    }

    pub fn on(broker: &Kafka) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            log: open_log(&dir),
            settings: Settings::new(broker.bootstrap()).with_prefix(fresh_name("public-")),
            _dir: dir,
        }
    }

    /// Another log, for the same topics.
    pub fn with_another_log(&self) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        Self {
            log: open_log(&dir),
            settings: self.settings.clone(),
            _dir: dir,
        }
    }

    pub async fn make_topics(&self) {
        let connection = Connection::open(&self.settings, WITHIN)
            .await
            .expect("the broker runs");
        let ensured = topics::ensure(&connection, &TopicSpec::public(PARTITIONS, 1)).await;
        assert_eq!(ensured.expect("an answer").findings, []);
    }

    /// Makes what the story said durable, each partition's part at once.
    pub async fn tell(&self, story: &mut Story) {
        let mut parts = vec![vec![]; usize::from(PARTITIONS)];
        for commit in story.commits.drain(..) {
            let partition = commit.stream.partition(PARTITIONS);
            parts[usize::from(partition)].push(commit.encode().into());
        }
        for (partition, commits) in (0..).zip(parts) {
            let appended = self.log.append(partition, self.log.head(partition), commits);
            appended.await.expect("there is room in a new log");
        }
    }

    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.log.clone(), self.settings.clone())
    }

    pub fn publish(&self) -> Running {
        let stop = CancellationToken::new();
        Running {
            task: tokio::spawn(self.publisher().run(stop.clone())),
            stop,
        }
    }

    pub fn expected(&self) -> Vec<Published> {
        expected(&self.log)
    }

    pub async fn published(&self) -> Vec<Published> {
        let settings = self.settings.clone();
        tokio::task::spawn_blocking(move || read_all(&settings))
            .await
            .expect("they can be read")
    }

    /// Remembers where a partition of the topic ends now.
    pub async fn end_of(&self, topic: Topic, partition: i32) -> End {
        let mut end = End {
            connection: Connection::open(&self.settings, WITHIN)
                .await
                .expect("the broker runs"),
            topic: self.settings.topic(topic.name()),
            partition,
            offset: 0,
        };
        end.offset = end.now().await;
        end
    }

    /// Waits until the topics have as many different events as the log.
    pub async fn all_published(&self) -> Vec<Published> {
        self.published_at_least(self.expected().len()).await
    }

    /// Waits until the topics have so many different events.
    pub async fn published_at_least(&self, count: usize) -> Vec<Published> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let published = self.published().await;
            let ids: std::collections::BTreeSet<&str> =
                published.iter().map(|event| event.id.as_str()).collect();
            if ids.len() >= count {
                return published;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} events are published",
                ids.len()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Where a partition ended.
pub struct End {
    connection: Connection,
    topic: String,
    partition: i32,
    offset: i64,
}

impl End {
    /// Waits until something is written behind it, for as long as that may be expected; whether it was.
    pub async fn moved(self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.now().await == self.offset {
            if Instant::now() > deadline {
                return false;
            }
        }
        true
    }

    async fn now(&self) -> i64 {
        let ends = self.connection.watermarks(&self.topic, self.partition).await;
        ends.expect("an answer").1
    }
}

impl Running {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("it does not panic");
    }

    /// As a crash would: whatever is on its way may arrive or not.
    pub async fn cut_off(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// So many films from upload to their end, of so many people, mixed as they would be.
pub fn films(story: &mut Story, count: usize, seed: u128) {
    let people: Vec<_> = (0..3).map(|person| story.register(seed + person)).collect();
    let mut uploaded = vec![];
    for number in 0..count {
        let owner = people[number % people.len()];
        uploaded.push(story.upload(seed + 100 + number as u128, owner, Visibility::Public));
    }
    for &number in &uploaded {
        story.claim(number);
        story.report(
            number,
            vec![Fact::Probed(film(10_000)), Fact::RenditionStarted(rung(360))],
        );
    }
    for &number in &uploaded {
        story.publish(number, "360p", &segments(3, 1_000));
        let description = Described {
            title: format!("Film {number}, renamed"),
            description: String::new(),
            visibility: Visibility::Unlisted,
        };
        let by = spool_domain::actors::Actor::System;
        story.video(number, &videos::Command::Describe { by, description });
    }
    for &number in &uploaded {
        match number % 3 {
            0 => story.fail(number, true),
            1 => story.video(
                number,
                &videos::Command::Delete {
                    by: spool_domain::actors::Actor::System,
                },
            ),
            _ => story.complete(number, 10_000),
        };
    }
}

fn open_log(dir: &TempDir) -> Log {
    let mut config = spool_log::Config::new(dir.path().join("log"));
    config.partitions = PARTITIONS;
    config.segment_bytes = 4 << 20;
    Log::open(config).expect("a new log opens")
}
