//! What could not be folded: the dead letters of one version of a view.
//!
//! A poison event parks everything born beside its stream (a video with its upload and jobs), because what
//! follows would be folded into rows that lack it. The parked commits are listed with their positions; a
//! program that can fold them says so by a higher schema, and the rebuild brings them in.

use serde::{Deserialize, Serialize};
use spool_domain::ids::StreamId;
use spool_tables::{Batch, Position, TablesError, ViewTables};
use std::collections::{HashMap, HashSet};

/// Of every version of every view.
pub(super) const PARKED: &str = "parked";
const PAGE: usize = 1000;

#[derive(Debug, Serialize, Deserialize)]
struct DeadLetter {
    stream: Option<String>,
    partition: u16,
    offset: u64,
    reason: String,
}

#[derive(Default)]
pub(super) struct Parking {
    /// Those with a dead letter in the table, and those with one in the unwritten batch.
    families: HashSet<u64>,
    stored_families: HashSet<u64>,
    letters: u64,
    stored_letters: u64,
    /// Found to be poison, and to be parked when they come by again.
    poison: HashMap<Position, String>,
}

impl Parking {
    pub fn load(tables: &ViewTables) -> Result<Self, TablesError> {
        let mut parking = Self::default();
        let mut after: Option<(String, String)> = None;
        loop {
            let last = after.as_ref().map(|(pk, sk)| (pk.as_str(), sk.as_str()));
            let page = tables.scan(PARKED, last, PAGE)?;
            for row in &page {
                parking.letters += 1;
                parking.families.extend(u64::from_str_radix(&row.pk, 16));
            }
            match page.last() {
                Some(row) if page.len() == PAGE => after = Some((row.pk.clone(), row.sk.clone())),
                _ => break,
            }
        }
        parking.stored();
        Ok(parking)
    }

    /// Why this commit is not to be folded, if so.
    pub fn reason(&self, at: Position, stream: StreamId) -> Option<String> {
        if self.families.is_empty() && self.poison.is_empty() {
            return None;
        }
        let known = self.poison.get(&at).cloned();
        let follows = self.families.contains(&family(stream));
        known.or_else(|| follows.then(|| "it follows a parked event".to_owned()))
    }

    pub fn is_known_poison(&self, at: Position) -> bool {
        self.poison.contains_key(&at)
    }

    pub fn remember(&mut self, at: Position, reason: String) {
        self.poison.insert(at, reason);
    }

    pub fn park(&mut self, batch: &mut Batch, at: Position, stream: Option<StreamId>, reason: &str) {
        let pk = stream.map_or_else(
            || "unreadable".to_owned(),
            |stream| format!("{:016x}", family(stream)),
        );
        let sk = format!("{:05}/{:020}", at.partition, at.offset);
        let letter = DeadLetter {
            stream: stream.map(|stream| stream.to_string()),
            partition: at.partition,
            offset: at.offset,
            reason: reason.to_owned(),
        };
        let json = serde_json::to_vec(&letter).expect("a dead letter has string keys only");
        batch.put(PARKED, &pk, &sk, json, at);
        self.letters += 1;
        self.families.extend(stream.map(family));
    }

    /// The batch was written.
    pub fn stored(&mut self) {
        if self.stored_letters != self.letters {
            self.stored_families.clone_from(&self.families);
            self.stored_letters = self.letters;
        }
    }

    /// The batch was dropped.
    pub fn back_to_stored(&mut self) {
        self.families.clone_from(&self.stored_families);
        self.letters = self.stored_letters;
    }

    pub const fn count(&self) -> u64 {
        self.letters
    }
}

/// What is born beside each other shares the last eight bytes of its id.
fn family(stream: StreamId) -> u64 {
    stream.id.as_u64_pair().1
}
