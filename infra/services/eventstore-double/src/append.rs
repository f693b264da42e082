//! Methods `Append` and `BatchAppend`.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use prost::Message;
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::faults::Faults;
use crate::store::{Appended, Expected, NewEvent, Store, WrongRevision};
use crate::wire::{
    AppendContent, AppendExpected, AppendReq, AppendResp, AppendResult, AppendSuccess, BatchAppendReq,
    BatchAppendResp, BatchExpected, BatchResult, BatchSuccess, Detail, Empty, Position, ProposedMessage,
    StreamIdentifier, WrongExpectedVersion, WrongVersion,
};

/// What servers take in one append unless they are configured otherwise.
const APPEND_BYTES_MAX: usize = 1 << 20;

pub async fn append(
    store: Arc<Store>,
    faults: Arc<Faults>,
    request: Request<Streaming<AppendReq>>,
) -> Result<Response<AppendResp>, Status> {
    let mut messages = request.into_inner();
    let options = match messages.message().await?.and_then(|first| first.content) {
        Some(AppendContent::Options(options)) => options,
        _ => return Err(Status::invalid_argument("an append starts with its options")),
    };
    let stream = name(options.stream_identifier)?;
    let expected = match options.expected {
        Some(AppendExpected::Revision(revision)) => Expected::Revision(revision),
        Some(AppendExpected::NoStream(_)) => Expected::NoStream,
        Some(AppendExpected::Any(_)) => Expected::Any,
        Some(AppendExpected::Exists(_)) => Expected::Exists,
        None => return Err(Status::invalid_argument("no expected revision")),
    };
    let mut events = Vec::new();
    while let Some(message) = messages.message().await? {
        match message.content {
            Some(AppendContent::Proposed(proposed)) => events.push(event(proposed)?),
            _ => {
                return Err(Status::invalid_argument(
                    "events follow the options, and nothing else",
                ));
            }
        }
    }
    if size(&events) > APPEND_BYTES_MAX {
        return Err(too_large());
    }
    faults.before_append()?;
    let result = match store.append(&stream, expected, events) {
        Ok(appended) => AppendResult::Success(success(&appended)),
        Err(WrongRevision(current)) => AppendResult::Wrong(wrong(expected, current)),
    };
    faults.after_append()?;
    Ok(Response::new(AppendResp { result: Some(result) }))
}

pub fn batch_append(
    store: Arc<Store>,
    faults: Arc<Faults>,
    request: Request<Streaming<BatchAppendReq>>,
) -> Response<BoxStream<'static, Result<BatchAppendResp, Status>>> {
    let batches = Batches {
        store,
        faults,
        requests: request.into_inner(),
        begun: HashMap::new(),
    };
    let answers = stream::unfold(batches, |mut batches| async move {
        let answer = batches.next().await?;
        Some((answer, batches))
    });
    Response::new(answers.boxed())
}

struct Batches {
    store: Arc<Store>,
    faults: Arc<Faults>,
    requests: Streaming<BatchAppendReq>,
    /// Appends whose events are still arriving, by correlation id.
    begun: HashMap<Uuid, Begun>,
}

struct Begun {
    stream: String,
    expected: Expected,
    events: Vec<NewEvent>,
}

impl Batches {
    /// The answer to the next append that has arrived as a whole.
    async fn next(&mut self) -> Option<Result<BatchAppendResp, Status>> {
        loop {
            match self.requests.message().await {
                Ok(Some(request)) => match self.take(request) {
                    Ok(Some(answer)) => return Some(Ok(answer)),
                    Ok(None) => {}
                    Err(status) => return Some(Err(status)),
                },
                Ok(None) => return None,
                Err(status) => return Some(Err(status)),
            }
        }
    }

    fn take(&mut self, request: BatchAppendReq) -> Result<Option<BatchAppendResp>, Status> {
        let correlation_id = request.correlation_id;
        let id = correlation_id
            .as_ref()
            .and_then(crate::wire::Id::value)
            .ok_or_else(|| Status::invalid_argument("no correlation id"))?;
        if let Some(options) = request.options {
            let expected = match options.expected {
                Some(BatchExpected::Revision(revision)) => Expected::Revision(revision),
                Some(BatchExpected::NoStream(_)) => Expected::NoStream,
                Some(BatchExpected::Any(_)) => Expected::Any,
                Some(BatchExpected::Exists(_)) => Expected::Exists,
                None => return Err(Status::invalid_argument("no expected revision")),
            };
            let begun = Begun {
                stream: name(options.stream_identifier)?,
                expected,
                events: Vec::new(),
            };
            self.begun.insert(id, begun);
        }
        let Some(begun) = self.begun.get_mut(&id) else {
            return Ok(None);
        };
        for proposed in request.proposed_messages {
            begun.events.push(event(proposed)?);
        }
        if !request.is_final {
            return Ok(None);
        }
        let Some(begun) = self.begun.remove(&id) else {
            return Ok(None);
        };
        let stream_identifier = Some(StreamIdentifier::new(&begun.stream));
        self.faults.before_append()?;
        let result = Some(self.result(begun));
        self.faults.after_append()?;
        Ok(Some(BatchAppendResp {
            correlation_id,
            result,
            stream_identifier,
        }))
    }

    fn result(&self, begun: Begun) -> BatchResult {
        if size(&begun.events) > APPEND_BYTES_MAX {
            return BatchResult::Error(refusal(
                Code::InvalidArgument,
                "MaximumAppendSizeExceeded",
                &Empty {},
            ));
        }
        match self.store.append(&begun.stream, begun.expected, begun.events) {
            Ok(appended) => {
                let AppendSuccess {
                    current_revision,
                    no_stream,
                    position,
                    no_position,
                } = success(&appended);
                BatchResult::Success(BatchSuccess {
                    current_revision,
                    no_stream,
                    position,
                    no_position,
                })
            }
            Err(WrongRevision(current)) => {
                let wrong = wrong(begun.expected, current);
                let detail = WrongExpectedVersion {
                    current_revision: wrong.current_revision,
                    current_no_stream: wrong.current_no_stream,
                    expected_revision: wrong.expected_revision,
                    expected_any: wrong.expected_any,
                    expected_exists: wrong.expected_exists,
                    expected_no_stream: wrong.expected_no_stream,
                };
                BatchResult::Error(refusal(Code::AlreadyExists, "WrongExpectedVersion", &detail))
            }
        }
    }
}

fn refusal(code: Code, name: &str, detail: &impl Message) -> crate::wire::Status {
    crate::wire::Status {
        code: code.into(),
        message: name.to_owned(),
        detail: Some(Detail {
            type_url: format!("type.googleapis.com/event_store.client.{name}"),
            value: detail.encode_to_vec().into(),
        }),
    }
}

fn name(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    identifier
        .and_then(|identifier| identifier.name())
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Status::invalid_argument("no stream name"))
}

fn event(proposed: ProposedMessage) -> Result<NewEvent, Status> {
    let mut metadata = proposed.metadata;
    let mut needed = |key: &str| {
        metadata
            .remove(key)
            .ok_or_else(|| Status::invalid_argument(format!("Required Metadata Property '{key}' is missing")))
    };
    let id = proposed.id.and_then(|id| id.value());
    Ok(NewEvent {
        id: id.ok_or_else(|| Status::invalid_argument("an event without an id"))?,
        kind: needed("type")?,
        content_type: needed("content-type")?,
        custom_metadata: proposed.custom_metadata,
        data: proposed.data,
    })
}

/// As servers count it: names are kept in two bytes a character.
fn size(events: &[NewEvent]) -> usize {
    events
        .iter()
        .map(|event| event.data.len() + event.custom_metadata.len() + 2 * event.kind.len())
        .sum()
}

fn too_large() -> Status {
    let mut status = Status::invalid_argument(format!("Maximum Append Size of {APPEND_BYTES_MAX} Exceeded."));
    let metadata = status.metadata_mut();
    metadata.insert(
        "exception",
        "maximum-append-size-exceeded".parse().expect("plain text"),
    );
    metadata.insert("maximum-append-size", APPEND_BYTES_MAX.into());
    status
}

fn success(appended: &Appended) -> AppendSuccess {
    AppendSuccess {
        current_revision: appended.revision,
        no_stream: appended.revision.is_none().then_some(Empty {}),
        position: appended.position.map(Position::at),
        no_position: appended.position.is_none().then_some(Empty {}),
    }
}

fn wrong(expected: Expected, current: Option<u64>) -> WrongVersion {
    let mut wrong = WrongVersion {
        current_revision: current,
        current_no_stream: current.is_none().then_some(Empty {}),
        ..WrongVersion::default()
    };
    match expected {
        Expected::Any => wrong.expected_any = Some(Empty {}),
        Expected::NoStream => wrong.expected_no_stream = Some(Empty {}),
        Expected::Exists => wrong.expected_exists = Some(Empty {}),
        Expected::Revision(revision) => wrong.expected_revision = Some(revision),
    }
    wrong
}
