//! Connections for writing that are made ahead. A new one needs half a second: librdkafka asks for its producer id, finds
//! that it is not connected yet, and asks again after 500 ms. That is too long for a takeover.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaResult;
use rdkafka::producer::ThreadedProducer;

use super::sender::Reports;
use super::{KafkaConfig, UNPOISONED};

/// As many partitions can be taken over at once without waiting.
const READY: usize = 8;

pub type Connection = ThreadedProducer<Reports>;

/// None are kept until the first one is wanted: most nodes never write.
pub struct Spares {
    config: ClientConfig,
    ready: Arc<Mutex<Vec<Connection>>>,
    /// Gone when the log is closed.
    refill: Mutex<Option<Sender<()>>>,
}

impl Spares {
    pub fn start(config: &KafkaConfig) -> std::io::Result<Self> {
        let config = settings(config);
        let ready = Arc::new(Mutex::new(Vec::new()));
        let (refill, wanted) = mpsc::channel();
        let (its_config, its_ready) = (config.clone(), Arc::clone(&ready));
        std::thread::Builder::new()
            .name("spool-log-spares".into())
            .spawn(move || fill(&its_config, &its_ready, &wanted))?;
        Ok(Self {
            config,
            ready,
            refill: Mutex::new(Some(refill)),
        })
    }

    pub fn take(&self) -> KafkaResult<Connection> {
        // The oldest, which has been connected the longest.
        let mut ready = self.ready.lock().expect(UNPOISONED);
        let spare = (!ready.is_empty()).then(|| ready.remove(0));
        drop(ready);
        if let Some(refill) = &*self.refill.lock().expect(UNPOISONED) {
            // Without the thread there are no spares, which only takes longer.
            let _ = refill.send(());
        }
        match spare {
            Some(spare) => Ok(spare),
            None => ThreadedProducer::from_config_and_context(&self.config, Reports::default()),
        }
    }

    /// The thread drops what there is and ends.
    pub fn end(&self) {
        *self.refill.lock().expect(UNPOISONED) = None;
    }
}

fn fill(config: &ClientConfig, ready: &Mutex<Vec<Connection>>, wanted: &Receiver<()>) {
    while wanted.recv().is_ok() {
        while ready.lock().expect(UNPOISONED).len() < READY {
            match ThreadedProducer::from_config_and_context(config, Reports::default()) {
                Ok(connection) => ready.lock().expect(UNPOISONED).push(connection),
                Err(error) => {
                    tracing::debug!(%error, "making a connection ahead failed");
                    break;
                }
            }
        }
    }
    let left = std::mem::take(&mut *ready.lock().expect(UNPOISONED));
    drop(left);
}

fn settings(config: &KafkaConfig) -> ClientConfig {
    let silence = super::config::milliseconds(config.silence).max(10).to_string();
    let mut settings = config.settings.producer();
    settings
        .set("linger.ms", config.linger.as_millis().to_string())
        .set("message.timeout.ms", &silence)
        .set("request.timeout.ms", &silence)
        .set("socket.nagle.disable", "true")
        .set("socket.connection.setup.timeout.ms", "1000");
    settings
}
