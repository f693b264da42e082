//! What happens between the nodes and the log.

use spool_log::term::{Output, Record, Rules};

use super::World;
use super::events::{Event, Sender};
use crate::nodes::Attempt;

impl<R: Rules> World<R> {
    pub(super) fn send(&mut self, sender: Sender, record: Record) {
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

    pub(super) fn arrive(&mut self, sender: Sender, record: Record) {
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

    pub(super) fn read(&mut self, node: usize, life: u64) -> Result<(), String> {
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
    pub(super) fn carry_out(&mut self, node: usize) -> Result<(), String> {
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
                        self.accepted(number, Attempt::of(&commit))?;
                    }
                }
                Output::Hang | Output::Standing => {}
            }
        }
        Ok(())
    }
}
