//! Every feature that takes commands. A new feature is one line in the table at the bottom.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spool_domain::decider::Decider;
use spool_domain::ids::{Feature as Word, StreamId};
use spool_domain::time::Timestamp;
use spool_domain::{accounts, jobs, reservations, uploads, videos, views};
use spool_schemas::AnyEvent;

/// A decider that the executor knows.
pub trait Feature: Decider + Serialize + DeserializeOwned {
    const WORD: Word;

    /// Its own state, if that is what `state` is.
    fn from_any(state: &AnyState) -> Option<&Self>;
}

macro_rules! features {
    ($($feature:ident => $module:ident :: $decider:ident;)*) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum AnyCommand {
            $($feature($module::Command),)*
        }

        /// Why a command was refused, in the words of its feature.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
        pub enum AnyRefusal {
            $(#[error(transparent)] $feature(#[from] $module::Refusal),)*
            #[error("stream {0} does not take this command")]
            WrongStream(StreamId),
        }

        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyState {
            $($feature($module::$decider),)*
        }

        $(impl From<$module::Command> for AnyCommand {
            fn from(command: $module::Command) -> Self {
                Self::$feature(command)
            }
        }

        impl Feature for $module::$decider {
            const WORD: Word = Word::$feature;

            fn from_any(state: &AnyState) -> Option<&Self> {
                match state {
                    AnyState::$feature(state) => Some(state),
                    #[allow(unreachable_patterns, reason = "with a single feature there is no other")]
                    _ => None,
                }
            }
        })*

        impl AnyState {
            pub fn before_the_first_event(feature: Word) -> Self {
                match feature {
                    $(Word::$feature => Self::$feature($module::$decider::default()),)*
                }
            }

            pub fn decide(
                &self,
                stream: StreamId,
                command: &AnyCommand,
                now: Timestamp,
            ) -> Result<Vec<AnyEvent>, AnyRefusal> {
                match (self, command) {
                    $((Self::$feature(state), AnyCommand::$feature(command)) => {
                        let events = state.decide(command, now)?;
                        Ok(events.into_iter().map(AnyEvent::from).collect())
                    })*
                    _ => Err(AnyRefusal::WrongStream(stream)),
                }
            }

            /// Events of another feature cannot stand in a stream and leave the state as it is.
            pub fn evolve(self, event: &AnyEvent) -> Self {
                match (self, event) {
                    $((Self::$feature(state), AnyEvent::$feature(event)) => Self::$feature(state.evolve(event)),)*
                    (unchanged, _) => unchanged,
                }
            }

            pub fn due(&self) -> Option<(Timestamp, AnyCommand)> {
                match self {
                    $(Self::$feature(state) => state.due().map(|(at, command)| (at, AnyCommand::$feature(command))),)*
                }
            }

            pub fn write(&self) -> serde_json::Result<Vec<u8>> {
                match self {
                    $(Self::$feature(state) => serde_json::to_vec(state),)*
                }
            }

            pub fn read(feature: Word, bytes: &[u8]) -> serde_json::Result<Self> {
                Ok(match feature {
                    $(Word::$feature => Self::$feature(serde_json::from_slice(bytes)?),)*
                })
            }
        }
    };
}

features! {
    Accounts => accounts::Account;
    Reservations => reservations::Reservation;
    Uploads => uploads::Upload;
    Videos => videos::Video;
    Jobs => jobs::Job;
    Views => views::View;
}
