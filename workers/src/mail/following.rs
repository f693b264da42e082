//! Follows one partition and has what it asks for sent, several mails at once.

use super::letter::{EVENTS, Letter};
use super::outage::pause_after;
use super::post::Trouble;
use super::{Inner, Mail};
use lettre::message::Mailbox;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::{Address, Message};
use memchr::memmem::Finder;
use serde::Deserialize;
use spool_commands::accounts::PERSONAL;
use spool_domain::accounts::{Account, Active};
use spool_domain::ids::{AccountId, Feature};
use spool_domain::time::Timestamp;
use spool_log::Record;
use spool_platform::keys::KeysError;
use spool_schemas::{CommitRef, DecodeError};
use spool_tables::{Batch, ViewTables};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const READ_BYTES: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(500);
/// From one look at the log to the next, so that we are not woken for each batch of others' facts.
const DISTANCE: Duration = Duration::from_millis(20);
/// Mails of one partition under way; more of them wait in the log.
const UNDER_WAY_MAX: usize = 256;
/// How many records may pass before the checkpoint is written again.
const CHECKPOINT_EVERY: u64 = 1_000;
/// At a stop, mails that are being taken by the server may arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(5);
/// A mail that the server wants to have later is tried so often: for about a quarter of an hour.
const TRIES_MAX: u32 = 20;

static NAMES: LazyLock<[Finder; 2]> = LazyLock::new(|| EVENTS.map(Finder::new));

pub struct Following {
    mail: Mail,
    checkpoints: ViewTables,
    partition: u16,
    stop: CancellationToken,
    /// The offset to read next.
    next: u64,
    /// As it was last written.
    written: u64,
    sending: JoinSet<(u64, Sent)>,
    /// How many mails of the record at an offset are under way.
    under_way: BTreeMap<u64, usize>,
}

/// What became of a mail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It was sent, is of no use any more, or cannot be sent.
    Settled,
    /// It is time to stop, and it is still to be sent.
    Not,
}

impl Following {
    pub fn new(mail: Mail, checkpoints: ViewTables, partition: u16, stop: CancellationToken) -> Self {
        let head = mail.0.parts.log.head(partition);
        let next = checkpoints.checkpoint(partition).min(head);
        Self {
            mail,
            checkpoints,
            partition,
            stop,
            next,
            written: next,
            sending: JoinSet::new(),
            under_way: BTreeMap::new(),
        }
    }

    pub async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.follow() => {}
        }
        let settle_all = async {
            while let Some(sent) = self.sending.join_next().await {
                self.settle(sent);
            }
        };
        // What is cut off here is sent again at the next start.
        let _ = tokio::time::timeout(ARRIVE_WITHIN, settle_all).await;
        self.write_checkpoint().await;
    }

    /// Until the log is closed. May be cut off anywhere.
    async fn follow(&mut self) {
        let mut head = self.mail.0.parts.log.watch(self.partition);
        loop {
            let records = match self.sending.len() < UNDER_WAY_MAX {
                true => self.read().await,
                false => vec![],
            };
            for record in &records {
                self.post(record);
                self.next = record.offset + 1;
            }
            let mut has_settled = false;
            while let Some(sent) = self.sending.try_join_next() {
                self.settle(sent);
                has_settled = true;
            }
            if has_settled || self.settled() - self.written >= CHECKPOINT_EVERY {
                self.write_checkpoint().await;
            }
            if !records.is_empty() {
                tokio::time::sleep(DISTANCE).await;
                continue;
            }
            let (next, has_room) = (self.next, self.sending.len() < UNDER_WAY_MAX);
            tokio::select! {
                Some(sent) = self.sending.join_next() => {
                    self.settle(sent);
                    self.write_checkpoint().await;
                }
                is_open = async { head.wait_for(|head| *head > next).await.is_ok() }, if has_room => {
                    if !is_open {
                        return;
                    }
                }
            }
        }
    }

    async fn read(&self) -> Vec<Record> {
        let (log, partition, from) = (self.mail.0.parts.log.clone(), self.partition, self.next);
        if log.head(partition) <= from {
            return vec![];
        }
        if let Some(records) = log.recent(partition, from, READ_BYTES) {
            return records;
        }
        let read = tokio::task::spawn_blocking(move || log.read(partition, from, READ_BYTES)).await;
        let error = match read {
            Ok(Ok(records)) => return records,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(partition, from, error, "the log cannot be read for mail");
        tokio::time::sleep(PAUSE).await;
        vec![]
    }

    /// Begins to send what the record asks for.
    fn post(&mut self, record: &Record) {
        // Nearly all records ask for nothing, and reading them takes ten times as long as looking for the names.
        if !NAMES.iter().any(|name| name.find(&record.payload).is_some()) {
            return;
        }
        let letters = match letters(record) {
            Ok(letters) => letters,
            Err(error) => {
                let (partition, offset) = (self.partition, record.offset);
                tracing::error!(partition, offset, %error, "a record cannot be read, so no mail is sent for it");
                return;
            }
        };
        for letter in letters {
            let (mail, stop, offset) = (self.mail.clone(), self.stop.clone(), record.offset);
            *self.under_way.entry(offset).or_default() += 1;
            self.sending
                .spawn(async move { (offset, mail.0.deliver(&letter, &stop).await) });
        }
    }

    /// A mail that panicked or was not sent keeps its place, and is sent by whoever comes next.
    fn settle(&mut self, sent: Result<(u64, Sent), tokio::task::JoinError>) {
        match sent {
            Ok((offset, Sent::Settled)) => {
                if let Some(left) = self.under_way.get_mut(&offset) {
                    *left -= 1;
                    if *left == 0 {
                        self.under_way.remove(&offset);
                    }
                }
            }
            Ok((_, Sent::Not)) => {}
            Err(error) => tracing::error!(%error, "sending a mail broke"),
        }
    }

    /// Everything below this offset was sent, or never will be.
    fn settled(&self) -> u64 {
        self.under_way.keys().next().copied().unwrap_or(self.next)
    }

    async fn write_checkpoint(&mut self) {
        let settled = self.settled();
        if settled <= self.written {
            return;
        }
        let (checkpoints, partition) = (self.checkpoints.clone(), self.partition);
        let write = move || {
            let mut batch = Batch::new();
            batch.advance(partition, settled);
            checkpoints.commit(&batch)
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(_)) => self.written = settled,
            Ok(Err(error)) => {
                tracing::warn!(partition, %error, "it was not noted which mail was sent; some may be sent again after a restart");
            }
            Err(error) => tracing::error!(partition, %error, "noting which mail was sent broke"),
        }
    }
}

fn letters(record: &Record) -> Result<Vec<Letter>, DecodeError> {
    let commit = CommitRef::decode(&record.payload)?;
    if commit.stream.feature != Feature::Accounts {
        return Ok(vec![]);
    }
    let mut letters = Vec::new();
    for (version, event) in commit.versioned() {
        if EVENTS.contains(&event.name) {
            letters.extend(Letter::of(AccountId(commit.stream.id), version, &event.decode()?));
        }
    }
    Ok(letters)
}

/// Of what is known of a person, all that a mail needs.
#[derive(Deserialize)]
struct Addressee {
    email: String,
}

impl Inner {
    /// Goes on until there is nothing left to do about the letter.
    async fn deliver(&self, letter: &Letter, stop: &CancellationToken) -> Sent {
        let mut tries = 0;
        loop {
            let wait = async {
                while let Some(until) = self.outage.until() {
                    tokio::time::sleep_until(until).await;
                }
                self.turns.acquire().await
            };
            let turn = tokio::select! {
                () = stop.cancelled() => return Sent::Not,
                turn = wait => turn,
            };
            if self.outage.until().is_some() {
                continue;
            }
            let tried = self.try_to_send(letter).await;
            drop(turn);
            let id = letter.id;
            let count = |outcome| metrics::counter!("spool_mails_total", "outcome" => outcome).increment(1);
            match tried {
                Ok(true) => {
                    count("sent");
                    self.outage.is_over();
                    return Sent::Settled;
                }
                Ok(false) => {
                    count("of_no_use");
                    return Sent::Settled;
                }
                Err(Trouble::Away(reason)) => self.outage.begins(&reason),
                Err(Trouble::Later(reason)) if tries < TRIES_MAX => {
                    self.outage.is_over();
                    tries += 1;
                    tracing::info!(%id, reason, "a mail is tried again later");
                    tokio::select! {
                        () = stop.cancelled() => return Sent::Not,
                        () = tokio::time::sleep(pause_after(tries)) => {}
                    }
                }
                Err(Trouble::Later(reason) | Trouble::Never(reason)) => {
                    count("refused");
                    tracing::warn!(%id, reason, "a mail cannot be sent");
                    return Sent::Settled;
                }
            }
        }
    }

    /// False when it is of no use any more.
    async fn try_to_send(&self, letter: &Letter) -> Result<bool, Trouble> {
        let looked = self
            .parts
            .commands
            .state::<Account>(letter.account.stream())
            .await;
        let (account, _) = looked.map_err(|error| Trouble::Away(error.to_string()))?;
        let Account::Active(active) = account else {
            return Ok(false);
        };
        let now = Timestamp::from_millis(self.parts.clock.now_ms());
        if !letter.is_of_use(&active, now) {
            return Ok(false);
        }
        let Some(email) = self.email(letter.account, &active).await? else {
            return Ok(false);
        };
        let address: Address = email
            .parse()
            .map_err(|_| Trouble::Never("nothing can be sent to an address like that".to_owned()))?;
        let message = self.message(letter, address, now)?;
        self.post.send(message).await.map(|()| true)
    }

    /// Nothing when the person was erased.
    async fn email(&self, account: AccountId, active: &Active) -> Result<Option<String>, Trouble> {
        let (keys, sealed) = (self.parts.keys.clone(), active.personal.0.clone());
        let open = move || keys.open_sealed(account.0, &sealed, PERSONAL);
        let opened = tokio::task::spawn_blocking(open).await;
        match opened.map_err(|error| Trouble::Away(error.to_string()))? {
            Ok(text) => match serde_json::from_slice::<Addressee>(&text) {
                Ok(addressee) => Ok(Some(addressee.email)),
                Err(error) => Err(Trouble::Never(error.to_string())),
            },
            Err(KeysError::Erased) => Ok(None),
            Err(error) => Err(Trouble::Away(error.to_string())),
        }
    }

    /// Headers are put together by the library, which breaks and encodes what would be a header of its own.
    fn message(&self, letter: &Letter, to: Address, now: Timestamp) -> Result<Message, Trouble> {
        let Self { parts, from, .. } = self;
        let wording = letter.wording(&parts.keys, &parts.base_url);
        let since_1970 = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default());
        let by_a_program = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(wording.subject)
            .date(SystemTime::UNIX_EPOCH + since_1970)
            .message_id(Some(format!("<{}@{}>", letter.id, from.email.domain())))
            .raw_header(HeaderValue::new(by_a_program, "auto-generated".to_owned()))
            .multipart(wording.body())
            .map_err(|error| Trouble::Never(error.to_string()))
    }
}
