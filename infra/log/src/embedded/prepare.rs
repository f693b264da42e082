//! The background thread that makes the next segment ahead of its use, and the index of a closed one.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use super::directory::Metadata;
use super::recover;
use super::segment::{self, Segment};
use crate::{Config, Operation};

/// Lives in the writer, which asks for segments; stops when it is dropped.
pub struct Preparer {
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    Make(u64),
    Index(Arc<Segment>),
}

struct Shared {
    config: Config,
    metadata: Metadata,
    spare: Mutex<Spare>,
    changed: Condvar,
    pace: Pace,
    stopping: AtomicBool,
}

/// Begins with the zeros when half of the segment in use is full, and then keeps them only a little ahead of the
/// commits, measured in parts of a segment. Written in one go they would stand in front of everybody's append, and in a
/// log that is hardly used most of them would be for nothing. A burst into the first half has the disk to itself.
#[derive(Default)]
struct Pace {
    allowed: Mutex<u64>,
    raised: Condvar,
}

/// The parts of a segment.
const PARTS: u64 = 256;
/// How many parts of the segment in use must be filled before zeros are written.
const BEGIN_AT: u64 = PARTS / 2;
/// How many parts the commits may be behind where the zeros need them to be.
const AHEAD: u64 = 16;

/// How many parts of the segment in use must be filled before this part of the next one is written.
const fn due(part: u64) -> u64 {
    (BEGIN_AT + part * (PARTS - BEGIN_AT) / PARTS).saturating_sub(AHEAD)
}

/// The segment after the last one.
enum Spare {
    Asked,
    Ready(File),
    Failed(io::Error),
    Taken,
}

impl Preparer {
    pub fn start(config: Config, metadata: Metadata, spare: Option<File>, next: u64) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let spare = spare.map_or(Spare::Taken, Spare::Ready);
        let asked = matches!(spare, Spare::Taken);
        let shared = Arc::new(Shared {
            config,
            metadata,
            spare: Mutex::new(spare),
            changed: Condvar::new(),
            pace: Pace::default(),
            stopping: AtomicBool::new(false),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("spool-log-prepare".into())
            .spawn(move || {
                for job in inbox {
                    worker.run(job);
                }
            })?;
        let preparer = Self {
            jobs: Some(jobs),
            shared,
            thread: Some(thread),
        };
        if asked {
            preparer.ask(next);
        }
        Ok(preparer)
    }

    /// Starts making a segment, at the pace of [`Preparer::keep_up`].
    pub fn ask(&self, sequence: u64) {
        *self.shared.lock() = Spare::Asked;
        self.shared.pace.set(0);
        self.send(Job::Make(sequence));
    }

    /// Writes the index of a closed segment when there is time.
    pub fn index(&self, segment: Arc<Segment>) {
        self.send(Job::Index(segment));
    }

    /// The segment in use is filled up to `at` of `capacity` bytes.
    pub fn keep_up(&self, part_before: &mut u64, at: u64, capacity: u64) {
        let part = at * PARTS / capacity.max(1);
        if part != *part_before {
            *part_before = part;
            self.shared.pace.set(part);
        }
    }

    /// Takes the next segment, waiting for it if it is being made. What failed some time ago is tried once more,
    /// because there may be room by now.
    pub fn take(&self, sequence: u64) -> io::Result<File> {
        let failed_before = matches!(*self.shared.lock(), Spare::Failed(_) | Spare::Taken);
        if failed_before {
            self.ask(sequence);
        }
        self.shared.pace.set(PARTS);
        let mut spare = self.shared.lock();
        loop {
            match std::mem::replace(&mut *spare, Spare::Taken) {
                Spare::Asked => *spare = Spare::Asked,
                Spare::Ready(file) => return Ok(file),
                Spare::Failed(error) => return Err(error),
                Spare::Taken => unreachable!("only the writer takes segments, and it has asked for one"),
            }
            spare = self.shared.changed.wait(spare).expect(UNPOISONED);
        }
    }

    fn send(&self, job: Job) {
        let jobs = self
            .jobs
            .as_ref()
            .expect("the sender goes only when the preparer is dropped");
        jobs.send(job)
            .expect("the thread runs as long as there is a sender, and does not panic");
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.pace.set(PARTS);
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already; closing goes on.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, job: Job) {
        match job {
            Job::Make(sequence) => {
                let made = self.make(sequence);
                *self.lock() = made.map_or_else(Spare::Failed, Spare::Ready);
                self.changed.notify_all();
            }
            Job::Index(_) if self.stopping.load(Ordering::Relaxed) => {}
            Job::Index(segment) => {
                let index = segment
                    .index
                    .read()
                    .expect("nothing panics while it holds an index")
                    .clone();
                recover::write_index(&self.config.dir, &segment.header, &index);
            }
        }
    }

    fn make(&self, sequence: u64) -> io::Result<File> {
        let header = recover::header(&self.config, &self.metadata, sequence);
        let made = segment::make(&self.config.dir, &header, &|at| {
            self.pace.wait_for(due(at * PARTS / header.capacity.max(1)));
            if self.stopping.load(Ordering::Relaxed) {
                return Err(io::Error::new(
                    io::ErrorKind::Interrupted,
                    "the log is being closed",
                ));
            }
            self.config.before(Operation::Prepare)
        });
        if let Err(error) = &made
            && segment::is_full(error)
        {
            tracing::warn!(sequence, %error, "no room for the next segment; it is tried again when it is needed");
        }
        made
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Spare> {
        self.spare.lock().expect(UNPOISONED)
    }
}

impl Pace {
    fn set(&self, part: u64) {
        *self.allowed.lock().expect(UNPOISONED) = part;
        self.raised.notify_all();
    }

    fn wait_for(&self, part: u64) {
        let allowed = self.allowed.lock().expect(UNPOISONED);
        drop(
            self.raised
                .wait_while(allowed, |allowed| *allowed < part)
                .expect(UNPOISONED),
        );
    }
}

const UNPOISONED: &str = "nothing panics while it holds this";
