//! Where reading a partition can begin, other than at its beginning: a file of our own that may be lost at any time.
//!
//! One JSON object a line: first what tells this topic from another of the same name, then places with the fold's state.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Owner;
use crate::term::Fold;

pub struct Index {
    path: PathBuf,
    every: u64,
    /// Nothing until the first record of the partition was seen, and when the file cannot be written.
    file: Option<File>,
    /// In rising order.
    places: Vec<Place>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Header {
    /// The checksum of the partition's first record, which is a claim with a random number in it.
    first_record: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Place {
    number: u64,
    next_offset: u64,
    node: String,
    url: String,
    term: u64,
    claim: Uuid,
    next_seq: u64,
    dead: bool,
}

/// What a file holds, before it is known whether it belongs to the topic.
pub struct Found {
    pub first_record: u32,
    places: Vec<Place>,
}

impl Found {
    /// Nothing when there is no file, or none that can be used.
    pub fn read(dir: &Path, partition: u16) -> Option<Self> {
        let text = std::fs::read(file_name(dir, partition)).ok()?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let header: Header = serde_json::from_slice(lines.next()?).ok()?;
        let mut places: Vec<Place> = Vec::new();
        // What a power cut or another process has left in the middle is not relied on.
        for place in lines.map_while(|line| serde_json::from_slice::<Place>(line).ok()) {
            let last = places.last();
            if last.is_none_or(|last| last.number < place.number && last.next_offset < place.next_offset) {
                places.push(place);
            }
        }
        let first_record = header.first_record;
        (!places.is_empty()).then_some(Self { first_record, places })
    }
}

impl Index {
    /// Goes on with what was found if the topic is the same, by the checksum of its first record and where it ends.
    pub fn open(
        dir: &Path,
        partition: u16,
        every: u64,
        found: Option<Found>,
        first: Option<&[u8]>,
        tip: u64,
    ) -> Self {
        let mut index = Self {
            path: file_name(dir, partition),
            every: every.max(1),
            file: None,
            places: Vec::new(),
        };
        let first = first.map(crc32c::crc32c);
        if let Some(found) = found.filter(|found| Some(found.first_record) == first) {
            index.places = found.places;
            index.places.retain(|place| place.next_offset <= tip);
        }
        if let Some(first_record) = first {
            index.write_all(first_record);
        }
        index
    }

    /// The partition begins with this record.
    pub fn begin(&mut self, first: &[u8]) {
        if self.file.is_none() {
            self.write_all(crc32c::crc32c(first));
        }
    }

    pub fn is_due(&self, number: u64) -> bool {
        number >= self.places.last().map_or(0, |place| place.number) + self.every
    }

    pub fn add(&mut self, fold: &Fold) {
        let newer = self
            .places
            .last()
            .is_none_or(|last| last.number < fold.number && last.next_offset < fold.next_offset);
        if !newer || fold.number == 0 {
            return;
        }
        let place = Place::of(fold);
        if let Some(file) = &mut self.file
            && let Err(error) = writeln!(file, "{}", line(&place))
        {
            tracing::warn!(%error, path = %self.path.display(), "the index is written no further; the next start reads more");
            self.file = None;
        }
        self.places.push(place);
    }

    /// The last place.
    pub fn last(&self) -> Fold {
        self.places.last().map_or_else(Fold::default, Place::fold)
    }

    /// The last place that lies before the commit `number`.
    pub fn before(&self, number: u64) -> Fold {
        let after = self.places.partition_point(|place| place.number <= number);
        let place = after.checked_sub(1).map(|at| &self.places[at]);
        place.map_or_else(Fold::default, Place::fold)
    }

    fn write_all(&mut self, first_record: u32) {
        let mut text = line(&Header { first_record }) + "\n";
        for place in &self.places {
            text += &(line(place) + "\n");
        }
        let written = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(text.as_bytes()).map(|()| file));
        match written {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "no index is kept; every start reads all of the log");
            }
        }
    }
}

impl Place {
    fn of(fold: &Fold) -> Self {
        let owner = fold.owner.clone();
        let owner = owner.expect("commits were accepted, so there is a claim");
        Self {
            number: fold.number,
            next_offset: fold.next_offset,
            node: owner.node,
            url: owner.url,
            term: owner.term,
            claim: Uuid::from_u128(fold.claim),
            next_seq: fold.next_seq,
            dead: fold.dead,
        }
    }

    fn fold(&self) -> Fold {
        Fold {
            number: self.number,
            next_offset: self.next_offset,
            owner: Some(Owner {
                node: self.node.clone(),
                url: self.url.clone(),
                term: self.term,
            }),
            claim: self.claim.as_u128(),
            next_seq: self.next_seq,
            dead: self.dead,
            ..Fold::default()
        }
    }
}

fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("it has only numbers and texts")
}

fn file_name(dir: &Path, partition: u16) -> PathBuf {
    dir.join(format!("kafka-{partition:04}.index"))
}
