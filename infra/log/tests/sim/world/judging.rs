//! What must hold, during a run and after it.

use spool_log::AppendError;
use spool_log::term::{Fold, Record, Rules, Verdict};

use super::asking::after;
use super::events::Event;
use super::{Told, World};
use crate::clients::Kind;
use crate::nodes::Attempt;

impl<R: Rules> World<R> {
    pub(super) fn answered(
        &mut self,
        node: usize,
        caller: usize,
        result: Result<u64, AppendError>,
    ) -> Result<(), String> {
        let question = self.questions[caller];
        let waits = self.clients[question.client].waits_for == Some(caller);
        if question.kind == Kind::New || result.is_err() {
            let (life, accepted) = (self.nodes[node].life, result.is_ok());
            self.after(
                self.weather.waking,
                Event::Settle {
                    node,
                    life,
                    caller,
                    accepted,
                },
            );
        }
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
    pub(super) fn accepted(&mut self, number: u64, attempt: Attempt) -> Result<(), String> {
        let at = usize::try_from(number).expect("an index");
        match self.truth.get(at) {
            Some(known) if *known == attempt => Ok(()),
            Some(known) => Err(format!("readers disagree on {number}: {known:?} or {attempt:?}")),
            None if at == self.truth.len() => {
                let history = self.histories[at];
                if self.decided_on.get(&attempt) != Some(&history) {
                    return Err(format!(
                        "{attempt:?} is at {number}, and was decided on something else"
                    ));
                }
                self.histories.push(after(history, attempt));
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

    pub(super) fn judge(mut self) -> Result<Told, String> {
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

    pub(super) fn situation(&self) -> String {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| (node.seat.standing(), node.alive, node.executor.next()))
            .collect();
        format!(
            "{} of {} given, {nodes:?}, {:?}",
            self.given, self.weather.commands, self.clients
        )
    }
}
