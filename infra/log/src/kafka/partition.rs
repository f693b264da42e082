//! One partition: its seat, and what the seat wants done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::index::Index;
use super::sender::Sender;
use super::{UNPOISONED, World};
use crate::term::{Damage, Fold, Me, Output, Record, Seat};
use crate::{AppendError, Appending, Standing};

type Caller = oneshot::Sender<Result<u64, AppendError>>;

pub struct Partition {
    number: u16,
    world: Arc<World>,
    this: Weak<Self>,
    head: AtomicU64,
    inner: Mutex<Inner>,
}

struct Inner {
    seat: Seat<Caller>,
    sender: Option<Sender>,
    index: Index,
    /// Why nothing more can be read.
    fault: Option<String>,
    /// Gone when the log is closed.
    watches: Option<Watches>,
}

struct Watches {
    head: watch::Sender<u64>,
    standing: watch::Sender<Standing>,
}

impl Partition {
    pub fn new(number: u16, world: Arc<World>, index: Index) -> Arc<Self> {
        let fold: Fold = index.last();
        let me = Me {
            node: world.config.node.clone(),
            url: world.config.url.clone(),
            claims_from: Uuid::new_v4().as_u128(),
        };
        let head = fold.number;
        let seat = Seat::new(me, world.config.timing(), fold);
        let watches = Watches {
            head: watch::Sender::new(head),
            standing: watch::Sender::new(seat.standing()),
        };
        Arc::new_cyclic(|this| Self {
            number,
            world,
            this: this.clone(),
            head: AtomicU64::new(head),
            inner: Mutex::new(Inner {
                seat,
                sender: None,
                index,
                fault: None,
                watches: Some(watches),
            }),
        })
    }

    /// Without a tenure, whatever was refused before.
    pub fn append(&self, tenure: Option<u64>, expected: u64, commits: Vec<Bytes>) -> Appending {
        let (caller, receiver) = oneshot::channel();
        let mut inner = self.lock();
        if inner.watches.is_none() {
            return Appending::answered(Err(AppendError::Stopped));
        }
        let tenure = tenure.unwrap_or_else(|| inner.seat.tenure());
        inner
            .seat
            .append(self.world.now(), tenure, expected, commits, caller);
        self.carry_out(&mut inner);
        Appending::queued(receiver)
    }

    pub fn tenure(&self) -> u64 {
        self.lock().seat.tenure()
    }

    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    pub fn watch(&self) -> watch::Receiver<u64> {
        match &self.lock().watches {
            Some(watches) => watches.head.subscribe(),
            // Closed: a receiver that has ended already.
            None => watch::channel(self.head()).1,
        }
    }

    pub fn standing(&self) -> watch::Receiver<Standing> {
        let inner = self.lock();
        match &inner.watches {
            Some(watches) => watches.standing.subscribe(),
            None => watch::channel(inner.seat.standing()).1,
        }
    }

    pub fn claim(&self) {
        let mut inner = self.lock();
        inner.seat.claim(self.world.now());
        self.carry_out(&mut inner);
    }

    pub fn release(&self) {
        let mut inner = self.lock();
        inner.seat.release();
        self.carry_out(&mut inner);
    }

    pub fn reported(&self, attempt: u64, seq: u64, outcome: Result<Option<u64>, ()>) {
        let mut inner = self.lock();
        inner.seat.reported(self.world.now(), attempt, seq, outcome);
        self.carry_out(&mut inner);
    }

    pub fn tip(&self, attempt: u64, tip: u64) {
        let mut inner = self.lock();
        inner.seat.tip(self.world.now(), attempt, tip);
        self.carry_out(&mut inner);
    }

    /// Whether the answer to this question is still waited for.
    pub fn asks(&self, attempt: u64) -> bool {
        self.lock().seat.asks(attempt)
    }

    pub fn tick(&self) {
        let mut inner = self.lock();
        inner.seat.tick(self.world.now());
        self.carry_out(&mut inner);
    }

    /// The reader has come to this record.
    pub fn read(&self, offset: u64, payload: &[u8]) {
        let mut inner = self.lock();
        if offset == 0 {
            inner.index.begin(payload);
        }
        if offset < inner.seat.fold().next_offset || inner.fault.is_some() {
            return;
        }
        match Record::decode(Bytes::copy_from_slice(payload)) {
            Ok(record) => {
                inner.seat.read(self.world.now(), offset, record.as_ref());
                self.carry_out(&mut inner);
            }
            Err(damage) => {
                let problem = unreadable(offset, damage);
                tracing::error!(partition = self.number, "{}: {problem}", self.world.place());
                inner.fault = Some(problem);
            }
        }
    }

    /// Where the reader is, by Kafka's count.
    pub fn next_offset(&self) -> u64 {
        self.lock().seat.fold().next_offset
    }

    pub fn fault(&self) -> Option<String> {
        self.lock().fault.clone()
    }

    pub fn set_fault(&self, problem: &str) {
        self.lock().fault.get_or_insert_with(|| problem.to_owned());
    }

    pub fn is_idle(&self) -> bool {
        self.lock().seat.is_idle()
    }

    /// The latest known place before the commit `number`.
    pub fn place_before(&self, number: u64) -> Fold {
        self.lock().index.before(number)
    }

    pub fn close(&self) {
        let mut inner = self.lock();
        inner.watches = None;
        inner.seat.stop();
        self.carry_out(&mut inner);
        inner.sender = None;
        let fold = inner.seat.fold().clone();
        inner.index.add(&fold);
    }

    fn carry_out(&self, inner: &mut Inner) {
        let mut told = Told::default();
        loop {
            let outputs = inner.seat.outputs();
            if outputs.is_empty() {
                break;
            }
            for output in outputs {
                self.carry_out_one(inner, output, &mut told);
            }
        }
        self.tell(inner, &mut told);
        if inner.index.is_due(inner.seat.fold().number) {
            let fold = inner.seat.fold().clone();
            inner.index.add(&fold);
        }
    }

    fn carry_out_one(&self, inner: &mut Inner, output: Output<Caller>, told: &mut Told) {
        match output {
            Output::FindTip { attempt } => self.world.tips.ask(self.this.clone(), self.number, attempt),
            Output::Send { attempt, seq, record } => {
                if let Err(error) = self.send(inner, attempt, seq, &record) {
                    tracing::warn!(partition = self.number, %error, "writing to {} failed", self.world.place());
                    inner.seat.reported(self.world.now(), attempt, seq, Err(()));
                }
            }
            Output::Hang => inner.sender = None,
            Output::Accepted { first, commits } => {
                let mut memory = self.world.memory.lock().expect(UNPOISONED);
                told.head = Some(first + commits.len() as u64);
                memory.push(self.number, commits);
                memory.forget();
            }
            Output::Answer { caller, result } => {
                // What is acknowledged is visible.
                self.tell(inner, told);
                // Whoever dropped the receiver does not want to know.
                let _ = caller.send(result);
            }
            Output::Standing => told.standing = true,
        }
    }

    fn send(
        &self,
        inner: &mut Inner,
        attempt: u64,
        seq: u64,
        record: &Record,
    ) -> rdkafka::error::KafkaResult<()> {
        let sender = match &mut inner.sender {
            Some(sender) if sender.attempt == attempt => sender,
            other => other.insert(Sender::open(
                &self.world,
                self.number,
                self.this.clone(),
                attempt,
            )?),
        };
        sender.send(&self.world.topic, seq, record)
    }

    fn tell(&self, inner: &Inner, told: &mut Told) {
        let told = std::mem::take(told);
        if let Some(head) = told.head {
            self.head.store(head, Ordering::Release);
        }
        let Some(watches) = &inner.watches else {
            return;
        };
        if let Some(head) = told.head {
            watches.head.send_replace(head);
        }
        if told.standing {
            let now = inner.seat.standing();
            watches
                .standing
                .send_if_modified(|standing| std::mem::replace(standing, now.clone()) != now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect(UNPOISONED)
    }
}

/// What readers and followers are to be told.
#[derive(Default)]
struct Told {
    head: Option<u64>,
    standing: bool,
}

pub fn unreadable(offset: u64, damage: Damage) -> String {
    format!("the record at Kafka's offset {offset} cannot be read: {damage}; nothing after it is used")
}
