//! What can go wrong with brokers, in one line that says what to do.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why the brokers did not do what they were asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "no Kafka broker answers at {brokers}: {detail}; check kafka.brokers, that one of them runs, and kafka.properties if they \
         want TLS or credentials"
    )]
    Unreachable { brokers: String, detail: String },
    #[error(
        "Kafka refuses these credentials: {detail}; check kafka.properties (sasl.username, sasl.password, ssl.…)"
    )]
    AuthenticationFailed { detail: String },
    #[error("Kafka does not allow this account {doing}; let an operator grant it")]
    NotAuthorized { doing: String },
    #[error("there is no topic {topic}; `spool topics ensure` makes it")]
    UnknownTopic { topic: String },
    #[error("the settings for Kafka are no good: {problem}")]
    Settings { problem: String },
    #[error("too many records wait to be written; wait until some of them are")]
    QueueFull,
    #[error("{doing} failed: {detail}")]
    Failed { doing: String, detail: String },
}

impl Error {
    /// The same in our words. `doing` completes "… failed" and "does not allow this account …".
    pub fn of(doing: impl Into<String>, error: &KafkaError) -> Self {
        let doing = doing.into();
        match error.rdkafka_error_code() {
            Some(code) => Self::of_code(doing, code),
            None => Self::Failed {
                doing,
                detail: error.to_string(),
            },
        }
    }

    /// The same for a code alone.
    pub fn of_code(doing: impl Into<String>, code: RDKafkaErrorCode) -> Self {
        let doing = doing.into();
        match code {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                Self::AuthenticationFailed {
                    detail: code.to_string(),
                }
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed => Self::NotAuthorized { doing },
            _ => Self::Failed {
                doing,
                detail: code.to_string(),
            },
        }
    }

    /// Whether waiting may help: the brokers are away, or busy with themselves.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::QueueFull | Self::Failed { .. }
        )
    }
}
