//! Apache Kafka, with one broker or three.

mod wire;

use std::sync::OnceLock;

use crate::Failed;
use crate::places::{self, Folder};
use crate::ports::Port;
use crate::process::{self, Process};

/// How large a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brokers {
    /// Replicas: one.
    One,
    /// Replicas: three, of which two must be in sync. Any one may be killed.
    Three,
}

/// A cluster of its own, ended and forgotten when dropped. Brokers are named by their ids, from 1.
///
/// Topics are not made by using them. A killed broker is noticed within 2.5 s.
pub struct Kafka {
    bootstrap: String,
    // Dropped in this order: first the servers, then their data, then their ports.
    brokers: Vec<Broker>,
    folder: Option<Folder>,
}

struct Broker {
    id: u32,
    process: Option<Process>,
    client: Port,
    controller: Port,
}

impl Kafka {
    /// The one broker that all tests of this process share, or what `SPOOL_TEST_KAFKA` (host:port,…) names.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with what it said.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("SPOOL_TEST_KAFKA") {
            Ok(bootstrap) => Self::of_somebody_else(bootstrap),
            Err(_) => Self::start(Brokers::One).expect("a broker to share starts"),
        })
    }

    /// Starts a cluster on free ports, and returns when every broker knows all of them.
    pub fn start(brokers: Brokers) -> Result<Self, Failed> {
        let count = match brokers {
            Brokers::One => 1,
            Brokers::Three => 3,
        };
        let ports = (0..count).map(|_| Ok((Port::free()?, Port::free()?)));
        Self::start_at(ports.collect::<Result<_, Failed>>()?)
    }

    /// The same on given ports: for clients and for the controller, a pair for each of one or three brokers.
    pub fn start_on(ports: &[(u16, u16)]) -> Result<Self, Failed> {
        if ports.len() != 1 && ports.len() != 3 {
            return Err(Failed::because(format!(
                "Kafka starts with 1 or 3 brokers here, not with {}",
                ports.len()
            )));
        }
        let chosen = ports
            .iter()
            .map(|(client, controller)| (Port::chosen(*client), Port::chosen(*controller)));
        Self::start_at(chosen.collect())
    }

    fn start_at(ports: Vec<(Port, Port)>) -> Result<Self, Failed> {
        places::fetch("kafka")?;
        let brokers: Vec<Broker> = (1..)
            .zip(ports)
            .map(|(id, (client, controller))| Broker {
                id,
                process: None,
                client,
                controller,
            })
            .collect();
        let addresses: Vec<String> = brokers.iter().map(Broker::address).collect();
        let mut kafka = Self {
            bootstrap: addresses.join(","),
            brokers,
            folder: Some(Folder::fresh("kafka")?),
        };
        for id in kafka.ids() {
            kafka.launch(id)?;
        }
        kafka.wait_for_each_other()?;
        Ok(kafka)
    }

    fn of_somebody_else(bootstrap: String) -> Self {
        Self {
            bootstrap,
            brokers: Vec::new(),
            folder: None,
        }
    }

    /// All brokers, as `host:port,host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// One broker, as `host:port`.
    pub fn address(&self, broker: u32) -> Result<String, Failed> {
        let broker = self.brokers.iter().find(|known| known.id == broker);
        broker.map(Broker::address).ok_or_else(|| self.no_such_broker())
    }

    /// SIGKILL. Its data and ports are kept.
    pub fn kill(&mut self, broker: u32) -> Result<(), Failed> {
        self.running(broker)?;
        self.broker(broker)?.process = None;
        Ok(())
    }

    /// Starts a broker on the data it has, killing it before if it runs. Returns when it serves, unless fewer than
    /// half of the cluster's brokers run: without a majority none of them can.
    pub fn restart(&mut self, broker: u32) -> Result<(), Failed> {
        self.broker(broker)?.process = None;
        self.launch(broker)?;
        let running = self.brokers.iter().filter(|broker| broker.runs()).count();
        if running * 2 > self.brokers.len() {
            self.wait_for_each_other()?;
        }
        Ok(())
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&mut self, broker: u32) -> Result<(), Failed> {
        self.running(broker)?.pause()
    }

    /// SIGCONT. Returns at once; what it has missed, it catches up with.
    pub fn resume(&mut self, broker: u32) -> Result<(), Failed> {
        self.running(broker)?.resume()
    }

    /// Ends the cluster and removes its data, as dropping it does.
    pub fn stop(self) {}

    fn launch(&mut self, id: u32) -> Result<(), Failed> {
        let pairs = self
            .brokers
            .iter()
            .map(|broker| format!("{}:{}", broker.client.number(), broker.controller.number()));
        let words: Vec<String> = std::iter::once(id.to_string()).chain(pairs).collect();
        let folder = self.folder.as_ref().ok_or_else(|| self.no_such_broker())?;
        let data = folder.path().join(id.to_string());
        let process = Process::start(&format!("Kafka's broker {id}"), "kafka/start.sh", &data, &words)?;
        self.broker(id)?.process = Some(process);
        Ok(())
    }

    /// Until each broker that runs knows all that run.
    fn wait_for_each_other(&mut self) -> Result<(), Failed> {
        let (mut processes, mut ports, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for broker in self.brokers.iter_mut().filter(|broker| broker.runs()) {
            ports.push(broker.client.number());
            ids.push(i32::try_from(broker.id).expect("there are at most three"));
            processes.extend(&mut broker.process);
        }
        process::wait_until(&mut processes, || {
            ports.iter().all(|port| {
                wire::brokers_known_at(*port).is_ok_and(|known| ids.iter().all(|id| known.contains(id)))
            })
        })
    }

    fn ids(&self) -> Vec<u32> {
        self.brokers.iter().map(|broker| broker.id).collect()
    }

    fn running(&mut self, id: u32) -> Result<&mut Process, Failed> {
        self.broker(id)?
            .process
            .as_mut()
            .ok_or_else(|| Failed::because(format!("Kafka's broker {id} is not running")))
    }

    fn broker(&mut self, id: u32) -> Result<&mut Broker, Failed> {
        let missing = self.no_such_broker();
        self.brokers
            .iter_mut()
            .find(|broker| broker.id == id)
            .ok_or(missing)
    }

    fn no_such_broker(&self) -> Failed {
        Failed::because(match self.brokers.len() {
            0 => "this Kafka is not ours: SPOOL_TEST_KAFKA names it".to_owned(),
            count => format!("the brokers of this cluster are 1 to {count}"),
        })
    }
}

impl Broker {
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.client.number())
    }

    fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.is_paused())
    }
}
