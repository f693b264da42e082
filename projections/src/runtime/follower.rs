//! Follows the log and feeds every open version of every view: each commit is read and decoded once.
//!
//! A round takes what is there, folds it into all versions, then writes each. An idle view shows a commit as soon as it
//! is durable, and so does one that somebody waits for; otherwise rounds keep a distance, for a write costs about the
//! same whether it holds one commit or a hundred.

use super::announcing::{Audience, SAY_AGAIN};
use super::feeder::{CatchUpError, Feeder, OnPoison};
use super::registry::Registered;
use super::seat::{Seat, State};
use super::serving::Version;
use crate::facts::Facts;
use crate::switches;
use futures_util::future::select_all;
use spool_log::{Log, ReadError, ScanRecord};
use spool_tables::{Position, Tables, TablesError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

/// Of each partition in one round, when there is little to do.
const ROUND_BYTES: usize = 256 << 10;
/// More commits than this are read in the order they were written, which is faster.
const SCAN_FROM: u64 = 10_000;
/// Rows of a scan are written, and queries see them, after so many commits.
const SCAN_FLUSH: u64 = 20_000;
/// From one round to the next while nobody waits for what it brings: at least, and at most when rounds take long.
const DISTANCE: Duration = Duration::from_millis(10);
const DISTANCE_MAX: Duration = Duration::from_millis(20);
/// Of the time rounds take a part at most, for the more commits a round has, the less each of them costs.
const ROUND_PART: u32 = 8;
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// After so many commits whoever waits for the core goes first: a scheduler may let a busy thread run for milliseconds, in
/// which the log could have been written several times.
const COMMITS_AT_A_STRETCH: u64 = 32;

pub(super) enum Message {
    /// Feed this version from here on; answered when it is as far as the others.
    Adopt {
        view: usize,
        version: Arc<Version>,
        reply: oneshot::Sender<Result<(), TablesError>>,
    },
    /// Stop feeding this version and drop it, unless it serves.
    Retire {
        view: usize,
        number: u32,
    },
    /// What the serving version holds, by hash.
    Hash {
        view: usize,
        reply: oneshot::Sender<Result<Hashed, TablesError>>,
    },
    Stop,
}

pub(super) struct Hashed {
    pub version: u32,
    /// The positions the hash is as of.
    pub next: Vec<u64>,
    pub hash: String,
}

pub(super) struct Follower {
    log: Log,
    tables: Tables,
    views: Arc<Vec<Registered>>,
    audience: Audience,
    /// The first one is that of the switches, which belongs to no view of the registry.
    seats: Vec<Seat>,
    wanted: HashMap<&'static str, u32>,
    /// Everything below is fed to all versions that are in step.
    cursor: Vec<u64>,
    heads: Vec<watch::Receiver<u64>>,
    messages: mpsc::Receiver<Message>,
    stop: Arc<AtomicBool>,
    runtime: Runtime,
    said_again: Instant,
}

/// Why following ended.
enum Over {
    Stopped,
    Log(ReadError),
}

impl Follower {
    pub fn new(
        log: Log,
        tables: Tables,
        views: Arc<Vec<Registered>>,
        audience: Audience,
        seats: Vec<Seat>,
        messages: mpsc::Receiver<Message>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, std::io::Error> {
        let partitions = log.partitions();
        let behind_all = |partition: usize| seats.iter().map(|seat| seat.feeder.next[partition]).min();
        Ok(Self {
            cursor: (0..usize::from(partitions))
                .map(|at| behind_all(at).unwrap_or(0))
                .collect(),
            heads: (0..partitions).map(|partition| log.watch(partition)).collect(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?,
            wanted: HashMap::new(),
            said_again: Instant::now(),
            log,
            tables,
            views,
            audience,
            seats,
            messages,
            stop,
        })
    }

    /// Until it is told to stop, or the log ends. What is unwritten then is folded again at the next start.
    pub fn run(mut self) {
        self.read_wanted();
        self.audience.say_again();
        loop {
            let begun = Instant::now();
            let over = match self.round() {
                Ok(true) => {
                    self.keep_distance(begun);
                    continue;
                }
                Ok(false) => self.wait(),
                Err(over) => Some(over),
            };
            match over {
                None => {}
                Some(Over::Stopped) => return,
                Some(Over::Log(error)) => {
                    tracing::error!(%error, "the log cannot be read; the views stay as they are");
                    return;
                }
            }
        }
    }

    /// Lets more commits gather, unless somebody waits for one.
    fn keep_distance(&self, begun: Instant) {
        let versions = || self.seats.iter().map(|seat| &seat.feeder.version);
        versions().for_each(|version| version.feed_here());
        let distance = (begun.elapsed() * ROUND_PART).clamp(DISTANCE, DISTANCE_MAX);
        while let Some(left) = distance.checked_sub(begun.elapsed())
            && !versions().any(|version| version.is_awaited())
        {
            thread::park_timeout(left);
        }
    }

    /// Feeds what is there and says whether there was anything.
    fn round(&mut self) -> Result<bool, Over> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Over::Stopped);
        }
        while let Ok(message) = self.messages.try_recv() {
            self.take(message)?;
        }
        self.bring_back()?;
        let heads: Vec<u64> = self
            .heads
            .iter_mut()
            .map(|head| *head.borrow_and_update())
            .collect();
        let lag: u64 = heads
            .iter()
            .zip(&self.cursor)
            .map(|(head, next)| head.saturating_sub(*next))
            .sum();
        if lag > SCAN_FROM {
            self.scan()?;
        } else if lag > 0 {
            self.read(&heads)?;
        }
        self.flush();
        self.settle();
        if self.said_again.elapsed() >= SAY_AGAIN {
            self.said_again = Instant::now();
            self.audience.say_again();
        }
        Ok(lag > 0)
    }

    fn read(&mut self, heads: &[u64]) -> Result<(), Over> {
        for (partition, head) in (0u16..).zip(heads) {
            let from = self.cursor[usize::from(partition)];
            if from >= *head {
                continue;
            }
            for record in self.log.read(partition, from, ROUND_BYTES).map_err(Over::Log)? {
                let offset = record.offset;
                self.feed(Position { partition, offset }, &record.payload);
            }
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(), Over> {
        let mut fed = 0u64;
        for record in self.log.scan(&self.cursor).map_err(Over::Log)? {
            let ScanRecord {
                partition,
                offset,
                payload,
            } = record.map_err(Over::Log)?;
            self.feed(Position { partition, offset }, &payload);
            fed += 1;
            if fed.is_multiple_of(SCAN_FLUSH) {
                self.flush();
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Over::Stopped);
                }
            }
        }
        Ok(())
    }

    fn feed(&mut self, at: Position, payload: &[u8]) {
        let facts = Facts::decode(payload);
        for seat in self.seats.iter_mut().filter(|seat| seat.is_in_step()) {
            let fed = match &facts {
                Ok(facts) => seat.feeder.feed(at, facts),
                Err(error) => seat.feeder.feed_unreadable(at, &error.to_string()),
            };
            if let Err(error) = fed {
                seat.fell_back(error);
            }
        }
        self.cursor[usize::from(at.partition)] = at.offset + 1;
        if at.offset.is_multiple_of(COMMITS_AT_A_STRETCH) {
            thread::yield_now();
        }
    }

    /// Makes what was fed visible.
    fn flush(&mut self) {
        let mut switched = false;
        for (at, seat) in self.seats.iter_mut().enumerate() {
            if let Some(keys) = seat.flush() {
                switched |= at == 0 && !keys.is_empty();
                self.audience.flushed(seat, keys);
            }
        }
        if switched {
            self.read_wanted();
        }
    }

    /// Versions that fell back catch up on their own; the others do not wait for a disk that is full.
    fn bring_back(&mut self) -> Result<(), Over> {
        let (log, stop) = (&self.log, &self.stop);
        for seat in self
            .seats
            .iter_mut()
            .filter(|seat| seat.may_try_again(RETRY_AFTER))
        {
            let go_on = || !stop.load(Ordering::Relaxed);
            let caught_up = match seat.feeder.commit() {
                Ok(keys) => {
                    self.audience.flushed(seat, keys);
                    seat.feeder.catch_up(log, go_on)
                }
                Err(error) => Err(CatchUpError::Tables(error)),
            };
            match caught_up {
                Ok(()) => seat.state = State::InStep,
                Err(CatchUpError::Log(error)) => return Err(Over::Log(error)),
                Err(CatchUpError::Tables(error)) => seat.stall(&error),
                Err(CatchUpError::Feed(error)) => seat.fell_back(error),
            }
        }
        Ok(())
    }

    /// Lets the wanted version of each view answer, once it is as far as the one that does.
    fn settle(&mut self) {
        for (index, registered) in self.views.iter().enumerate() {
            let Some(number) = self.wanted.get(registered.view.name()).copied() else {
                continue;
            };
            let serving = registered.serving.current();
            if serving.as_ref().is_some_and(|version| version.number == number) {
                continue;
            }
            let ready = self
                .seats
                .iter()
                .find(|seat| seat.is(index, number) && seat.is_in_step());
            let Some(seat) = ready else {
                continue;
            };
            let version = seat.feeder.version.clone();
            if let Some(before) = serving {
                drop_others(&mut self.seats, &self.tables, index, [number, before.number]);
            }
            registered.serving.switch_to(version);
            self.audience.switched(index);
            tracing::info!(
                view = registered.view.name(),
                version = number,
                "answers from here on"
            );
        }
    }

    fn read_wanted(&mut self) {
        let switches = &self.seats[0].feeder.version.tables;
        for registered in self.views.iter() {
            let name = registered.view.name();
            match switches::wanted(switches, name) {
                Ok(number) => {
                    self.wanted.insert(name, number);
                }
                Err(error) => tracing::error!(view = name, %error, "reading which version is to answer"),
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Over> {
        match message {
            Message::Stop => return Err(Over::Stopped),
            Message::Adopt { view, version, reply } => {
                // Whoever gave up waiting finds the version at the next start.
                let _ = reply.send(self.adopt(view, version)?);
                self.settle();
            }
            Message::Retire { view, number } => self.retire(view, number),
            Message::Hash { view, reply } => {
                let _ = reply.send(self.hash(view));
            }
        }
        Ok(())
    }

    fn adopt(&mut self, view: usize, version: Arc<Version>) -> Result<Result<(), TablesError>, Over> {
        let fold = self.views[view].view.clone();
        let mut feeder = match Feeder::open(fold, version, self.log.partitions(), OnPoison::Park) {
            Ok(feeder) => feeder,
            Err(error) => return Ok(Err(error)),
        };
        let stop = &self.stop;
        let caught_up = feeder.catch_up(&self.log, || !stop.load(Ordering::Relaxed));
        let written = match caught_up {
            Ok(()) => feeder.write(),
            Err(CatchUpError::Log(error)) => return Err(Over::Log(error)),
            Err(CatchUpError::Tables(error)) => Err(error),
            Err(CatchUpError::Feed(_)) => Ok(()),
        };
        if written.is_ok() {
            self.seats.push(Seat::new(Some(view), feeder));
        }
        Ok(written)
    }

    fn retire(&mut self, view: usize, number: u32) {
        if self.wanted.get(self.views[view].view.name()) == Some(&number) {
            return;
        }
        self.seats.retain(|seat| {
            let goes = seat.is(view, number);
            if goes {
                seat.drop_version(&self.tables);
            }
            !goes
        });
    }

    fn hash(&mut self, view: usize) -> Result<Hashed, TablesError> {
        let serving = self.views[view].serving.current();
        let number = serving.map_or(0, |version| version.number);
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.is(view, number)) else {
            return Err(TablesError::Dropped);
        };
        let keys = seat.feeder.commit()?;
        self.audience.flushed(seat, keys);
        Ok(Hashed {
            version: number,
            next: seat.feeder.next.clone(),
            hash: seat.feeder.version.tables.content_hash()?,
        })
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self) -> Option<Over> {
        let (is_wide, say_again) = (self.audience.is_wide(), self.said_again + SAY_AGAIN);
        let any_stalled = self.seats.iter().any(|seat| !seat.is_in_step());
        let moved = select_all(self.heads.iter_mut().map(|head| Box::pin(head.changed())));
        let messages = &mut self.messages;
        let woken = self.runtime.block_on(async {
            tokio::select! {
                (moved, _, _) = moved => moved.map(|()| None).map_err(|_| Over::Stopped),
                message = messages.recv() => message.map(Some).ok_or(Over::Stopped),
                () = tokio::time::sleep(RETRY_AFTER), if any_stalled => Ok(None),
                () = tokio::time::sleep_until(say_again.into()), if is_wide => Ok(None),
            }
        });
        match woken {
            Ok(None) => None,
            Ok(Some(message)) => self.take(message).err(),
            Err(over) => Some(over),
        }
    }
}

/// Drops the versions of a view that are neither the one that answers nor the one before it.
fn drop_others(seats: &mut Vec<Seat>, tables: &Tables, view: usize, kept: [u32; 2]) {
    seats.retain(|seat| {
        let goes = seat.view == Some(view) && !kept.contains(&seat.feeder.version.number);
        if goes {
            seat.drop_version(tables);
        }
        !goes
    });
}
