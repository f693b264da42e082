//! Where appends wait for the writer, in the order they were made.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::answers::{Caller, Runtimes};
use super::format::record_bytes;
use crate::AppendError;

/// How long the writer looks again and again before it sleeps: callers who were just answered are back sooner than a
/// sleeping thread wakes.
const SPIN: Duration = Duration::from_micros(40);

/// How long it looks at most: callers who have more to do than to append would go on coming while it burns the core that they
/// could do it on.
const SPIN_MAX: Duration = Duration::from_micros(100);

/// From so many on they are taken in while others are still on their way: fewer would cost more for the lock than is gained.
const PART: usize = 16;

pub struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    /// How many wait, for a look without the lock.
    count: Apart<AtomicUsize>,
}

/// In a cache line of its own, so that whoever looks at it does not slow down those who change what is beside it.
#[repr(align(128))]
struct Apart<T>(T);

struct State {
    waiting: Vec<Pending>,
    runtimes: Runtimes,
    /// The next offset of each partition, counting what waits and what is being written.
    next: Vec<u64>,
    phase: Phase,
    /// How many must wait before the writer is woken; 0 while it is awake.
    wake_at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What was queued is still written.
    Closing,
    Stopped,
}

/// An append whose place in the log is fixed. Small, and in one piece if it is of one commit: it is made on one core and
/// read on another, and each line of the processor's cache that goes over takes as long as writing a commit does.
pub struct Pending {
    pub partition: u16,
    /// The number of the caller's runtime.
    pub runtime: Option<u8>,
    pub first: u64,
    pub commits: Commits,
    pub caller: Caller,
}

const _: () = assert!(
    size_of::<Pending>() <= 56,
    "an append takes less than a line of the cache"
);

pub enum Commits {
    One(Bytes),
    Several(Vec<Bytes>),
}

impl Commits {
    fn new(mut commits: Vec<Bytes>) -> Self {
        match (commits.pop(), commits.is_empty()) {
            (Some(only), true) => Self::One(only),
            (last, _) => {
                commits.extend(last);
                Self::Several(commits)
            }
        }
    }

    pub fn each(self, mut each: impl FnMut(Bytes)) {
        match self {
            Self::One(commit) => each(commit),
            Self::Several(commits) => commits.into_iter().for_each(each),
        }
    }
}

impl Deref for Commits {
    type Target = [Bytes];

    fn deref(&self) -> &[Bytes] {
        match self {
            Self::One(commit) => std::slice::from_ref(commit),
            Self::Several(commits) => commits,
        }
    }
}

impl Pending {
    /// In the log, with headers.
    pub fn bytes(&self) -> usize {
        self.commits.iter().map(|commit| record_bytes(commit.len())).sum()
    }
}

/// How long the writer waits for what.
pub struct Patience {
    /// So many appends are expected soon: the callers who were just answered, and those who wait already.
    pub expected: usize,
    /// How long to wait for all of them.
    pub window: Duration,
    /// Whether to wait for more than the first.
    pub waits: bool,
    /// How long to wait for the first.
    pub idle: Option<Duration>,
}

/// How long the writer has looked, and what it saw last.
struct Look {
    begun: Instant,
    seen: usize,
    seen_at: Instant,
}

enum Seen {
    /// As many as are worth taking in while others come.
    Part,
    /// All who are expected, or nobody any more.
    Enough,
    /// They were still coming when it had looked for long enough.
    Slow,
}

impl Look {
    fn new() -> Self {
        let begun = Instant::now();
        let (seen, seen_at) = (0, begun);
        Self { begun, seen, seen_at }
    }
}

/// Why the writer got to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Wake {
    Work,
    Idle,
    Closing,
}

impl Queue {
    pub fn new(heads: Vec<u64>) -> Self {
        let state = State {
            waiting: Vec::new(),
            runtimes: Runtimes::default(),
            next: heads,
            phase: Phase::Open,
            wake_at: 0,
        };
        Self {
            state: Mutex::new(state),
            arrived: Condvar::new(),
            count: Apart(AtomicUsize::new(0)),
        }
    }

    /// Queues an append if it is next in its partition.
    pub fn push(
        &self,
        partition: u16,
        expected: u64,
        commits: Vec<Bytes>,
    ) -> Result<oneshot::Receiver<Result<u64, AppendError>>, AppendError> {
        let (caller, receiver) = oneshot::channel();
        let commits = Commits::new(commits);
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(AppendError::Stopped);
        }
        let actual = state.next[usize::from(partition)];
        if actual != expected {
            return Err(AppendError::Conflict { expected, actual });
        }
        state.next[usize::from(partition)] += commits.len() as u64;
        let runtime = state.runtimes.here();
        state.waiting.push(Pending {
            partition,
            runtime,
            first: expected,
            commits,
            caller,
        });
        self.count.0.store(state.waiting.len(), Ordering::Relaxed);
        let wake = state.wake_at != 0 && state.waiting.len() >= state.wake_at;
        if wake {
            state.wake_at = 0;
        }
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(receiver)
    }

    /// Blocks until there is something to do, and hands over what waits, in parts if it is much. What the disk costs is the
    /// sync, so it pays to wait a moment for callers who were just answered and are about to append again; whether these
    /// are slow is returned as well. `take_in` empties the list it is given, which is `arrivals`, and says whether it would
    /// take more.
    pub fn gather(
        &self,
        patience: &Patience,
        arrivals: &mut Vec<Pending>,
        mut take_in: impl FnMut(&mut Vec<Pending>) -> bool,
    ) -> (Wake, bool) {
        let (mut expected, mut has_work, mut are_slow) = (patience.expected, false, false);
        let expects = patience.waits && expected > 1;
        if expects {
            let mut look = Look::new();
            while !are_slow {
                match self.look(&mut look, expected) {
                    Seen::Part => {
                        self.hand_over(self.lock(), arrivals);
                        expected = expected.saturating_sub(arrivals.len());
                        has_work = true;
                        if !take_in(arrivals) {
                            return (Wake::Work, false);
                        }
                    }
                    Seen::Enough => break,
                    Seen::Slow => are_slow = true,
                }
            }
        }
        let mut state = self.lock();
        let may_wait = expects && !are_slow && patience.window > SPIN;
        if may_wait && state.waiting.len() < expected {
            state = self.sleep(state, expected, Some(patience.window));
        }
        if state.waiting.is_empty() && !has_work {
            state = self.sleep(state, 1, patience.idle);
        }
        let wake = match state.phase {
            _ if has_work || !state.waiting.is_empty() => Wake::Work,
            Phase::Open => Wake::Idle,
            Phase::Closing | Phase::Stopped => Wake::Closing,
        };
        self.hand_over(state, arrivals);
        take_in(arrivals);
        (wake, are_slow)
    }

    /// Takes all that wait: the whole list changes hands for an empty one.
    fn hand_over(&self, mut state: MutexGuard<'_, State>, arrivals: &mut Vec<Pending>) {
        std::mem::swap(&mut state.waiting, arrivals);
        self.count.0.store(0, Ordering::Relaxed);
    }

    pub fn waiting(&self) -> usize {
        self.count.0.load(Ordering::Relaxed)
    }

    pub fn runtimes(&self) -> Runtimes {
        self.lock().runtimes.clone()
    }

    /// Takes what waits, which builds on something that failed, and starts over from `heads`.
    pub fn reset(&self, heads: Vec<u64>, failed: &mut VecDeque<Pending>) {
        let mut state = self.lock();
        failed.extend(state.waiting.drain(..));
        self.count.0.store(0, Ordering::Relaxed);
        state.next = heads;
    }

    /// Takes nothing more; what is queued is still written.
    pub fn close(&self) {
        self.end(Phase::Closing);
    }

    /// Takes nothing more; what is queued will never be written.
    pub fn stop(&self) {
        self.end(Phase::Stopped);
    }

    fn end(&self, phase: Phase) {
        let mut state = self.lock();
        if state.phase != Phase::Stopped {
            state.phase = phase;
        }
        state.wake_at = 0;
        drop(state);
        self.arrived.notify_one();
    }

    /// Looks again and again, as long as those who are expected keep coming. Whoever else can run goes first.
    fn look(&self, look: &mut Look, expected: usize) -> Seen {
        loop {
            let (count, now) = (self.waiting(), Instant::now());
            if count != look.seen {
                (look.seen, look.seen_at) = (count, now);
            }
            if count >= expected || now - look.seen_at > SPIN {
                return Seen::Enough;
            }
            if now - look.begun > SPIN_MAX {
                return Seen::Slow;
            }
            if count >= PART {
                return Seen::Part;
            }
            // Not too often: each look takes the count away from those who add to it.
            for _ in 0..16 {
                std::hint::spin_loop();
            }
            std::thread::yield_now();
        }
    }

    /// Sleeps until `count` appends wait, the time is up, or the queue is closed.
    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        count: usize,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        state.wake_at = count;
        while state.waiting.len() < count && state.phase == Phase::Open {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => self.arrived.wait_timeout(state, left).expect(UNPOISONED).0,
                None => self.arrived.wait(state).expect(UNPOISONED),
            };
        }
        state.wake_at = 0;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "nothing panics while it holds the queue";
