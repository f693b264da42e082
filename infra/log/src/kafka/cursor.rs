//! Reads one partition from some place on, with the same fold as everybody. Blocking.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use spool_kafka::Context;

use super::partition::unreadable;
use super::{UNPOISONED, World};
use crate::ReadError;
use crate::term::{Fold, Record, Verdict};

/// How long the brokers may keep a reader waiting for something that is there.
const PATIENCE: Duration = Duration::from_secs(10);
const CURSORS_KEPT: usize = 16;

pub struct Cursor {
    world: Arc<World>,
    partition: u16,
    consumer: BaseConsumer<Context>,
    fold: Fold,
    /// Read, but not given out.
    ready: VecDeque<(u64, Bytes)>,
    /// Records read, void ones too, and the bytes of all.
    pub records: u64,
    pub bytes: u64,
}

/// Cursors that will be wanted again: who reads page by page goes on where the last page ended.
#[derive(Default)]
pub struct Cursors {
    kept: Mutex<VecDeque<Cursor>>,
}

impl Cursor {
    pub fn open(world: &Arc<World>, partition: u16, fold: Fold) -> Result<Self, ReadError> {
        let failed = |problem: String| servers(world, partition, problem);
        let mut config = world.config.settings.consumer();
        config
            .set("queued.max.messages.kbytes", "8192")
            .set("fetch.queue.backoff.ms", "5");
        let consumer = BaseConsumer::from_config_and_context(&config, Context::default())
            .map_err(|error| failed(error.to_string()))?;
        let mut list = TopicPartitionList::new();
        let at = i64::try_from(fold.next_offset).unwrap_or(i64::MAX);
        list.add_partition_offset(&world.topic, i32::from(partition), Offset::Offset(at))
            .and_then(|()| consumer.assign(&list))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            world: Arc::clone(world),
            partition,
            consumer,
            fold,
            ready: VecDeque::new(),
            records: 0,
            bytes: 0,
        })
    }

    /// The commit that [`Cursor::take`] would give, which must be below the head.
    pub fn peek(&mut self) -> Result<&(u64, Bytes), ReadError> {
        let deadline = Instant::now() + PATIENCE;
        while self.ready.is_empty() {
            self.read_on(deadline)?;
        }
        Ok(self.ready.front().expect("something is ready"))
    }

    pub fn take(&mut self) -> Result<(u64, Bytes), ReadError> {
        self.peek()?;
        Ok(self.ready.pop_front().expect("something is ready"))
    }

    fn next(&self) -> u64 {
        self.ready.front().map_or(self.fold.number, |(number, _)| *number)
    }

    fn read_on(&mut self, deadline: Instant) -> Result<(), ReadError> {
        let (world, partition) = (&self.world, self.partition);
        let message = match self.consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_lasting) => {
                return Err(servers(world, partition, error.to_string()));
            }
            Some(Err(_)) | None if Instant::now() < deadline => return Ok(()),
            Some(Err(error)) => return Err(servers(world, partition, error.to_string())),
            None => {
                let problem = match self.consumer.context().trouble() {
                    Some((_, reason)) => format!("nothing came within {} s: {reason}", PATIENCE.as_secs()),
                    None => format!("nothing came within {} s", PATIENCE.as_secs()),
                };
                return Err(servers(world, partition, problem));
            }
        };
        let Ok(offset) = u64::try_from(message.offset()) else {
            return Ok(());
        };
        if offset < self.fold.next_offset {
            return Ok(());
        }
        let payload = Bytes::copy_from_slice(message.payload().unwrap_or_default());
        self.records += 1;
        self.bytes += payload.len() as u64;
        let record = Record::decode(payload).map_err(|damage| ReadError::Corrupt {
            file: world.file(partition),
            position: offset,
            problem: unreadable(offset, damage),
        })?;
        match record {
            None => self.fold.pass(offset),
            Some(record) => {
                let verdict = self.fold.take(offset, &record);
                if let (Verdict::Accepted, Record::Commits(record)) = (verdict, record) {
                    self.ready.extend((record.number..).zip(record.commits));
                }
            }
        }
        Ok(())
    }
}

impl Cursors {
    /// A cursor at the commit `from`; `place` is some place before it.
    pub fn at(
        &self,
        world: &Arc<World>,
        partition: u16,
        from: u64,
        place: impl FnOnce() -> Fold,
    ) -> Result<Cursor, ReadError> {
        let mut kept = self.kept.lock().expect(UNPOISONED);
        let found = kept
            .iter()
            .position(|cursor| cursor.partition == partition && cursor.next() == from);
        if let Some(cursor) = found.and_then(|at| kept.remove(at)) {
            return Ok(cursor);
        }
        drop(kept);
        let mut cursor = Cursor::open(world, partition, place())?;
        while cursor.peek()?.0 < from {
            cursor.take()?;
        }
        Ok(cursor)
    }

    pub fn keep(&self, cursor: Cursor) {
        let mut kept = self.kept.lock().expect(UNPOISONED);
        kept.push_back(cursor);
        let old = (kept.len() > CURSORS_KEPT).then(|| kept.pop_front()).flatten();
        drop(kept);
        drop(old);
    }
}

fn is_lasting(code: rdkafka::error::RDKafkaErrorCode) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::AutoOffsetReset
            | Code::OffsetOutOfRange
            | Code::TopicAuthorizationFailed
            | Code::UnknownTopicOrPartition
    )
}

fn servers(world: &World, partition: u16, problem: String) -> ReadError {
    ReadError::Servers {
        place: world.place(),
        partition,
        problem,
    }
}
