//! Writes records: what was queued first stands first in its partition, and nothing is lost, doubled or left out.

use crate::connection::blocking;
use crate::{Context, Error, Settings};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// A client that writes. Clones share it; it may be dropped anywhere, and what it has not sent is then given up.
#[derive(Clone)]
pub struct Producer {
    writing: Arc<Writing>,
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// With its prefix.
    pub topic: &'a str,
    pub partition: i32,
    pub key: &'a [u8],
    pub payload: &'a [u8],
    pub headers: &'a [(&'a str, &'a str)],
}

/// Becomes the record's offset once enough replicas have it. After an error nothing that was queued behind is written
/// by this producer: open another, read back what arrived, and go on from there.
pub struct Sending(DeliveryFuture);

struct Writing {
    /// Taken only when dropped, since closing a client may block.
    producer: Option<FutureProducer<Context>>,
    context: Context,
}

impl Producer {
    /// Opens one that gives up on a record after `patience`; without, never: records wait for the brokers.
    pub async fn open(settings: &Settings, patience: Option<Duration>) -> Result<Self, Error> {
        let mut config = settings.producer();
        let patience_ms = patience.map_or(0, |patience| patience.as_millis());
        config.set("message.timeout.ms", patience_ms.to_string());
        let context = Context::default();
        let its_context = context.clone();
        let opened = blocking(move || FutureProducer::from_config_and_context(&config, its_context));
        let producer = opened.await.map_err(|error| Error::Settings {
            problem: error.to_string(),
        })?;
        Ok(Self {
            writing: Arc::new(Writing {
                producer: Some(producer),
                context,
            }),
        })
    }

    /// Queues a record at once; waits for nothing. `QueueFull` means that too much waits already.
    pub fn send(&self, record: NewRecord<'_>) -> Result<Sending, Error> {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in record.headers {
            headers = headers.insert(Header {
                key,
                value: Some(*value),
            });
        }
        let future_record = FutureRecord::to(record.topic)
            .partition(record.partition)
            .key(record.key)
            .payload(record.payload)
            .headers(headers);
        match self.writing.producer().send_result(future_record) {
            Ok(delivery) => Ok(Sending(delivery)),
            Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                Err(Error::QueueFull)
            }
            Err((error, _)) => Err(failed(&error)),
        }
    }

    /// What went wrong last on the connections, in librdkafka's words. It stays after things are well again.
    pub fn trouble(&self) -> Option<String> {
        self.writing.context.trouble().map(|(_, reason)| reason)
    }
}

impl Writing {
    fn producer(&self) -> &FutureProducer<Context> {
        self.producer.as_ref().expect("it is taken only when dropped")
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let producer = self.producer.take();
        // Closing waits for librdkafka's threads, which a thread of the async runtime must not do.
        drop(std::thread::spawn(move || drop(producer)));
    }
}

impl Future for Sending {
    type Output = Result<i64, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|delivered| match delivered {
                Ok(Ok(Delivery { offset, .. })) => Ok(offset),
                Ok(Err((error, _))) => Err(failed(&error)),
                Err(_) => Err(Error::Failed {
                    doing: "writing a record".to_owned(),
                    detail: "the producer was closed".to_owned(),
                }),
            })
    }
}

fn failed(error: &KafkaError) -> Error {
    Error::of("writing a record", error)
}
