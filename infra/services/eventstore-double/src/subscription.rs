//! A read that does not end: first what is there, then what comes.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use uuid::Uuid;

use crate::filter::Filter;
use crate::read::{Answers, Form};
use crate::store::{Event, Store};
use crate::wire::{Confirmation, Empty, Position, ReadContent, ReadResp};

pub enum Source {
    Stream { name: String, next: usize },
    All { next: usize },
}

pub struct Subscription {
    store: Arc<Store>,
    source: Source,
    filter: Option<Filter>,
    form: Form,
    more: watch::Receiver<usize>,
    /// What is to be sent before the store is looked at again.
    ready: VecDeque<Ready>,
    caught_up: bool,
    /// Events looked at since the last checkpoint.
    looked_at: u64,
}

/// Events are written only when they are sent: there may be many.
enum Ready {
    Answer(ReadResp),
    Event(Arc<Event>),
}

impl Subscription {
    pub fn new(store: Arc<Store>, source: Source, filter: Option<Filter>, form: Form) -> Self {
        let confirmation = ReadContent::Confirmation(Confirmation {
            subscription_id: Uuid::new_v4().to_string(),
        });
        Self {
            more: store.watch(),
            store,
            source,
            filter,
            form,
            ready: VecDeque::from([Ready::Answer(confirmation.into())]),
            caught_up: false,
            looked_at: 0,
        }
    }

    pub fn answers(self) -> Answers {
        stream::unfold(self, |mut subscription| async move {
            let answer = subscription.next().await?;
            Some((Ok(answer), subscription))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<ReadResp> {
        loop {
            match self.ready.pop_front() {
                Some(Ready::Answer(answer)) => return Some(answer),
                Some(Ready::Event(event)) => return Some(self.form.answer(&event)),
                None => {}
            }
            self.more.borrow_and_update();
            let events = self.source.more(&self.store);
            if !events.is_empty() {
                self.look_at(events);
            } else if self.caught_up {
                self.more.changed().await.ok()?;
            } else {
                self.caught_up = true;
                return Some(ReadContent::CaughtUp(Empty {}).into());
            }
        }
    }

    fn look_at(&mut self, events: Vec<Arc<Event>>) {
        for event in events {
            let position = event.position;
            if self.filter.as_ref().is_none_or(|filter| filter.wants(&event)) {
                self.ready.push_back(Ready::Event(event));
            }
            self.looked_at += 1;
            let due = |filter: &Filter| self.looked_at >= filter.checkpoint_after;
            if self.filter.as_ref().is_some_and(due) {
                self.looked_at = 0;
                let checkpoint = ReadContent::Checkpoint(Position::at(position));
                self.ready.push_back(Ready::Answer(checkpoint.into()));
            }
        }
    }
}

impl Source {
    fn more(&mut self, store: &Store) -> Vec<Arc<Event>> {
        match self {
            Self::Stream { name, next } => {
                let mut events = store.stream(name).unwrap_or_default();
                let new = events.split_off((*next).min(events.len()));
                *next += new.len();
                new
            }
            Self::All { next } => {
                let new = store.all(*next);
                *next += new.len();
                new
            }
        }
    }
}
