//! Tells callers that their appends are durable, without holding the writer up.
//!
//! Waking a task from a thread outside its runtime costs a lock and often a system call; from inside the runtime it
//! costs next to nothing. So the callers of one runtime are woken together, by a few tasks there.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::AppendError;

/// Below this a task costs more than it saves.
const TOGETHER_MIN: usize = 8;
/// One task wakes this many, so that two threads can take part.
const TOGETHER_MAX: usize = 64;

/// So many runtimes are remembered.
const RUNTIMES_MAX: usize = 16;

/// Nobody stands by for longer.
const STANDBY_MAX: Duration = Duration::from_micros(300);

thread_local! {
    /// The runtime that this thread was in when it first appended. To look each time would move the runtime's count of
    /// handles from core to core. A thread that changes runtimes is answered all the same, only less cheaply.
    static HERE: OnceCell<Option<Handle>> = const { OnceCell::new() };
}

/// Takes the answer to one append.
pub type Caller = oneshot::Sender<Result<u64, AppendError>>;

/// The runtimes that callers came from. Each has a number, which takes less room in an append than the way to get there.
#[derive(Clone, Default)]
pub struct Runtimes {
    known: Vec<(Id, Handle)>,
}

impl Runtimes {
    /// The number of this thread's runtime, if it has several threads: one of a single thread may be blocked by the
    /// very code that waits for the answer. Where callers come from many runtimes, the last of them have none.
    pub fn here(&mut self) -> Option<u8> {
        HERE.with(|here| {
            let here = here.get_or_init(current).as_ref()?;
            let id = here.id();
            let number = self.known.iter().position(|(known, _)| *known == id);
            let number = number.unwrap_or(self.known.len());
            if number == RUNTIMES_MAX {
                return None;
            }
            if number == self.known.len() {
                self.known.push((id, here.clone()));
            }
            u8::try_from(number).ok()
        })
    }

    fn get(&self, number: u8) -> Option<&Handle> {
        self.known.get(usize::from(number)).map(|(_, handle)| handle)
    }
}

fn current() -> Option<Handle> {
    let current = Handle::try_current().ok();
    current.filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// The callers of one batch, in the order they are to be answered in.
#[derive(Default)]
pub struct Answers {
    groups: Vec<Group>,
    /// Empty, for the next group.
    spare: Vec<(Caller, u64)>,
    /// As the queue had them when a new one was last seen.
    runtimes: Runtimes,
    standby: Option<Standby>,
}

/// Callers of one runtime, and where the first commit of each goes.
struct Group {
    runtime: Option<u8>,
    callers: Vec<(Caller, u64)>,
}

impl Answers {
    /// To be called before anything else is done for callers of `runtime`.
    pub fn know(&mut self, runtime: Option<u8>, all: impl FnOnce() -> Runtimes) {
        if runtime.is_some_and(|number| self.runtimes.get(number).is_none()) {
            self.runtimes = all();
        }
    }

    /// How many are to be answered.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.callers.len()).sum()
    }

    /// Has somebody stand by where the first ones wait, if nobody does, because an answer to many is near: a thread that sleeps
    /// would take as long to wake as the disk does for the sync. Best called while callers are still coming, and so the
    /// runtime is awake: to wake it costs whoever does it 10 to 50 µs.
    pub fn expect(&mut self) {
        if self.standby.is_some() {
            return;
        }
        let runtime = self.groups.first().and_then(|group| group.runtime);
        let handle = runtime.and_then(|number| self.runtimes.get(number));
        self.standby = handle.map(Standby::start);
    }

    /// Adds a caller, whose first commit goes to offset `first`.
    pub fn add(&mut self, caller: Caller, runtime: Option<u8>, first: u64) {
        let last = self.groups.last_mut();
        match last.filter(|last| last.runtime == runtime && last.callers.len() < TOGETHER_MAX) {
            Some(last) => last.callers.push((caller, first)),
            None => {
                let mut callers = std::mem::take(&mut self.spare);
                if callers.capacity() == 0 {
                    callers.reserve_exact(TOGETHER_MAX);
                }
                callers.push((caller, first));
                self.groups.push(Group { runtime, callers });
            }
        }
    }

    /// Tells all that were added that theirs is durable.
    pub fn give(&mut self) {
        for group in self.groups.drain(..) {
            let Group { runtime, mut callers } = group;
            let runtime = runtime.filter(|_| callers.len() >= TOGETHER_MIN);
            let Some(runtime) = runtime.and_then(|number| self.runtimes.get(number)) else {
                Given::answer(&mut callers);
                self.spare = callers;
                continue;
            };
            let batch = Given(callers);
            let left = match self.standby.take() {
                Some(standby) => standby.hand_over(batch),
                None => Some(batch),
            };
            if let Some(batch) = left {
                runtime.spawn(async move { drop(batch) });
            }
        }
        self.standby = None;
    }

    /// Tells all that were added that theirs is not.
    pub fn refuse(&mut self, error: AppendError) {
        self.standby = None;
        for (caller, _) in self.groups.drain(..).flat_map(|group| group.callers) {
            // Whoever dropped the receiver does not want to know.
            let _ = caller.send(Err(error));
        }
    }
}

/// Answers when it is dropped: so also when the runtime ends before it runs the task.
struct Given(Vec<(Caller, u64)>);

impl Given {
    fn answer(callers: &mut Vec<(Caller, u64)>) {
        for (caller, first) in callers.drain(..) {
            // Whoever dropped the receiver does not want to know.
            let _ = caller.send(Ok(first));
        }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        Self::answer(&mut self.0);
    }
}

/// A task that looks again and again, letting other tasks and threads run in between, until it is handed some answers.
struct Standby(Arc<Post>);

#[derive(Default)]
struct Post {
    is_over: AtomicBool,
    handed: Mutex<Handed>,
}

#[derive(Default)]
struct Handed {
    answers: Option<Given>,
    /// Nobody stands by any more.
    is_left: bool,
}

impl Standby {
    fn start(runtime: &Handle) -> Self {
        let post = Arc::new(Post::default());
        let standing = Standing(Arc::clone(&post));
        runtime.spawn(async move {
            let started = Instant::now();
            while !standing.0.is_over.load(Ordering::Acquire) && started.elapsed() < STANDBY_MAX {
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
        });
        Self(post)
    }

    /// Gives the answers back if nobody stands by.
    fn hand_over(self, batch: Given) -> Option<Given> {
        let mut handed = self.0.handed.lock().expect(UNPOISONED);
        if handed.is_left {
            return Some(batch);
        }
        handed.answers = Some(batch);
        drop(handed);
        self.0.is_over.store(true, Ordering::Release);
        None
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

/// Leaves the post when it is dropped, and gives what was handed over.
struct Standing(Arc<Post>);

impl Drop for Standing {
    fn drop(&mut self) {
        let mut handed = self.0.handed.lock().expect(UNPOISONED);
        handed.is_left = true;
        let answers = handed.answers.take();
        drop(handed);
        drop(answers);
    }
}

const UNPOISONED: &str = "nothing panics while it holds the post";
