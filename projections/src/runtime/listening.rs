//! The side of the views that reads only: other nodes write the rows, and say how far they are.

use super::announcing::{SAY_AGAIN, Said, TOPIC};
use super::opening::stored_name;
use super::registry::Registered;
use super::serving::{Changes, Version};
use crate::switches::{Switches, wanted};
use spool_platform::signals::{SignalMessage, Signals};
use spool_tables::{Tables, TablesError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// When nothing is heard for so long while somebody waits, the tables themselves are asked.
const ASK_AFTER: Duration = Duration::from_millis(300);

/// Reads what others write, whenever this node does not write itself.
#[derive(Clone)]
pub(super) struct Listener {
    tables: Tables,
    views: Arc<Vec<Registered>>,
    partitions: u16,
    heard: Arc<Mutex<Heard>>,
}

/// What is known of those who write. While it is locked no version comes to answer.
#[derive(Default)]
struct Heard {
    /// This node writes, and listens to nobody.
    writes_itself: bool,
    /// For each view.
    views: Vec<Source>,
}

#[derive(Clone, Default)]
struct Source {
    node: Option<String>,
    turn: Uuid,
    number: u64,
    at: Option<Instant>,
}

impl Listener {
    pub fn new(tables: Tables, views: Arc<Vec<Registered>>, partitions: u16) -> Self {
        let sources = vec![Source::default(); views.len()];
        Self {
            tables,
            views,
            partitions,
            heard: Arc::new(Mutex::new(Heard {
                writes_itself: false,
                views: sources,
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on this node writes itself, or does so no longer.
    pub fn writes_itself(&self, does: bool) {
        self.lock().writes_itself = does;
    }

    /// Who was last heard to write the rows.
    pub fn writer(&self) -> Option<String> {
        self.lock().views.iter().find_map(|source| source.node.clone())
    }

    /// Answers from rows that are there already, whether or not anybody writes now. A version without rows waits until its
    /// writer says that it answers. Blocking.
    pub fn open_what_is_there(&self) -> Result<(), TablesError> {
        let switches = self.tables.view(&stored_name(&Switches), 1)?;
        for registered in self.views.iter() {
            let number = wanted(&switches, registered.view.name())?;
            let name = stored_name(registered.view.as_ref());
            if !self.tables.versions(&name)?.contains(&number) {
                continue;
            }
            let version = self.open(&name, number)?;
            let heard = self.lock();
            let is_first = !heard.writes_itself && registered.serving.current().is_none();
            if is_first && version.watermark().iter().any(|next| *next > 0) {
                registered.serving.switch_to(version);
            }
        }
        Ok(())
    }

    /// Until it is dropped.
    pub async fn run(self, signals: Signals) {
        let mut subscription = signals.subscribe(TOPIC);
        for message in signals.latest_all(TOPIC) {
            self.hear(&message).await;
        }
        let mut glance = tokio::time::interval(ASK_AFTER);
        loop {
            tokio::select! {
                message = subscription.recv() => self.hear(&message).await,
                _ = glance.tick() => self.ask_for_those_who_wait().await,
            }
        }
    }

    async fn hear(&self, message: &SignalMessage) {
        let named = |registered: &Registered| stored_name(registered.view.as_ref()) == message.key;
        let Some(view) = self.views.iter().position(named) else {
            return;
        };
        match serde_json::from_slice::<Said>(&message.json) {
            Ok(said) if self.takes_at_once(view, &said) => {}
            Ok(said) => self.take_with_version(view, said).await,
            // Of another version, perhaps.
            Err(error) => {
                tracing::debug!(view = message.key, %error, "what a node says of a view cannot be read")
            }
        }
    }

    /// Whether that needed no other version to be opened.
    fn takes_at_once(&self, view: usize, said: &Said) -> bool {
        let mut heard = self.lock();
        let serving = &self.views[view].serving;
        let current = serving.current();
        let is_news = match (said.version, &current) {
            (Some(number), Some(current)) => number != current.number,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if heard.writes_itself {
            return true;
        }
        let source = &mut heard.views[view];
        // What a writer of before says late must not bring back a version that was left. Turns are named in the order of time.
        let is_late = said.turn < source.turn;
        if is_news && !is_late {
            return false;
        }
        let Some(current) = current.filter(|current| said.version == Some(current.number)) else {
            return true;
        };
        if is_late {
            serving.tell(Changes::All);
            current.reached(&said.next);
            return true;
        }
        current.set_parked(said.parked);
        let missed_none = said.turn == source.turn && said.number <= source.number + 1;
        let is_known = said.turn == source.turn && said.number == source.number;
        source.note(said);
        match &said.keys {
            _ if is_known => {}
            Some(keys) if missed_none => serving.changed(keys.clone()),
            Some(_) | None => serving.tell(Changes::All),
        }
        // Whoever waits for the rows finds that those who follow the changes know of them.
        current.reached(&said.next);
        true
    }

    async fn take_with_version(&self, view: usize, said: Said) {
        let listener = self.clone();
        let taken = tokio::task::spawn_blocking(move || listener.switch(view, &said)).await;
        if let Ok(Err(error)) = taken {
            let view = self.views[view].view.name();
            tracing::warn!(view, %error, "the version that answers elsewhere cannot be opened here yet");
        }
    }

    fn switch(&self, view: usize, said: &Said) -> Result<(), TablesError> {
        let Some(number) = said.version else {
            return Ok(());
        };
        let registered = &self.views[view];
        let version = self.open(&stored_name(registered.view.as_ref()), number)?;
        version.reached(&said.next);
        version.set_parked(said.parked);
        let mut heard = self.lock();
        if !heard.writes_itself {
            heard.views[view].note(said);
            registered.serving.switch_to(version);
        }
        Ok(())
    }

    fn open(&self, name: &str, number: u32) -> Result<Arc<Version>, TablesError> {
        let opened = self.tables.view(name, number)?;
        opened.refresh()?;
        Ok(Version::new(number, opened, self.partitions))
    }

    /// Whoever writes may be there while the signals are away.
    async fn ask_for_those_who_wait(&self) {
        for version in self.awaited_in_silence() {
            let asked = tokio::task::spawn_blocking(move || {
                version.tables.refresh()?;
                version.reached_what_is_written();
                Ok::<_, TablesError>(())
            });
            if let Ok(Err(error)) = asked.await {
                tracing::debug!(%error, "asking the tables how far a view is");
            }
        }
    }

    /// The versions that somebody waits for and nobody says anything of.
    fn awaited_in_silence(&self) -> Vec<Arc<Version>> {
        let heard = self.lock();
        if heard.writes_itself {
            return vec![];
        }
        let is_silent = |source: &Source| source.at.is_none_or(|at| at.elapsed() > 2 * SAY_AGAIN);
        let silent = self
            .views
            .iter()
            .zip(&heard.views)
            .filter(|(_, source)| is_silent(source));
        silent
            .filter_map(|(registered, _)| registered.serving.current())
            .filter(|version| version.is_awaited())
            .collect()
    }
}

impl Source {
    fn note(&mut self, said: &Said) {
        self.node = Some(said.node.clone());
        self.turn = said.turn;
        self.number = said.number;
        self.at = Some(Instant::now());
    }
}
