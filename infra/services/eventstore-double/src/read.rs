//! Method `Read`: of a stream or of `$all`, once or as a subscription.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tonic::{Response, Status};

use crate::filter::Filter;
use crate::store::{Event, Store};
use crate::subscription::{Source, Subscription};
use crate::wire::{
    AllFrom, Id, ReadContent, ReadCount, ReadEvent, ReadFrom, ReadOptions, ReadReq, ReadResp, RecordedEvent,
    StreamFrom, StreamIdentifier, StreamNotFound,
};

pub type Answers = BoxStream<'static, Result<ReadResp, Status>>;

pub fn read(store: &Arc<Store>, request: ReadReq) -> Result<Response<Answers>, Status> {
    let options = request
        .options
        .ok_or_else(|| Status::invalid_argument("a read without options"))?;
    let form = Form::of(&options);
    let backwards = options.direction == 1;
    let filter = options.filter.map(Filter::new).transpose()?;
    let from = options
        .from
        .ok_or_else(|| Status::invalid_argument("neither a stream nor $all to read"))?;
    let count = match options.count {
        Some(ReadCount::AtMost(count)) => usize::try_from(count).unwrap_or(usize::MAX),
        Some(ReadCount::Subscription(_)) if backwards => {
            return Err(Status::invalid_argument("a subscription goes forwards"));
        }
        Some(ReadCount::Subscription(_)) => {
            let subscription = Subscription::new(Arc::clone(store), source(store, from)?, filter, form);
            return Ok(Response::new(subscription.answers()));
        }
        None => return Err(Status::invalid_argument("no count")),
    };
    let events = match from {
        ReadFrom::Stream(options) => {
            let identifier = options.stream_identifier.unwrap_or_default();
            let name = identifier.name().unwrap_or_default();
            let Some(events) = store.stream(&name) else {
                let content = ReadContent::StreamNotFound(StreamNotFound {
                    stream_identifier: Some(identifier),
                });
                return Ok(Response::new(stream::iter([Ok(content.into())]).boxed()));
            };
            stream_from(events, options.from, backwards)
        }
        ReadFrom::All(options) => all_from(store, options.from, backwards),
    };
    let mut wanted: Vec<Arc<Event>> = events
        .into_iter()
        .filter(|event| filter.as_ref().is_none_or(|filter| filter.wants(event)))
        .collect();
    if backwards {
        wanted.reverse();
    }
    wanted.truncate(count);
    let answers = wanted.into_iter().map(move |event| Ok(form.answer(&event)));
    Ok(Response::new(stream::iter(answers).boxed()))
}

fn stream_from(mut events: Vec<Arc<Event>>, from: Option<StreamFrom>, backwards: bool) -> Vec<Arc<Event>> {
    let (at, end) = match from {
        Some(StreamFrom::Revision(revision)) => (usize::try_from(revision).unwrap_or(usize::MAX), false),
        Some(StreamFrom::End(_)) => (events.len(), true),
        Some(StreamFrom::Start(_)) | None => (0, false),
    };
    if backwards {
        // The revision itself is the first to be read.
        events.truncate(if end { at } else { at.saturating_add(1) });
        events
    } else {
        events.split_off(at.min(events.len()))
    }
}

fn all_from(store: &Store, from: Option<AllFrom>, backwards: bool) -> Vec<Arc<Event>> {
    let mut events = store.all(0);
    let at = match from {
        Some(AllFrom::Position(position)) => {
            events.partition_point(|event| event.position < position.commit_position)
        }
        Some(AllFrom::End(_)) => events.len(),
        Some(AllFrom::Start(_)) | None => 0,
    };
    if backwards {
        // Backwards a position is where reading ends the other way: what lies at it is not read.
        events.truncate(at);
        events
    } else {
        events.split_off(at)
    }
}

/// Where a subscription begins: behind the revision or position that was given.
fn source(store: &Store, from: ReadFrom) -> Result<Source, Status> {
    match from {
        ReadFrom::Stream(options) => {
            let name = options.stream_identifier.unwrap_or_default().name();
            let name = name.ok_or_else(|| Status::invalid_argument("no stream name"))?;
            let next = match options.from {
                Some(StreamFrom::Revision(revision)) => {
                    usize::try_from(revision).unwrap_or(usize::MAX).saturating_add(1)
                }
                Some(StreamFrom::End(_)) => store.stream(&name).map_or(0, |events| events.len()),
                Some(StreamFrom::Start(_)) | None => 0,
            };
            Ok(Source::Stream { name, next })
        }
        ReadFrom::All(options) => {
            let next = match options.from {
                Some(AllFrom::Position(position)) => {
                    store.index_of(position.commit_position.saturating_add(1))
                }
                Some(AllFrom::End(_)) => store.all(0).len(),
                Some(AllFrom::Start(_)) | None => 0,
            };
            Ok(Source::All { next })
        }
    }
}

/// In which form ids are written.
#[derive(Clone, Copy)]
pub enum Form {
    Text,
    Halves,
}

impl Form {
    fn of(options: &ReadOptions) -> Self {
        match options.ids {
            Some(ids) if ids.text.is_some() => Self::Text,
            _ => Self::Halves,
        }
    }

    pub fn answer(self, event: &Event) -> ReadResp {
        let id = match self {
            Self::Text => Id::text(event.id),
            Self::Halves => Id::halves(event.id),
        };
        let metadata = [
            ("type", event.kind.clone()),
            ("content-type", event.content_type.clone()),
            ("created", event.created.to_string()),
        ];
        let recorded = RecordedEvent {
            id: Some(id),
            stream_identifier: Some(StreamIdentifier::new(&event.stream)),
            stream_revision: event.revision,
            prepare_position: event.position,
            commit_position: event.position,
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
            custom_metadata: event.custom_metadata.clone(),
            data: event.data.clone(),
        };
        let read = ReadEvent {
            event: Some(recorded),
            commit_position: Some(event.position),
        };
        ReadContent::Event(read).into()
    }
}

impl From<ReadContent> for ReadResp {
    fn from(content: ReadContent) -> Self {
        Self {
            content: Some(content),
        }
    }
}
