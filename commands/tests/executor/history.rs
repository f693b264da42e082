//! What the log says happened, and whether the executors think the same.

use crate::world::{World, until};
use spool_commands::{CommandError, Commands, Feature};
use spool_domain::decider::refold;
use spool_domain::ids::{Feature as Word, StreamId};
use spool_domain::{accounts, jobs, reservations, uploads, videos, views};
use spool_log::Log;
use spool_schemas::{AnyEvent, CommitRef};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use uuid::Uuid;

/// One commit.
pub struct Fact {
    pub partition: u16,
    pub offset: u64,
    pub stream: StreamId,
    /// The stream's version after it.
    pub version: u64,
    pub command: Uuid,
    pub time_ms: i64,
    pub events: Vec<AnyEvent>,
}

pub struct History {
    pub facts: Vec<Fact>,
    pub streams: BTreeMap<StreamId, (u64, Vec<AnyEvent>)>,
}

impl History {
    /// Everything in the log, which must be a history: each command once, versions contiguous, time never
    /// backwards, and each process manager's commands in the order of what led to them.
    pub fn of(log: &Log) -> Self {
        let mut history = Self {
            facts: vec![],
            streams: BTreeMap::new(),
        };
        let (mut commands, mut times) = (HashMap::new(), HashMap::new());
        let mut origins = HashMap::new();
        for record in log
            .scan(&vec![0; usize::from(log.partitions())])
            .expect("the log reads")
        {
            let record = record.expect("the log reads");
            let (partition, offset) = (record.partition, record.offset);
            let commit = CommitRef::decode(&record.payload).expect("a commit");
            let events = commit.decode_events().expect("events");
            assert_eq!(commit.stream.partition(log.partitions()), partition);
            assert!(!events.is_empty());
            let before = commands.insert(commit.command, offset);
            assert_eq!(before, None, "command {} is there twice", commit.command);
            let time = times.entry(partition).or_insert(commit.time);
            assert!(
                *time <= commit.time,
                "time runs backwards at {partition}:{offset}"
            );
            *time = commit.time;
            if let Some(origin) = &commit.cause.origin {
                let key = (partition, origin.manager.clone(), origin.partition);
                let before = origins.insert(key, origin.position);
                assert!(before < Some(origin.position), "{origin:?} came after {before:?}");
            }
            let (version, all) = history.streams.entry(commit.stream).or_default();
            assert_eq!(commit.version, *version + 1, "{} has a gap", commit.stream);
            *version = commit.last_version();
            all.extend(events.iter().cloned());
            history.facts.push(Fact {
                partition,
                offset,
                stream: commit.stream,
                version: commit.last_version(),
                command: commit.command,
                time_ms: commit.time.as_millis(),
                events,
            });
        }
        history
    }

    /// The executors know of every stream what a refold gives.
    pub async fn is_what_they_know(&self, commands: &Commands) {
        for stream in self.streams.keys() {
            compare(commands, self, *stream).await;
        }
    }

    pub fn events(&self, stream: StreamId) -> &[AnyEvent] {
        self.streams.get(&stream).map_or(&[], |(_, events)| events)
    }

    /// The names of a stream's events.
    pub fn names(&self, stream: StreamId) -> Vec<&'static str> {
        let names = self.events(stream).iter().map(AnyEvent::name_and_version);
        names.map(|(name, _)| name).collect()
    }
}

impl World {
    pub fn history(&self) -> History {
        History::of(&self.log)
    }

    /// The executors know of every stream what a refold of the log gives.
    pub async fn state_is_the_refold(&self) -> History {
        let history = self.history();
        history.is_what_they_know(&self.commands).await;
        history
    }
}

async fn compare(commands: &Commands, history: &History, stream: StreamId) {
    macro_rules! compare {
        ($($word:ident => $state:ty;)*) => {
            match stream.feature {
                $(Word::$word => compare_as::<$state>(commands, history, stream, |event| match event {
                    AnyEvent::$word(event) => event.clone(),
                    other => panic!("{stream} holds {other:?}"),
                }).await,)*
            }
        };
    }
    compare! {
        Accounts => accounts::Account;
        Reservations => reservations::Reservation;
        Uploads => uploads::Upload;
        Videos => videos::Video;
        Jobs => jobs::Job;
        Views => views::View;
    }
}

async fn compare_as<D: Feature + Debug + PartialEq>(
    commands: &Commands,
    history: &History,
    stream: StreamId,
    own: impl Fn(&AnyEvent) -> D::Event,
) {
    let (version, events) = &history.streams[&stream];
    let events: Vec<D::Event> = events.iter().map(own).collect();
    let known = known::<D>(commands, stream).await;
    assert_eq!(known, (refold::<D>(&events), *version), "{stream}");
}

/// Where several nodes share the log, another's claim may still have been on its way: then it is claimed once more.
async fn known<D: Feature>(commands: &Commands, stream: StreamId) -> (D, u64) {
    let log = commands.log();
    for _ in 0..10 {
        match commands.state::<D>(stream).await {
            Err(CommandError::Elsewhere(_)) => {
                let partition = stream.partition(log.partitions());
                until("it leads again", async || {
                    log.claim(partition);
                    log.leads(partition)
                })
                .await;
            }
            known => return known.expect("the state can be had"),
        }
    }
    panic!("somebody claims the partition of {stream} again and again");
}
