//! Between this node's signals and the topic that all nodes share. A record's key is the signal's, and its payload the
//! JSON, none where the key is forgotten; headers tell the rest.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use spool_kafka::{Error, Following, NewRecord, Producer, Record, Settings, topics};
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::outbox::Outgoing;
use super::{Heard, Shared};

/// The largest that the topic takes, with room for what is written around it.
pub(super) const BYTES_MAX: usize = 900 << 10;
/// A node that starts reads from this long ago, and has the states that are renewed more often.
const BACK: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(10);
/// How many states are on their way at once. Whatever comes meanwhile replaces what waits behind them.
const TOGETHER: usize = 512;
/// After trouble.
const PAUSE: Duration = Duration::from_millis(250);

const TOPIC: &str = "topic";
const FROM: &str = "from";
const NUMBER: &str = "number";

pub(super) struct Wire {
    /// Reads until dropped.
    _following: Following,
    sending: AbortHandle,
}

struct Sender {
    shared: Arc<Shared>,
    settings: Settings,
    /// The full name.
    topic: String,
    /// This handle, among all there ever are.
    from: String,
}

impl Wire {
    pub async fn start(shared: &Arc<Shared>, settings: &Settings) -> Result<Self, Error> {
        let (topic, from) = (settings.topic(topics::SIGNALS), Uuid::new_v4().to_string());
        let (to, own) = (Arc::clone(shared), from.clone());
        let on_record = move |record: Option<Record>| {
            match record {
                Some(record) => {
                    if let Some(heard) = heard(&record, &own) {
                        to.lock().hear(heard);
                    }
                }
                None => to.lock().outbox.missed(),
            }
            to.arrived.notify_waiters();
        };
        let following = Following::start(settings, &topic, BACK, WITHIN, on_record).await?;
        let sender = Sender {
            shared: Arc::clone(shared),
            settings: settings.clone(),
            topic,
            from,
        };
        Ok(Self {
            _following: following,
            sending: tokio::spawn(sender.run()).abort_handle(),
        })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

impl Sender {
    async fn run(self) {
        loop {
            // While the brokers are away, what is on its way waits with the producer, and the rest in the outbox.
            let error = match Producer::open(&self.settings, None).await {
                Ok(producer) => self.send_until_trouble(&producer).await,
                Err(error) => error,
            };
            tracing::warn!(%error, "signals do not reach the other nodes for a moment");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send_until_trouble(&self, producer: &Producer) -> Error {
        loop {
            let taken = self.shared.lock().outbox.take(TOGETHER);
            if taken.is_empty() {
                self.shared.waits.notified().await;
                continue;
            }
            let mut sending = Vec::with_capacity(taken.len());
            for outgoing in taken {
                sending.push((self.send(producer, &outgoing), outgoing));
            }
            let mut trouble = None;
            for (sent, outgoing) in sending {
                let written = match sent {
                    Ok(sent) => sent.await,
                    Err(error) => Err(error),
                };
                if let Err(error) = written {
                    self.shared.lock().outbox.put_back(outgoing);
                    trouble = Some(error);
                }
            }
            if let Some(error) = trouble {
                return error;
            }
        }
    }

    fn send(&self, producer: &Producer, outgoing: &Outgoing) -> Result<spool_kafka::Sending, Error> {
        producer.send(NewRecord {
            topic: &self.topic,
            // There is one: every node reads everything.
            partition: 0,
            key: outgoing.key.as_bytes(),
            payload: outgoing.json.as_deref().unwrap_or_default(),
            headers: &[
                (TOPIC, &outgoing.topic),
                (FROM, &self.from),
                (NUMBER, &outgoing.number.to_string()),
            ],
        })
    }
}

/// `None` for a record that is none of ours.
fn heard(record: &Record, own: &str) -> Option<Heard> {
    let number: u64 = record.header(NUMBER)?.parse().ok()?;
    Some(Heard {
        topic: record.header(TOPIC)?.to_owned(),
        key: String::from_utf8(record.key.clone()).ok()?,
        json: (!record.payload.is_empty()).then(|| Bytes::from(record.payload.clone())),
        ours: (record.header(FROM)? == own).then_some(number),
    })
}
