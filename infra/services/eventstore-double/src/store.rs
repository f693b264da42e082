//! The streams, in memory: appends with an expected revision, and `$all` as the order of all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

pub struct Store {
    state: Mutex<State>,
    /// The number of events, for those who wait for more.
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    all: Vec<Arc<Event>>,
    streams: HashMap<String, Vec<Arc<Event>>>,
    /// Where the next event will be in `$all`.
    position: u64,
}

/// An event that is not in a stream yet.
#[derive(Clone)]
pub struct NewEvent {
    pub id: Uuid,
    pub kind: String,
    pub content_type: String,
    pub custom_metadata: Bytes,
    pub data: Bytes,
}

pub struct Event {
    pub id: Uuid,
    pub kind: String,
    pub content_type: String,
    pub custom_metadata: Bytes,
    pub data: Bytes,
    pub stream: String,
    pub revision: u64,
    /// In `$all`; rises with gaps.
    pub position: u64,
    /// In ticks of 100 ns since 1970.
    pub created: u128,
}

/// What a writer wants the stream to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Any,
    NoStream,
    Exists,
    Revision(u64),
}

/// An append that was accepted, now or before.
#[derive(Debug, PartialEq, Eq)]
pub struct Appended {
    /// Of the last event of the append, or of the stream when nothing was appended.
    pub revision: Option<u64>,
    pub position: Option<u64>,
}

/// The last revision of the stream, which was not the one expected.
#[derive(Debug, PartialEq, Eq)]
pub struct WrongRevision(pub Option<u64>);

impl Store {
    /// With the one event of the system's own that every real server starts with.
    pub fn new() -> Self {
        let store = Self {
            state: Mutex::default(),
            count: watch::Sender::new(0),
        };
        let epoch = NewEvent {
            id: Uuid::new_v4(),
            kind: "$epoch-information".into(),
            content_type: "application/json".into(),
            custom_metadata: Bytes::new(),
            data: Bytes::from_static(b"{}"),
        };
        store
            .append("$epoch-information", Expected::Any, vec![epoch])
            .expect("any revision is expected");
        store
    }

    /// All or nothing. The same events at the same place again are accepted without being written twice.
    pub fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, WrongRevision> {
        let mut state = self.lock();
        let existing = state.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let last = existing.last().map(|event| event.revision);
        if let Some(appended) = appended_before(existing, expected, &events) {
            return Ok(appended);
        }
        let as_expected = match expected {
            Expected::Any => true,
            Expected::NoStream => last.is_none(),
            Expected::Exists => last.is_some(),
            Expected::Revision(revision) => last == Some(revision),
        };
        if !as_expected {
            return Err(WrongRevision(last));
        }
        let mut appended = Appended {
            revision: last,
            position: None,
        };
        for event in events {
            let (revision, position) = state.push(stream, event);
            appended = Appended {
                revision: Some(revision),
                position: Some(position),
            };
        }
        self.count.send_replace(state.all.len());
        Ok(appended)
    }

    /// The events of a stream, or `None` when there is no such stream.
    pub fn stream(&self, name: &str) -> Option<Vec<Arc<Event>>> {
        self.lock().streams.get(name).cloned()
    }

    /// The events of `$all` from the `index`th on.
    pub fn all(&self, index: usize) -> Vec<Arc<Event>> {
        self.lock().all.get(index..).unwrap_or_default().to_vec()
    }

    /// How many events of `$all` are below `position`.
    pub fn index_of(&self, position: u64) -> usize {
        self.lock().all.partition_point(|event| event.position < position)
    }

    pub fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this")
    }
}

impl State {
    fn push(&mut self, stream: &str, event: NewEvent) -> (u64, u64) {
        let events = self.streams.entry(stream.to_owned()).or_default();
        let revision = events.len() as u64;
        let position = self.position;
        self.position += 64 + event.data.len() as u64;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = Arc::new(Event {
            id: event.id,
            kind: event.kind,
            content_type: event.content_type,
            custom_metadata: event.custom_metadata,
            data: event.data,
            stream: stream.to_owned(),
            revision,
            position,
            created: since_1970.as_nanos() / 100,
        });
        events.push(Arc::clone(&event));
        self.all.push(event);
        (revision, position)
    }
}

/// The answer to an append whose events are in the stream already, where they were to go.
fn appended_before(existing: &[Arc<Event>], expected: Expected, events: &[NewEvent]) -> Option<Appended> {
    let first = events.first()?;
    let start = match expected {
        Expected::NoStream => 0,
        Expected::Revision(revision) => usize::try_from(revision).ok()? + 1,
        Expected::Any | Expected::Exists => existing.iter().position(|event| event.id == first.id)?,
    };
    let there = existing.get(start..start + events.len())?;
    let same = there
        .iter()
        .zip(events)
        .all(|(there, event)| there.id == event.id);
    let last = there.last().filter(|_| same)?;
    Some(Appended {
        revision: Some(last.revision),
        position: Some(last.position),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u128) -> NewEvent {
        NewEvent {
            id: Uuid::from_u128(n),
            kind: "counted".into(),
            content_type: "application/octet-stream".into(),
            custom_metadata: Bytes::new(),
            data: Bytes::from(n.to_string()),
        }
    }

    fn revision(appended: Result<Appended, WrongRevision>) -> Option<u64> {
        appended.expect("an accepted append").revision
    }

    #[test]
    fn an_append_is_accepted_at_the_expected_revision_only() {
        let store = Store::new();
        let append = |expected, n| store.append("s", expected, vec![event(n)]);
        assert_eq!(append(Expected::Revision(0), 1), Err(WrongRevision(None)));
        assert_eq!(append(Expected::Exists, 1), Err(WrongRevision(None)));
        assert_eq!(revision(append(Expected::NoStream, 1)), Some(0));
        assert_eq!(append(Expected::NoStream, 2), Err(WrongRevision(Some(0))));
        assert_eq!(append(Expected::Revision(1), 2), Err(WrongRevision(Some(0))));
        assert_eq!(revision(append(Expected::Revision(0), 2)), Some(1));
        assert_eq!(revision(append(Expected::Exists, 3)), Some(2));
        assert_eq!(revision(append(Expected::Any, 4)), Some(3));
        assert_eq!(store.stream("s").expect("the stream").len(), 4);
    }

    #[test]
    fn the_same_append_again_changes_nothing() {
        let store = Store::new();
        let append =
            |expected, ids: &[u128]| store.append("s", expected, ids.iter().copied().map(event).collect());
        let first = append(Expected::NoStream, &[1, 2]);
        let second = append(Expected::Revision(1), &[3]);
        assert_eq!(append(Expected::NoStream, &[1, 2]), first);
        assert_eq!(append(Expected::Revision(1), &[3]), second);
        assert_eq!(append(Expected::Any, &[1, 2]), first);
        assert_eq!(append(Expected::NoStream, &[1, 9]), Err(WrongRevision(Some(2))));
        assert_eq!(append(Expected::Revision(1), &[9]), Err(WrongRevision(Some(2))));
        assert_eq!(store.stream("s").expect("the stream").len(), 3);
    }

    #[test]
    fn all_has_every_event_in_the_order_of_writing() {
        let store = Store::new();
        for n in 0..10 {
            let stream = if n % 2 == 0 { "even" } else { "odd" };
            revision(store.append(stream, Expected::Any, vec![event(n)]));
        }
        let all = store.all(1);
        let ids: Vec<u128> = all.iter().map(|event| event.id.as_u128()).collect();
        assert_eq!(ids, (0..10).collect::<Vec<_>>());
        assert!(all.windows(2).all(|pair| pair[0].position < pair[1].position));
        assert_eq!(store.index_of(all[3].position), 4);
    }
}
