//! Sends one partition of the log to the topics, in order, several records on their way at once.

use super::PublisherError;
use super::cloud_event::CloudEvent;
use super::public::PublicEvent;
use super::resume::Reached;
use super::status::Settled;
use spool_kafka::{Error, NewRecord, Producer, Sending, Settings};
use spool_log::{Log, Record};
use spool_schemas::CommitRef;
use std::collections::VecDeque;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const READ_BYTES: usize = 1 << 20;
/// On their way at once; also what waits in memory while Kafka is away.
const SENDING_MAX: usize = 256;
/// At a stop, what is on its way may arrive, so that it is not repeated at the next start.
const ARRIVE_WITHIN: Duration = Duration::from_secs(2);

pub struct Follower {
    pub log: Log,
    pub settings: Settings,
    pub producer: Producer,
    pub source: String,
    pub partition: u16,
    pub reached: Reached,
    pub settled: Settled,
}

impl Follower {
    /// Goes on until it is to stop or something fails. Then nothing behind the failure has been written.
    pub async fn run(self, stop: CancellationToken) -> Result<(), PublisherError> {
        let mut following = Following {
            next: self.reached.settled,
            follower: self,
            sending: VecDeque::new(),
        };
        following.note_settled();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            ended = following.follow() => Some(ended),
        };
        match ended {
            Some(ended) => ended,
            None => match tokio::time::timeout(ARRIVE_WITHIN, following.settle_all()).await {
                Ok(settled) => settled,
                Err(_) => Ok(()),
            },
        }
    }
}

struct Following {
    follower: Follower,
    /// The offset to read next.
    next: u64,
    /// The commit's offset of each record on its way, oldest first.
    sending: VecDeque<(u64, Sending)>,
}

impl Following {
    async fn follow(&mut self) -> Result<(), PublisherError> {
        let mut head = self.follower.log.watch(self.follower.partition);
        loop {
            let records = self.read().await?;
            for record in &records {
                self.publish(record).await?;
                self.next = record.offset + 1;
                self.note_settled();
            }
            if !records.is_empty() {
                continue;
            }
            let next = self.next;
            tokio::select! {
                settled = self.settle_one(), if !self.sending.is_empty() => settled?,
                // An end of the watch means that the log is closed.
                changed = head.wait_for(|head| *head > next) => if changed.is_err() { return Ok(()) },
            }
        }
    }

    async fn read(&self) -> Result<Vec<Record>, PublisherError> {
        let (log, partition, from) = (self.follower.log.clone(), self.follower.partition, self.next);
        if log.head(partition) <= from {
            return Ok(vec![]);
        }
        let read = tokio::task::spawn_blocking(move || log.read(partition, from, READ_BYTES)).await;
        let read = read.map_err(|error| PublisherError::Log(error.to_string()))?;
        read.map_err(|error| PublisherError::Log(error.to_string()))
    }

    async fn publish(&mut self, record: &Record) -> Result<(), PublisherError> {
        let commit = CommitRef::decode(&record.payload)?;
        for (version, event) in commit.versioned() {
            let Some(public) = PublicEvent::of(&event.decode()?) else {
                continue;
            };
            let event = CloudEvent::new(&commit, version, &public, &self.follower.source);
            if !self.follower.reached.has(event.topic, record.offset, version) {
                self.send(record.offset, event).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, offset: u64, event: CloudEvent) -> Result<(), PublisherError> {
        while self.sending.len() >= SENDING_MAX {
            self.settle_one().await?;
        }
        let event = event.at(self.follower.partition, offset, self.settled());
        let topic = self.follower.settings.topic(event.topic.name());
        let headers: Vec<(&str, &str)> = event
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let record = NewRecord {
            topic: &topic,
            partition: i32::from(self.follower.partition),
            key: event.key.as_bytes(),
            payload: &event.body,
            headers: &headers,
        };
        loop {
            match self.follower.producer.send(record) {
                Ok(sending) => {
                    self.sending.push_back((offset, sending));
                    return Ok(());
                }
                // All partitions share the queue; those before us will leave it.
                Err(Error::QueueFull) if self.sending.is_empty() => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(Error::QueueFull) => self.settle_one().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for the oldest record on its way. May be cut off anywhere.
    async fn settle_one(&mut self) -> Result<(), PublisherError> {
        if let Some((_, sending)) = self.sending.front_mut() {
            sending.await?;
            self.sending.pop_front();
            self.note_settled();
        }
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<(), PublisherError> {
        while !self.sending.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    /// Everything below this offset is in the topics.
    fn settled(&self) -> u64 {
        self.sending.front().map_or(self.next, |(offset, _)| *offset)
    }

    fn note_settled(&self) {
        self.follower
            .settled
            .note(self.follower.partition, self.settled());
    }
}
