//! The connection: a client that is replaced after trouble, and what its errors mean.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use ::eventstore::{Client, ClientSettings, CurrentRevision, Error};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use super::{EventStoreConfig, UNPOISONED};
use crate::OpenError;

/// The shortest and the longest pause after trouble.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

pub struct Servers {
    settings: ClientSettings,
    runtime: Handle,
    client: Mutex<Numbered>,
    patience: Duration,
}

/// A client, how many came before it, and when it was made.
#[derive(Clone)]
struct Numbered {
    client: Client,
    number: u64,
    since: Instant,
}

/// How old a client is at least when it is replaced though it is alive: what the library keeps for it is never given back.
const AGE: Duration = Duration::from_secs(1);

/// What an error says about what was asked for.
#[derive(Debug)]
pub enum Trouble {
    /// The stream's last revision is another, and nothing was written.
    WrongRevision(Option<u64>),
    NotThere,
    /// It may work later, and may even have worked: nobody knows.
    Passing(String),
    /// It will not work until somebody changes something.
    Lasting(String),
}

impl Servers {
    pub fn new(config: &EventStoreConfig, runtime: Handle) -> Result<Self, OpenError> {
        // The string itself may hold a password, and so may an error about it.
        let settings: ClientSettings = impatient(&config.connection).parse().map_err(|_| OpenError::Config {
            problem: "the connection string is not understood; it looks like esdb://user:password@host:2113?tls=true"
                .into(),
        })?;
        let client = Client::with_runtime_handle(runtime.clone(), settings.clone());
        let client = client.map_err(|error| OpenError::Servers {
            place: place(&settings),
            problem: error.to_string(),
        })?;
        Ok(Self {
            settings,
            runtime,
            client: Mutex::new(Numbered {
                client,
                number: 0,
                since: Instant::now(),
            }),
            patience: config.patience,
        })
    }

    /// Where the log is, for messages.
    pub fn place(&self) -> String {
        place(&self.settings)
    }

    pub fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    /// The client of the moment, with a number to report trouble with.
    pub fn client(&self) -> (Client, u64) {
        let Numbered { client, number, .. } = self.client.lock().expect(UNPOISONED).clone();
        (client, number)
    }

    /// What an error of a client means. After trouble with the connection the next one to ask gets a new client: the
    /// library's own gives up for ever when it has found no server once, and does not look for another node when one
    /// goes away.
    pub fn trouble(&self, number: u64, error: &Error) -> Trouble {
        let trouble = Trouble::of(error);
        match error {
            Error::ConnectionClosed | Error::GrpcConnectionError(_) => self.replace(number, Duration::ZERO),
            // The library goes to the leader by itself.
            Error::NotLeaderException(_) => {}
            _ if matches!(trouble, Trouble::Passing(_)) => self.replace(number, AGE),
            _ => {}
        }
        trouble
    }

    /// Asks once.
    pub async fn attempt<T, Asked>(
        &self,
        deadline: Instant,
        ask: impl FnOnce(Client) -> Asked,
    ) -> Result<T, Trouble>
    where
        Asked: Future<Output = Result<T, Error>>,
    {
        let (client, number) = self.client();
        match timeout_at(deadline, ask(client)).await {
            Ok(answer) => answer.map_err(|error| self.trouble(number, &error)),
            Err(_) => {
                self.replace(number, AGE);
                Err(Trouble::Passing("no answer in time".into()))
            }
        }
    }

    /// Asks until there is an answer or the patience is at its end. For what may be done twice.
    pub async fn ask<T, Asked>(&self, mut ask: impl FnMut(Client) -> Asked) -> Result<T, Trouble>
    where
        Asked: Future<Output = Result<T, Error>>,
    {
        let deadline = self.deadline();
        let mut pauses = Pauses::default();
        loop {
            match self.attempt(deadline, &mut ask).await {
                Err(Trouble::Passing(_)) if pauses.pause_before(deadline).await => {}
                outcome => return outcome,
            }
        }
    }

    fn replace(&self, number: u64, age: Duration) {
        let mut current = self.client.lock().expect(UNPOISONED);
        // Somebody who had the same trouble may have been here before.
        if current.number != number || current.since.elapsed() < age {
            return;
        }
        if let Ok(client) = Client::with_runtime_handle(self.runtime.clone(), self.settings.clone()) {
            *current = Numbered {
                client,
                number: number + 1,
                since: Instant::now(),
            };
        }
    }
}

impl Trouble {
    pub fn of(error: &Error) -> Self {
        match error {
            Error::WrongExpectedVersion { current, .. } => Self::WrongRevision(match current {
                CurrentRevision::Current(revision) => Some(*revision),
                CurrentRevision::NoStream => None,
            }),
            Error::ResourceNotFound => Self::NotThere,
            Error::AccessDenied => Self::Lasting(
                "the user of the connection string may not do that; let it write the log's streams and read $all".into(),
            ),
            Error::ResourceDeleted => {
                Self::Lasting("a stream of the log was deleted; restore the server from a backup".into())
            }
            Error::UnsupportedFeature => {
                Self::Lasting("the server is too old; 21.10 and newer are supported".into())
            }
            // The code has no name here: its type is not the library's.
            Error::Grpc { message, code } if format!("{code:?}") == "InvalidArgument" => {
                Self::Lasting(format!("the server refuses it: {message}"))
            }
            other => Self::Passing(other.to_string()),
        }
    }

    pub fn into_problem(self) -> String {
        match self {
            Self::WrongRevision(_) => "somebody else wrote at the same time; try again".into(),
            Self::NotThere => "a stream of the log is not there".into(),
            Self::Passing(problem) => {
                format!("{problem}; see that the server runs and can be reached, then try again")
            }
            Self::Lasting(problem) => problem,
        }
    }
}

/// Waits longer each time.
#[derive(Default)]
pub struct Pauses {
    last: Option<Duration>,
}

impl Pauses {
    /// False when the deadline is over or would be.
    pub async fn pause_before(&mut self, deadline: Instant) -> bool {
        let pause = self.next();
        if Instant::now() + pause >= deadline {
            return false;
        }
        sleep(pause).await;
        true
    }

    pub fn next(&mut self) -> Duration {
        let pause = self.last.map_or(PAUSE_MIN, |last| (last * 2).min(PAUSE_MAX));
        self.last = Some(pause);
        pause
    }
}

/// The library pauses between attempts to find a server, and before the first one too: half a second unless told otherwise.
/// Pauses after trouble are made here.
fn impatient(connection: &str) -> String {
    const INTERVAL: &str = "discoveryInterval";
    if connection.to_lowercase().contains(&INTERVAL.to_lowercase()) {
        return connection.to_owned();
    }
    let separator = if connection.contains('?') { '&' } else { '?' };
    format!("{connection}{separator}{INTERVAL}=10")
}

/// Without user and password.
fn place(settings: &ClientSettings) -> String {
    let hosts: Vec<String> = settings
        .hosts()
        .iter()
        .map(|host| format!("{}:{}", host.host, host.port))
        .collect();
    format!("in EventStoreDB at {}", hosts.join(","))
}
