//! The world: one partition of a log, a network, nodes and clients; and what must hold in it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::ops::Range;

use spool_log::term::{Fold, Output, Record, Rules, Verdict};
use spool_log::{AppendError, Role};

use crate::clients::{Client, Kind, Question};
use crate::nodes::{Attempt, Node};
use crate::random::Random;
use crate::weather::Weather;

/// After the storm everything must be done within this time.
const CALM: u64 = 30_000;

/// How a run went, or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub events: u64,
    pub accepted: u64,
    pub void: u64,
    pub terms: u64,
    pub acknowledged: u64,
    pub repeated: u64,
    pub refused: u64,
    pub unknown: u64,
    pub crashes: u64,
    pub pauses: u64,
}

impl Told {
    pub fn is_eventful(&self) -> bool {
        [
            self.accepted,
            self.void,
            self.terms,
            self.repeated,
            self.refused,
            self.unknown,
            self.crashes,
            self.pauses,
        ]
        .iter()
        .all(|count| *count > 100)
    }

    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.void += other.void;
        self.terms += other.terms;
        self.acknowledged += other.acknowledged;
        self.repeated += other.repeated;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.crashes += other.crashes;
        self.pauses += other.pauses;
    }
}

#[derive(Debug)]
pub struct Failed {
    pub seed: u64,
    pub problem: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {}: {}", self.seed, self.problem)
    }
}

/// Runs every seed until one fails.
pub fn run_all<R: Rules>(seeds: Range<u64>) -> Result<Told, Failed> {
    let mut all = Told::default();
    for seed in seeds {
        let told = run::<R>(seed).map_err(|problem| Failed { seed, problem })?;
        all.add(&told);
    }
    Ok(all)
}

pub fn run<R: Rules>(seed: u64) -> Result<Told, String> {
    World::<R>::new(seed).run()
}

struct World<R> {
    random: Random,
    weather: Weather,
    now: u64,
    events: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    log: Vec<Record>,
    nodes: Vec<Node<R>>,
    snapshots: Vec<Fold<R>>,
    clients: Vec<Client>,
    questions: Vec<Question>,
    given: u32,
    /// What all readers agree on, by number.
    truth: Vec<Attempt>,
    number_of: HashMap<u32, u64>,
    acknowledged: Vec<(u64, Attempt)>,
    refused: Vec<Attempt>,
    storm: bool,
    told: Told,
}

struct Scheduled {
    at: u64,
    order: u64,
    event: Event,
}

enum Event {
    Arrive {
        sender: Sender,
        record: Record,
    },
    Report {
        sender: Sender,
        outcome: Result<Option<u64>, ()>,
    },
    Asked {
        node: usize,
        life: u64,
        attempt: u64,
    },
    Tip {
        node: usize,
        life: u64,
        attempt: u64,
        tip: u64,
    },
    Read {
        node: usize,
        life: u64,
    },
    Tick {
        node: usize,
        life: u64,
    },
    Claim {
        node: usize,
    },
    Crash {
        node: usize,
    },
    Restart {
        node: usize,
    },
    Pause {
        node: usize,
    },
    Client {
        client: usize,
    },
    Impatient {
        client: usize,
        question: usize,
    },
    Calm,
    Hint,
}

#[derive(Clone, Copy)]
struct Sender {
    node: usize,
    life: u64,
    attempt: u64,
    seq: u64,
}

impl Event {
    /// Whom it happens to, if it is somebody who may sleep.
    const fn node(&self) -> Option<usize> {
        match self {
            Self::Report { sender, .. } => Some(sender.node),
            Self::Tip { node, .. }
            | Self::Read { node, .. }
            | Self::Tick { node, .. }
            | Self::Claim { node } => Some(*node),
            _ => None,
        }
    }
}

impl<R: Rules> World<R> {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let weather = Weather::of(&mut random);
        let nodes = (0..weather.nodes).map(|number| Node::new(number, 0, Fold::default()));
        let client = Client {
            wants: None,
            waits_for: None,
        };
        Self {
            now: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            log: Vec::new(),
            nodes: nodes.collect(),
            snapshots: vec![Fold::default()],
            clients: vec![client; weather.clients],
            questions: Vec::new(),
            given: 0,
            truth: Vec::new(),
            number_of: HashMap::new(),
            acknowledged: Vec::new(),
            refused: Vec::new(),
            storm: true,
            told: Told::default(),
            random,
            weather,
        }
    }

    fn run(mut self) -> Result<Told, String> {
        for node in 0..self.nodes.len() {
            self.wake(node);
            self.sometimes(self.weather.crash_every, Event::Crash { node });
            self.sometimes(self.weather.pause_every, Event::Pause { node });
            self.sometimes(self.weather.claim_every, Event::Claim { node });
        }
        self.at(0, Event::Claim { node: 0 });
        for client in 0..self.clients.len() {
            self.after(20, Event::Client { client });
        }
        self.at(self.weather.storm, Event::Calm);
        let end = self.weather.storm + CALM;
        while !self.is_done() {
            let Some(Reverse(next)) = self.events.pop() else {
                return Err("nothing happens any more".into());
            };
            self.now = next.at;
            if self.now > end {
                return Err(format!("stuck after the storm: {}", self.situation()));
            }
            self.told.events += 1;
            self.happen(next.event)?;
        }
        self.judge()
    }

    fn is_done(&self) -> bool {
        !self.storm
            && self.given == self.weather.commands
            && self.clients.iter().all(|client| client.wants.is_none())
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        if let Some(node) = event.node()
            && self.nodes[node].sleeps_until > self.now
        {
            let until = self.nodes[node].sleeps_until;
            self.at(until, event);
            return Ok(());
        }
        match event {
            Event::Arrive { sender, record } => self.arrive(sender, record),
            Event::Report { sender, outcome } => {
                if self.lives(sender.node, sender.life) {
                    let seat = &mut self.nodes[sender.node].seat;
                    seat.reported(self.now, sender.attempt, sender.seq, outcome);
                    return self.carry_out(sender.node);
                }
            }
            Event::Asked { node, life, attempt } => {
                let tip = self.log.len() as u64;
                let delay = self.delay();
                self.at(
                    self.now + delay,
                    Event::Tip {
                        node,
                        life,
                        attempt,
                        tip,
                    },
                );
            }
            Event::Tip {
                node,
                life,
                attempt,
                tip,
            } => {
                if self.lives(node, life) {
                    self.nodes[node].seat.tip(self.now, attempt, tip);
                    return self.carry_out(node);
                }
            }
            Event::Read { node, life } => return self.read(node, life),
            Event::Tick { node, life } => {
                if self.lives(node, life) {
                    self.nodes[node].seat.tick(self.now);
                    self.at(self.now + 25, Event::Tick { node, life });
                    return self.carry_out(node);
                }
            }
            Event::Claim { node } => {
                self.sometimes(self.weather.claim_every, Event::Claim { node });
                if self.nodes[node].alive {
                    if self.storm && self.random.chance(150) {
                        self.nodes[node].seat.release();
                    } else {
                        self.nodes[node].seat.claim(self.now);
                    }
                    return self.carry_out(node);
                }
            }
            Event::Crash { node } => self.crash(node),
            Event::Restart { node } => self.restart(node),
            Event::Pause { node } => {
                self.sometimes(self.weather.pause_every, Event::Pause { node });
                if self.storm {
                    self.told.pauses += 1;
                    self.nodes[node].sleeps_until = self.now + 1 + self.random.below(self.weather.pause);
                }
            }
            Event::Client { client } => return self.ask(client),
            Event::Impatient { client, question } => {
                if self.clients[client].waits_for == Some(question) {
                    self.clients[client].waits_for = None;
                    return self.ask(client);
                }
            }
            Event::Calm => self.calm(),
            Event::Hint => return self.hint(),
        }
        Ok(())
    }

    // What happens between the nodes and the log.

    fn send(&mut self, sender: Sender, record: Record) {
        if self.random.chance(self.weather.request_lost) {
            if self.random.chance(500) {
                let late = self.delay() + 50;
                self.at(
                    self.now + late,
                    Event::Report {
                        sender,
                        outcome: Err(()),
                    },
                );
            }
            return;
        }
        let mut arrival = self.now + self.delay();
        let node = &mut self.nodes[sender.node];
        if !self.weather.overtaking {
            let (attempt, last) = node.last_arrival;
            if attempt == sender.attempt {
                arrival = arrival.max(last);
            }
            node.last_arrival = (sender.attempt, arrival);
        }
        if self.random.chance(self.weather.request_repeated) {
            let again = arrival + self.delay();
            self.at(
                again,
                Event::Arrive {
                    sender,
                    record: record.clone(),
                },
            );
        }
        self.at(arrival, Event::Arrive { sender, record });
    }

    fn arrive(&mut self, sender: Sender, record: Record) {
        let offset = self.log.len() as u64;
        self.log.push(record);
        if self.random.chance(self.weather.report_lost) {
            return;
        }
        let outcome = if self.random.chance(self.weather.report_false) {
            Err(())
        } else if self.random.chance(self.weather.report_vague) {
            Ok(None)
        } else {
            Ok(Some(offset))
        };
        let delay = self.delay();
        self.at(self.now + delay, Event::Report { sender, outcome });
    }

    fn read(&mut self, node: usize, life: u64) -> Result<(), String> {
        if !self.lives(node, life) {
            return Ok(());
        }
        let most = 1 + self.random.below(8);
        for _ in 0..most {
            let at = self.nodes[node].reads_at;
            let Some(record) = usize::try_from(at).ok().and_then(|at| self.log.get(at)) else {
                break;
            };
            self.nodes[node].seat.read(self.now, at, Some(record));
            self.nodes[node].reads_at += 1;
            self.carry_out(node)?;
        }
        let delay = 1 + self.random.below(self.weather.reading);
        self.at(self.now + delay, Event::Read { node, life });
        Ok(())
    }

    /// Does what a seat wants done.
    fn carry_out(&mut self, node: usize) -> Result<(), String> {
        let life = self.nodes[node].life;
        for output in self.nodes[node].seat.outputs() {
            match output {
                Output::FindTip { attempt } => {
                    if !self.random.chance(self.weather.request_lost) {
                        let delay = self.delay();
                        self.at(self.now + delay, Event::Asked { node, life, attempt });
                    }
                }
                Output::Send { attempt, seq, record } => {
                    let sender = Sender {
                        node,
                        life,
                        attempt,
                        seq,
                    };
                    self.send(sender, record);
                }
                Output::Answer { caller, result } => self.answered(node, caller, result)?,
                Output::Accepted { first, commits } => {
                    for (number, commit) in (first..).zip(commits) {
                        self.accepted(node, number, Attempt::of(&commit))?;
                    }
                }
                Output::Hang | Output::Standing => {}
            }
        }
        Ok(())
    }

    // What happens to nodes.

    fn lives(&self, node: usize, life: u64) -> bool {
        self.nodes[node].alive && self.nodes[node].life == life
    }

    fn wake(&mut self, node: usize) {
        let life = self.nodes[node].life;
        self.at(self.now + 1, Event::Read { node, life });
        self.at(self.now + 2, Event::Tick { node, life });
    }

    fn crash(&mut self, node: usize) {
        self.sometimes(self.weather.crash_every, Event::Crash { node });
        if !self.storm || !self.nodes[node].alive {
            return;
        }
        self.told.crashes += 1;
        let snapshot = self.nodes[node].seat.fold().clone();
        if self.random.chance(300) {
            self.snapshots.push(snapshot);
        }
        self.nodes[node].alive = false;
        let down = 1 + self.random.below(400);
        self.at(self.now + down, Event::Restart { node });
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].alive {
            return;
        }
        let forgets = self.random.chance(self.weather.forgetful);
        let at = usize::try_from(self.random.below(self.snapshots.len() as u64)).expect("an index");
        let fold = if forgets {
            Fold::default()
        } else {
            self.snapshots[at].clone()
        };
        self.nodes[node] = Node::new(node, self.nodes[node].life + 1, fold);
        self.wake(node);
    }

    fn calm(&mut self) {
        self.storm = false;
        self.weather.clear();
        for node in 0..self.nodes.len() {
            self.nodes[node].sleeps_until = self.now;
            self.restart(node);
        }
        self.at(self.now, Event::Hint);
    }

    /// Placement after the storm: somebody should lead.
    fn hint(&mut self) -> Result<(), String> {
        self.at(self.now + 300, Event::Hint);
        let leads = |node: &Node<R>| node.seat.standing().role != Role::Following;
        if self.nodes.iter().any(leads) {
            return Ok(());
        }
        let node = usize::try_from(self.random.below(self.nodes.len() as u64)).expect("an index");
        self.nodes[node].seat.claim(self.now);
        self.carry_out(node)
    }

    // What clients do.

    fn ask(&mut self, client: usize) -> Result<(), String> {
        if self.clients[client].waits_for.is_some() {
            return Ok(());
        }
        if self.random.chance(30) {
            let node = usize::try_from(self.random.below(self.nodes.len() as u64)).expect("an index");
            let fold = self.nodes[node].seat.fold().clone();
            self.snapshots.push(fold);
        }
        let wants = match self.clients[client].wants {
            Some(again) => Attempt {
                number: again.number + 1,
                ..again
            },
            None if self.given == self.weather.commands => return Ok(()),
            None => {
                self.given += 1;
                Attempt {
                    command: self.given,
                    number: 0,
                }
            }
        };
        self.clients[client].wants = Some(wants);
        let node = self.choose();
        let question = self.questions.len();
        self.clients[client].waits_for = Some(question);
        self.at(self.now + 900, Event::Impatient { client, question });
        let Node {
            alive, sleeps_until, ..
        } = self.nodes[node];
        if !alive || sleeps_until > self.now {
            self.questions.push(self.question(client, wants, Kind::New));
            return Ok(());
        }
        self.ask_node(client, node, wants)?;
        if self.random.chance(200) {
            // Somebody else looks what there is.
            let look = self.question(client, wants, Kind::Look);
            self.give(node, look, vec![]);
            return self.carry_out(node);
        }
        Ok(())
    }

    /// What the executor does: it knows the commands that were accepted and those that it counts on.
    fn ask_node(&mut self, client: usize, node: usize, wants: Attempt) -> Result<(), String> {
        let known = self.number_of.get(&wants.command);
        let accepted = known.is_some_and(|number| *number < self.nodes[node].seat.fold().number);
        let counted = self.nodes[node].speculative.contains(&wants.command);
        let kind = if accepted || counted {
            Kind::Repeated
        } else {
            Kind::New
        };
        let question = self.question(client, wants, kind);
        match kind {
            Kind::New => self.give(node, question, vec![wants.bytes()]),
            Kind::Repeated | Kind::Look => self.give(node, question, vec![]),
        }
        self.carry_out(node)
    }

    fn question(&self, client: usize, attempt: Attempt, kind: Kind) -> Question {
        let acknowledged = self.acknowledged.iter().map(|(number, _)| number + 1).max();
        Question {
            client,
            attempt,
            kind,
            acknowledged: acknowledged.unwrap_or(0),
        }
    }

    fn give(&mut self, node: usize, question: Question, commits: Vec<bytes::Bytes>) {
        let caller = self.questions.len();
        self.questions.push(question);
        let node = &mut self.nodes[node];
        let expected = node.next();
        if question.kind == Kind::New {
            node.speculative.push_back(question.attempt.command);
        }
        node.seat.append(self.now, expected, commits, caller);
    }

    fn choose(&mut self) -> usize {
        let start = usize::try_from(self.random.below(self.nodes.len() as u64)).expect("an index");
        if self.random.chance(200) {
            return start;
        }
        let leads = |node: &usize| self.nodes[*node].seat.standing().role == Role::Leading;
        let all = (0..self.nodes.len()).map(|node| (node + start) % self.nodes.len());
        all.clone().find(leads).unwrap_or(start)
    }

    fn answered(
        &mut self,
        node: usize,
        caller: usize,
        result: Result<u64, AppendError>,
    ) -> Result<(), String> {
        let question = self.questions[caller];
        let waits = self.clients[question.client].waits_for == Some(caller);
        match (result, question.kind) {
            (Ok(number), Kind::New) => {
                self.told.acknowledged += 1;
                self.acknowledged.push((number, question.attempt));
            }
            (Ok(next), Kind::Repeated | Kind::Look) => {
                if next < question.acknowledged {
                    return Err(format!(
                        "node {node} answered a barrier by {next} commits when {} were acknowledged before",
                        question.acknowledged
                    ));
                }
                if question.kind == Kind::Repeated {
                    self.told.repeated += 1;
                    let number = self.number_of.get(&question.attempt.command).copied();
                    let Some(number) = number.filter(|number| *number < next) else {
                        return Err(format!(
                            "{:?} was called known, and is not there",
                            question.attempt
                        ));
                    };
                    self.acknowledged
                        .push((number, self.truth[usize::try_from(number).expect("an index")]));
                }
            }
            (Err(error), kind) => {
                self.nodes[node].speculative.clear();
                match error {
                    AppendError::Unknown => self.told.unknown += 1,
                    AppendError::Conflict { .. } | AppendError::NotOwner => self.told.refused += 1,
                    other => return Err(format!("an append was answered with {other}")),
                }
                if kind == Kind::New && error != AppendError::Unknown {
                    self.refused.push(question.attempt);
                }
            }
        }
        if waits {
            let client = question.client;
            self.clients[client].waits_for = None;
            if result.is_ok() {
                self.clients[client].wants = None;
            }
            self.after(40, Event::Client { client });
        }
        Ok(())
    }

    /// A node has accepted a commit; all that do so agree.
    fn accepted(&mut self, node: usize, number: u64, attempt: Attempt) -> Result<(), String> {
        let counted = self.nodes[node].speculative.front() == Some(&attempt.command);
        if counted {
            self.nodes[node].speculative.pop_front();
        }
        let at = usize::try_from(number).expect("an index");
        match self.truth.get(at) {
            Some(known) if *known == attempt => Ok(()),
            Some(known) => Err(format!("readers disagree on {number}: {known:?} or {attempt:?}")),
            None if at == self.truth.len() => {
                self.truth.push(attempt);
                match self.number_of.insert(attempt.command, number) {
                    None => Ok(()),
                    Some(before) => Err(format!(
                        "{attempt:?} is at {number}, and its command at {before} already"
                    )),
                }
            }
            None => Err(format!(
                "{number} was accepted when there were only {}",
                self.truth.len()
            )),
        }
    }

    // Judgement.

    fn judge(mut self) -> Result<Told, String> {
        let mut fold = Fold::<R>::default();
        let mut found = Vec::new();
        for (offset, record) in (0..).zip(&self.log) {
            match (fold.take(offset, record), record) {
                (Verdict::Accepted, Record::Commits(record)) => {
                    found.extend(record.commits.iter().map(|commit| Attempt::of(commit)));
                }
                (Verdict::Claimed, _) => self.told.terms += 1,
                _ => self.told.void += 1,
            }
        }
        self.told.accepted = found.len() as u64;
        if fold.number != found.len() as u64 || !found.starts_with(&self.truth) {
            return Err(format!(
                "the log has {} commits from its beginning on ({} counted), the nodes saw {}",
                found.len(),
                fold.number,
                self.truth.len()
            ));
        }
        for snapshot in &self.snapshots {
            let mut later = snapshot.clone();
            let from = usize::try_from(snapshot.next_offset).expect("an index");
            for (offset, record) in (snapshot.next_offset..).zip(&self.log[from..]) {
                later.take(offset, record);
            }
            if (later.number, later.claim, later.next_seq, later.dead)
                != (fold.number, fold.claim, fold.next_seq, fold.dead)
            {
                return Err(format!("a reader that began at {from} came to something else"));
            }
        }
        for (number, attempt) in &self.acknowledged {
            let at = usize::try_from(*number).expect("an index");
            if found.get(at) != Some(attempt) {
                return Err(format!(
                    "{attempt:?} was acknowledged at {number}, where {:?} is",
                    found.get(at)
                ));
            }
        }
        let mut sorted = found.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0].command == pair[1].command) {
            return Err(format!("a command counts twice: {twice:?}"));
        }
        let there = |attempt: &&Attempt| sorted.binary_search(attempt).is_ok();
        if let Some(attempt) = self.refused.iter().find(there) {
            return Err(format!("{attempt:?} was refused and is in the log"));
        }
        if found.len() != self.weather.commands as usize {
            return Err(format!(
                "{} commands were given, {} are there",
                self.weather.commands,
                found.len()
            ));
        }
        Ok(self.told)
    }

    fn situation(&self) -> String {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| (node.seat.standing(), node.alive, node.next()))
            .collect();
        format!(
            "{} of {} given, {nodes:?}, {:?}",
            self.given, self.weather.commands, self.clients
        )
    }

    // Time.

    fn delay(&mut self) -> u64 {
        let delay = 1 + self.random.below(self.weather.delay);
        if self.random.chance(self.weather.very_late) {
            delay * 30
        } else {
            delay
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        let order = self.scheduled;
        self.events.push(Reverse(Scheduled { at, order, event }));
    }

    fn after(&mut self, most: u64, event: Event) {
        let delay = 1 + self.random.below(most);
        self.at(self.now + delay, event);
    }

    fn sometimes(&mut self, every: u64, event: Event) {
        if every > 0 {
            self.after(every * 2, event);
        }
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
