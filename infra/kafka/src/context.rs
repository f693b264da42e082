//! What librdkafka says by itself: to the log lines, and the last trouble kept for whoever has to explain a failure.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Goes into every client. A client that is away for long says so many times; it is written at debug level, since
/// whoever waits for the client tells people once. Clones share what they keep.
#[derive(Clone, Default)]
pub struct Context {
    trouble: Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>,
}

impl Context {
    /// What went wrong last, in librdkafka's words. Credentials that were refused are kept: other brokers being away must
    /// not hide them.
    pub fn trouble(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.lock().clone()
    }

    fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut trouble = self.lock();
        let is_worse = match *trouble {
            Some((RDKafkaErrorCode::Authentication, _)) => false,
            // "All brokers are down" says less than why the last of them is.
            Some(_) => code != RDKafkaErrorCode::AllBrokersDown,
            None => true,
        };
        if is_worse {
            *trouble = Some((code, reason.to_owned()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(RDKafkaErrorCode, String)>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
        // A broker that hangs up, as one does that wants credentials, is told of here and nowhere else.
        if facility == "FAIL" {
            let reason = message
                .split_once("]: ")
                .map_or(message, |(_thread, reason)| reason);
            self.note(RDKafkaErrorCode::BrokerTransportFailure, reason);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(code) = error.rdkafka_error_code() {
            self.note(code, reason);
        }
    }
}

impl ConsumerContext for Context {}
