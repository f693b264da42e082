//! What holds of a job after any commands at all, however they are mixed.

use crate::anything;
use crate::history::{History, nothing_breaks};
use crate::jobs_given::rendition;
use proptest::collection::vec;
use proptest::prelude::*;
use spool_domain::decider::Decider;
use spool_domain::jobs::*;
use spool_domain::media::{Film, Rendition};
use spool_domain::time::{Millis, Timestamp};
use std::collections::BTreeMap;

/// A command that mostly makes sense where it is given.
#[derive(Clone, Debug)]
enum Step {
    Give(Command),
    /// By the attempt that many before the last, with segments that many after the published.
    ByAttempt(u32, u32, Command),
}

impl Step {
    fn aimed(self, job: &Job) -> Command {
        let (back, skip, mut command) = match self {
            Self::Give(command) => return command,
            Self::ByAttempt(back, skip, command) => (back, skip, command),
        };
        let Job::Known(job) = job else { return command };
        let last = job.attempts.saturating_sub(back);
        if let Command::Renew { attempt, .. }
        | Command::Report { attempt, .. }
        | Command::Complete { attempt, .. }
        | Command::Fail { attempt, .. } = &mut command
        {
            *attempt = last;
        }
        if let Command::Report { facts, .. } = &mut command {
            let mut published: BTreeMap<String, u32> = BTreeMap::new();
            for fact in facts {
                let Fact::SegmentsPublished {
                    rendition,
                    from,
                    segments,
                } = fact
                else {
                    continue;
                };
                let known = job.renditions.get(rendition).map_or(0, |known| known.segments);
                let next = published.entry(rendition.clone()).or_insert(known);
                *from = *next + skip;
                *next += u32::try_from(segments.len()).expect("a few");
            }
        }
        command
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    let any_rate = || prop_oneof![3 => Just(25.0), 1 => any::<f64>()];
    prop_oneof![
        (anything::film(), any_rate()).prop_map(|(film, frames_per_second)| Fact::Probed(Film {
            frames_per_second,
            ..film
        })),
        (anything::rendition(), any_rate()).prop_map(|(rendition, frames_per_second)| {
            Fact::RenditionStarted(Rendition {
                frames_per_second,
                ..rendition
            })
        }),
        (anything::rendition_name(), anything::segments()).prop_map(|(rendition, segments)| {
            Fact::SegmentsPublished {
                rendition,
                from: 0,
                segments,
            }
        }),
        anything::rendition_name().prop_map(|rendition| Fact::RenditionFinished { rendition }),
        anything::text().prop_map(|blob| Fact::ThumbnailMade { blob }),
    ]
}

/// As an honest worker goes about it: announce, publish, perhaps finish.
fn honest_facts() -> impl Strategy<Value = Vec<Fact>> {
    ("(source|360p)", anything::segments(), any::<bool>()).prop_map(|(name, segments, whole)| {
        let announced = Fact::RenditionStarted(rendition(&name));
        let rendition = name.clone();
        let published = Fact::SegmentsPublished {
            rendition,
            from: 0,
            segments,
        };
        let finished = Fact::RenditionFinished { rendition: name };
        [announced, published]
            .into_iter()
            .chain(whole.then_some(finished))
            .collect()
    })
}

fn lease() -> impl Strategy<Value = Millis> {
    prop_oneof![8 => (1i64..60_000).prop_map(Millis), 1 => any::<i64>().prop_map(Millis)]
}

fn by_attempt() -> impl Strategy<Value = Command> {
    let attempt = 0;
    let report = move |(lease, facts)| Command::Report {
        attempt,
        lease,
        facts,
    };
    prop_oneof![
        2 => lease().prop_map(move |lease| Command::Renew { attempt, lease }),
        // Facts one by one mostly: a report is taken whole or not at all.
        10 => (lease(), vec(fact(), 1..2)).prop_map(report),
        4 => (lease(), vec(fact(), 0..5)).prop_map(report),
        8 => (lease(), honest_facts()).prop_map(report),
        4 => any::<u64>().prop_map(move |duration_ms| Command::Complete { attempt, duration_ms, warnings: vec![] }),
        1 => anything::failure().prop_map(move |failure| Command::Fail { attempt, failure }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let back = prop_oneof![6 => Just(0u32), 1 => 1u32..3];
    let skip = prop_oneof![6 => Just(0u32), 1 => 1u32..3];
    let command = prop_oneof![
        2 => anything::requested().prop_map(Command::Request),
        8 => ("[ab]", lease()).prop_map(|(worker, lease)| Command::Claim { worker, lease }),
        1 => anything::actor().prop_map(|by| Command::Cancel { by }),
        3 => anything::actor().prop_map(|by| Command::Restart { by }),
        2 => Just(Command::Wake),
    ];
    prop_oneof![
        1 => command.prop_map(Step::Give),
        3 => (back, skip, by_attempt()).prop_map(|(back, skip, command)| Step::ByAttempt(back, skip, command)),
    ]
}

/// What a bystander knows who hears the events only.
#[derive(Default)]
struct Bystander {
    attempts_max: u32,
    last_attempt: u32,
    lease: Option<(u32, String, Timestamp)>,
    over: bool,
    failures: u32,
    cut_off: u32,
    segments: BTreeMap<String, (u32, bool)>,
}

impl Bystander {
    fn hears(&mut self, event: &Event, now: Timestamp) {
        assert!(
            !self.over || matches!(event, Event::Restarted(_)),
            "after the end: {event:?}"
        );
        match event {
            Event::Requested(requested) => self.attempts_max = requested.attempts_max,
            Event::Claimed(claimed) => self.claimed(claimed, now),
            Event::LeaseRenewed(renewed) => {
                self.speaks(renewed.attempt);
                if let Some((_, _, until)) = &mut self.lease {
                    *until = renewed.until;
                }
            }
            Event::Probed(probed) => self.speaks(probed.attempt),
            Event::RenditionStarted(started) => {
                self.speaks(started.attempt);
                self.segments.entry(started.rendition.name.clone()).or_default();
            }
            Event::SegmentsPublished(published) => self.published(published),
            Event::RenditionFinished(finished) => {
                self.speaks(finished.attempt);
                let known = self
                    .segments
                    .get_mut(&finished.rendition)
                    .expect("it was announced");
                assert!(!known.1, "finished twice");
                known.1 = true;
            }
            Event::ThumbnailMade(made) => self.speaks(made.attempt),
            Event::Completed(completed) => {
                self.speaks(completed.attempt);
                self.ends();
            }
            Event::AttemptEnded(ended) => {
                self.speaks(ended.attempt);
                assert!(ended.failure.passing && ended.again_at > now);
                self.lease = None;
                if ended.failure.code == "lease_expired" {
                    self.cut_off += 1;
                } else {
                    self.failures += 1;
                }
            }
            Event::Failed(failed) => {
                self.speaks(failed.attempt);
                self.ends();
            }
            Event::Cancelled(_) => self.ends(),
            Event::Restarted(_) => {
                assert!(self.over, "started again while it was going on");
                self.over = false;
                (self.failures, self.cut_off) = (0, 0);
            }
        }
    }

    fn claimed(&mut self, claimed: &Claimed, now: Timestamp) {
        if let Some((_, worker, until)) = &self.lease {
            assert!(*until <= now || *worker == claimed.worker, "two leases at once");
            self.cut_off += 1;
        }
        assert!(
            claimed.attempt > self.last_attempt,
            "attempts must rise, from {} to {}",
            self.last_attempt,
            claimed.attempt
        );
        assert!(
            self.failures < self.attempts_max.max(1) && self.cut_off < 20,
            "more attempts than there may be"
        );
        self.last_attempt = claimed.attempt;
        self.lease = Some((claimed.attempt, claimed.worker.clone(), claimed.until));
    }

    fn published(&mut self, published: &SegmentsPublished) {
        self.speaks(published.attempt);
        let known = self
            .segments
            .get_mut(&published.rendition)
            .expect("it was announced");
        assert_eq!(known.0, published.from, "a gap or a repeat");
        assert!(!known.1, "a finished rendition grew");
        assert!(!published.segments.is_empty());
        known.0 += u32::try_from(published.segments.len()).expect("a few");
        (self.failures, self.cut_off) = (0, 0);
    }

    fn speaks(&self, attempt: u32) {
        let holder = self.lease.as_ref().map(|(holder, ..)| *holder);
        assert_eq!(holder, Some(attempt), "a fenced attempt was heard");
    }

    fn ends(&mut self) {
        self.lease = None;
        self.over = true;
    }
}

/// Whether asking the same twice is promised to have one effect. A report of several facts may take back
/// what it says itself, as with two thumbnails, and would say both again.
fn may_be_repeated(command: &Command) -> bool {
    match command {
        Command::Claim { .. } | Command::Renew { .. } => false,
        Command::Report { facts, .. } => facts.len() <= 1,
        _ => true,
    }
}

proptest! {
    #[test]
    fn whatever_happened_nothing_breaks(
        events in vec(anything::job_event(), 0..40),
        steps in vec(step(), 0..10),
        attempt in prop_oneof![0u32..4, Just(u32::MAX)],
        now in anything::time(),
    ) {
        let commands: Vec<Command> = steps
            .into_iter()
            .map(|step| match step {
                Step::Give(command) => command,
                Step::ByAttempt(_, _, mut command) => {
                    if let Command::Report { attempt: by, .. } | Command::Fail { attempt: by, .. } = &mut command {
                        *by = attempt;
                    }
                    command
                }
            })
            .collect();
        nothing_breaks::<Job>(&events, &commands, now);
    }

    #[test]
    fn one_attempt_at_a_time_publishes_in_order_and_the_end_is_the_end(
        requested in anything::requested(),
        steps in vec((step(), prop_oneof![5 => 0i64..3_000, 1 => 0i64..100_000]), 0..80),
    ) {
        let mut history = History::<Job>::new();
        let mut bystander = Bystander::default();
        let first = (Step::Give(Command::Request(requested)), 0);
        for (step, pause) in std::iter::once(first).chain(steps) {
            history.wait(Millis(pause));
            let command = step.aimed(&history.state);
            for event in history.give(&command).unwrap_or_default() {
                bystander.hears(&event, history.now);
            }
            if may_be_repeated(&command) {
                history.asking_again_is_quiet(&command);
            }
        }
        history.is_what_its_events_say();
    }

    /// A timer that has fired wants to be woken later or not at all, or the executor would spin.
    #[test]
    fn a_timer_that_fires_moves_on(events in vec(anything::job_event(), 0..20)) {
        let job: Job = spool_domain::decider::refold(&events);
        if let Some((at, command)) = job.due() {
            let news = job.decide(&command, at).expect("a timer is never refused");
            prop_assert!(!news.is_empty());
            let after = news.iter().fold(job, Decider::evolve);
            prop_assert!(after.due().is_none_or(|(next, _)| next > at));
        }
    }

    /// An executor keeps the state it decided with; a takeover reads it from the log. Both must be the same.
    #[test]
    fn what_a_worker_measures_is_read_back_as_the_same_number(rate in any::<f64>()) {
        let measured = |film: Film| Fact::Probed(Film { frames_per_second: rate, ..film });
        let mut history = History::<Job>::new();
        let requested = Requested {
            video: spool_domain::ids::VideoId(uuid::Uuid::nil()),
            owner: spool_domain::ids::AccountId(uuid::Uuid::nil()),
            blob: String::new(),
            container: String::new(),
            attempts_max: 1,
        };
        history.give(&Command::Request(requested)).expect("it is new");
        let lease = Millis(1_000);
        history.give(&Command::Claim { worker: "a".into(), lease }).expect("it waits");
        let film = Film {
            duration_ms: 1,
            width: 1,
            height: 1,
            frames_per_second: 0.0,
            video_codec: String::new(),
            audio_codec: None,
            bits_per_second: None,
        };
        let command = Command::Report { attempt: 1, lease, facts: vec![measured(film)] };
        history.give(&command).expect("the attempt has the job");
        history.asking_again_is_quiet(&command);
        history.is_what_its_events_say();
    }
}
