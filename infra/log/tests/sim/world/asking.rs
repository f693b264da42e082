//! What clients do, and what executors make of it.

use spool_log::Role;
use spool_log::term::Rules;

use super::World;
use super::events::Event;
use crate::clients::{Kind, Question};
use crate::nodes::{Attempt, Node};

/// A number for a history, one commit longer.
pub fn after(history: u64, attempt: Attempt) -> u64 {
    let commit = u64::from(attempt.command) << 32 | u64::from(attempt.number);
    (history ^ commit)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}

impl<R: Rules> World<R> {
    pub(super) fn ask(&mut self, client: usize) -> Result<(), String> {
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
            self.questions.push(self.question(node, client, wants, Kind::New));
            return Ok(());
        }
        self.ask_node(client, node, wants)?;
        if self.random.chance(200) {
            // Somebody else looks what there is.
            let look = self.question(node, client, wants, Kind::Look);
            self.give(node, look, vec![]);
            return self.carry_out(node);
        }
        Ok(())
    }

    /// What the executor does: it knows the commands that were accepted and those that it counts on.
    pub(super) fn ask_node(&mut self, client: usize, node: usize, wants: Attempt) -> Result<(), String> {
        let known = self.number_of.get(&wants.command);
        let accepted = known.is_some_and(|number| *number < self.nodes[node].seat.fold().number);
        let mut counted = self.nodes[node].executor.counted.iter();
        let counted = counted.any(|counted| counted.command == wants.command);
        let kind = if accepted || counted {
            Kind::Repeated
        } else {
            Kind::New
        };
        let question = self.question(node, client, wants, kind);
        match kind {
            Kind::New => self.give(node, question, vec![wants.bytes()]),
            Kind::Repeated | Kind::Look => self.give(node, question, vec![]),
        }
        self.carry_out(node)
    }

    pub(super) fn question(&self, node: usize, client: usize, attempt: Attempt, kind: Kind) -> Question {
        let acknowledged = self.acknowledged.iter().map(|(number, _)| number + 1).max();
        Question {
            client,
            attempt,
            kind,
            reading: self.nodes[node].executor.reading,
            acknowledged: acknowledged.unwrap_or(0),
        }
    }

    pub(super) fn give(&mut self, node: usize, question: Question, commits: Vec<bytes::Bytes>) {
        let caller = self.questions.len();
        self.questions.push(question);
        let node = &mut self.nodes[node];
        node.catch_up();
        let (tenure, expected) = (node.executor.tenure, node.executor.next());
        if question.kind == Kind::New {
            let read = usize::try_from(node.executor.read).expect("an index");
            // A broken protocol may count more than there is.
            let read = self.histories.get(read).copied().unwrap_or(u64::MAX);
            let counted = node.executor.counted.iter();
            let history = counted.fold(read, |history, attempt| after(history, *attempt));
            self.decided_on.insert(question.attempt, history);
            node.executor.counted.push_back(question.attempt);
        }
        node.seat.append(self.now, tenure, expected, commits, caller);
    }

    pub(super) fn choose(&mut self) -> usize {
        let start = usize::try_from(self.random.below(self.nodes.len() as u64)).expect("an index");
        if self.random.chance(200) {
            return start;
        }
        let leads = |node: &usize| self.nodes[*node].seat.standing().role == Role::Leading;
        let all = (0..self.nodes.len()).map(|node| (node + start) % self.nodes.len());
        all.clone().find(leads).unwrap_or(start)
    }
}
