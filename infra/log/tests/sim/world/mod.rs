//! The world: one partition of a log, a network, nodes and clients; and what must hold in it.

mod asking;
mod events;
mod judging;
mod network;
mod told;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

use spool_log::Role;
use spool_log::term::{Fold, Record, Rules};

use crate::clients::{Client, Question};
use crate::nodes::{Attempt, Node};
use crate::random::Random;
use crate::weather::Weather;

use self::events::{Event, Scheduled};
pub use self::told::{Failed, Told};

/// After the storm everything must be done within this time.
const CALM: u64 = 30_000;

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
    /// A number for the truth up to each commit, and for what each attempt was decided on.
    histories: Vec<u64>,
    decided_on: HashMap<Attempt, u64>,
    acknowledged: Vec<(u64, Attempt)>,
    refused: Vec<Attempt>,
    storm: bool,
    told: Told,
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
            histories: vec![0],
            decided_on: HashMap::new(),
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
            Event::Settle {
                node,
                life,
                caller,
                accepted,
            } => {
                if self.lives(node, life) {
                    let Question { reading, attempt, .. } = self.questions[caller];
                    self.nodes[node].executor.settle(reading, attempt, accepted);
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
