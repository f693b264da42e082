//! The written form of what nodes ask each other and answer: JSON, read by nodes of the same version or the next. It may
//! carry sealed personal data and is not to be logged.

use crate::answer::{Ask, CommandError, Outcome};
use crate::features::{AnyCommand, AnyRefusal, AnyState, Feature};
use crate::token::Token;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spool_domain::ids::StreamId;
use spool_schemas::{Event, EventRef};
use std::fmt::Display;

/// A command for a stream.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    pub stream: StreamId,
    pub command: AnyCommand,
    pub ask: Ask,
}

/// The same to be written, without copying the command.
#[derive(Serialize)]
pub struct GivenRef<'a> {
    pub stream: StreamId,
    pub command: &'a AnyCommand,
    pub ask: &'a Ask,
}

/// A look at the state of a stream.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub stream: StreamId,
    /// Counting what may not be durable yet.
    pub at_once: bool,
}

/// What came of a command. `E` is an event.
#[derive(Serialize, Deserialize)]
enum Told<E> {
    Accepted(Accepted<E>),
    Refused(AnyRefusal),
    Stale { version: u64 },
    OtherRequest,
    Full,
}

#[derive(Serialize, Deserialize)]
struct Accepted<E> {
    stream: StreamId,
    version: u64,
    position: Option<(u16, u64)>,
    events: Vec<E>,
    repeated: bool,
    token: String,
}

#[derive(Serialize, Deserialize)]
struct Seen<S> {
    version: u64,
    state: S,
}

/// What came of a command, if that can be said by whoever was asked: an error that is none of these is for the asker to
/// overcome, and comes back.
pub fn write_given(given: Result<Outcome, CommandError>) -> Result<Vec<u8>, CommandError> {
    let told = match given {
        Ok(outcome) => Told::Accepted(Accepted {
            stream: outcome.stream,
            version: outcome.version,
            position: outcome.position,
            events: outcome.events.into_iter().map(Event).collect(),
            repeated: outcome.repeated,
            token: outcome.token.to_string(),
        }),
        Err(CommandError::Refused(refusal)) => Told::Refused(refusal),
        Err(CommandError::Stale { version }) => Told::Stale { version },
        Err(CommandError::OtherRequest) => Told::OtherRequest,
        Err(CommandError::Full) => Told::Full,
        Err(error @ (CommandError::Elsewhere(_) | CommandError::Unavailable(_))) => return Err(error),
    };
    write(&told)
}

pub fn read_given(answer: &[u8]) -> Result<Outcome, CommandError> {
    // The events borrow from the answer.
    match serde_json::from_slice::<Told<EventRef<'_>>>(answer).map_err(unreadable)? {
        Told::Accepted(accepted) => Ok(Outcome {
            stream: accepted.stream,
            version: accepted.version,
            position: accepted.position,
            events: accepted
                .events
                .iter()
                .map(EventRef::decode)
                .collect::<Result<_, _>>()
                .map_err(unreadable)?,
            repeated: accepted.repeated,
            token: accepted.token.parse::<Token>().map_err(unreadable)?,
        }),
        Told::Refused(refusal) => Err(CommandError::Refused(refusal)),
        Told::Stale { version } => Err(CommandError::Stale { version }),
        Told::OtherRequest => Err(CommandError::OtherRequest),
        Told::Full => Err(CommandError::Full),
    }
}

pub fn write_seen(state: &AnyState, version: u64) -> Result<Vec<u8>, CommandError> {
    let text = state.write().map_err(unreadable)?;
    let state: &RawValue = serde_json::from_slice(&text).map_err(unreadable)?;
    write(&Seen { version, state })
}

/// The state and version of a stream of the feature of `D`.
pub fn read_seen<D: Feature>(answer: &[u8]) -> Result<(D, u64), CommandError> {
    let Seen { version, state } = serde_json::from_slice(answer).map_err(unreadable)?;
    Ok((state, version))
}

pub fn write(value: &impl Serialize) -> Result<Vec<u8>, CommandError> {
    serde_json::to_vec(value)
        .map_err(|error| CommandError::Unavailable(format!("writing to another node: {error}")))
}

/// What serde says may quote what it was reading, so that is left out.
fn unreadable(_: impl Display) -> CommandError {
    CommandError::Unavailable("what another node wrote cannot be read; are all nodes of one version?".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_domain::ids::{JobId, VideoId};
    use spool_domain::time::Millis;
    use spool_domain::{jobs, views};
    use spool_schemas::AnyEvent;
    use uuid::Uuid;

    fn job() -> StreamId {
        JobId::of(VideoId(Uuid::from_u128(7)), 1).stream()
    }

    fn check(given: Result<Outcome, CommandError>) {
        let written = write_given(given.clone()).expect("it is an answer");
        assert_eq!(read_given(&written), given);
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        let switched = views::Switched {
            name: "catalogue".into(),
            version: 3,
        };
        check(Ok(Outcome {
            stream: job(),
            version: 4,
            position: Some((3, 17)),
            events: vec![AnyEvent::Views(views::Event::Switched(switched))],
            repeated: true,
            token: Token::at(3, 18),
        }));
        check(Err(
            AnyRefusal::Jobs(jobs::Refusal::Over("cancelled".into())).into()
        ));
        check(Err(AnyRefusal::WrongStream(job()).into()));
        check(Err(CommandError::Stale { version: 9 }));
        check(Err(CommandError::OtherRequest));
        check(Err(CommandError::Full));
    }

    #[test]
    fn what_says_nothing_about_the_command_is_no_answer() {
        for error in [
            CommandError::Elsewhere(Some("http://other".into())),
            CommandError::Unavailable("away".into()),
        ] {
            assert_eq!(write_given(Err(error.clone())), Err(error));
        }
    }

    #[test]
    fn commands_and_states_are_read_as_they_were_written() {
        let command = jobs::Command::Claim {
            worker: "a".into(),
            lease: Millis(30_000),
        };
        let (command, ask) = (
            AnyCommand::from(command),
            Ask::fresh(spool_domain::actors::Actor::System),
        );
        let written = GivenRef {
            stream: job(),
            command: &command,
            ask: &ask,
        };
        let written = write(&written).expect("it becomes JSON");
        let read: Given = serde_json::from_slice(&written).expect("it is read");
        assert_eq!((read.stream, &read.command, &read.ask), (job(), &command, &ask));
        let state = AnyState::Views(views::View { serving: Some(2) });
        let written = write_seen(&state, 5).expect("it becomes JSON");
        assert_eq!(read_seen(&written), Ok((views::View { serving: Some(2) }, 5)));
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let answers = [
            &br#"{"Refused":{"Accounts":"hush-hush"}}"#[..],
            br#"{"hush-hush":1}"#,
        ];
        for answer in answers {
            let error = read_given(answer).expect_err("it cannot be read");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
