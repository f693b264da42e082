//! The analytics view: what happened on each day (UTC).
//!
//! A row for each day and log partition, so that every row is made from one partition; they are summed when read.

use crate::error::QueryError;
use crate::facts::{Fact, Facts};
use crate::reading::decode;
use crate::rows::Rows;
use crate::runtime::Serving;
use crate::view::{View, ViewError};
use serde::{Deserialize, Serialize};
use spool_domain::ids::Feature;
use spool_domain::{accounts, jobs, uploads, videos};
use spool_schemas::AnyEvent;
use spool_tables::{Order, Position};
use std::fmt::Write;
use std::ops::{AddAssign, Bound, Deref};
use std::sync::Arc;

const DAYS: &str = "days";
/// All days are one range of keys.
const ALL: &str = "all";
const ROWS_MAX: usize = 1_000_000;

/// Answers what happened on which day. Blocking.
#[derive(Clone)]
pub struct Analytics(Arc<Serving>);

/// What happened on one day.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Day {
    /// UTC, `YYYY-MM-DD`.
    pub date: String,
    pub videos_created: u64,
    pub uploads: u64,
    /// Of the uploaded files.
    pub bytes: u64,
    /// Of film whose transcode was completed.
    pub minutes_transcoded: f64,
    pub jobs_completed: u64,
    pub jobs_failed: u64,
    pub registrations: u64,
}

/// One day's sums of one log partition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    videos_created: u64,
    uploads: u64,
    bytes: u64,
    transcoded_ms: u64,
    jobs_completed: u64,
    jobs_failed: u64,
    registrations: u64,
}

impl Analytics {
    pub(crate) const fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    /// The days `from` to `to` (both `YYYY-MM-DD`, both included) on which anything happened, in order.
    pub fn days(&self, from: &str, to: &str) -> Result<Vec<Day>, QueryError> {
        let tables = &self.version()?.tables;
        let last = format!("{to}/~");
        let bounds = (Bound::Included(from), Bound::Included(last.as_str()));
        let mut days: Vec<(String, Sums)> = vec![];
        for row in tables.range(DAYS, ALL, bounds, Order::Ascending, ROWS_MAX)? {
            let sums: Sums = decode(DAYS, &row.value)?;
            let date = row.sk.split('/').next().unwrap_or_default();
            match days.last_mut() {
                Some((last, total)) if last == date => *total += sums,
                _ => days.push((date.to_owned(), sums)),
            }
        }
        Ok(days.into_iter().map(|(date, sums)| sums.day(date)).collect())
    }
}

impl Deref for Analytics {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.0
    }
}

impl Sums {
    #[expect(
        clippy::cast_precision_loss,
        reason = "minutes for people; the milliseconds stay exact in the rows"
    )]
    fn day(self, date: String) -> Day {
        Day {
            date,
            videos_created: self.videos_created,
            uploads: self.uploads,
            bytes: self.bytes,
            minutes_transcoded: self.transcoded_ms as f64 / 60_000.0,
            jobs_completed: self.jobs_completed,
            jobs_failed: self.jobs_failed,
            registrations: self.registrations,
        }
    }

    /// What one event adds.
    fn of(fact: &Fact<'_>) -> Result<Self, ViewError> {
        let mut sums = Self::default();
        match fact.event()? {
            AnyEvent::Accounts(accounts::Event::Registered(_)) => sums.registrations = 1,
            AnyEvent::Accounts(_) => {}
            AnyEvent::Uploads(event) => match event {
                uploads::Event::Received(received) => {
                    sums.uploads = 1;
                    sums.bytes = received.source.bytes;
                }
            },
            AnyEvent::Videos(event) => match event {
                videos::Event::Created(_) => sums.videos_created = 1,
                videos::Event::Uploaded(_) | videos::Event::Described(_) | videos::Event::Deleted(_) => {}
            },
            AnyEvent::Jobs(event) => match event {
                jobs::Event::Completed(completed) => {
                    sums.jobs_completed = 1;
                    sums.transcoded_ms = completed.duration_ms;
                }
                jobs::Event::Failed(_) => sums.jobs_failed = 1,
                jobs::Event::Requested(_)
                | jobs::Event::Claimed(_)
                | jobs::Event::LeaseRenewed(_)
                | jobs::Event::Probed(_)
                | jobs::Event::RenditionStarted(_)
                | jobs::Event::SegmentsPublished(_)
                | jobs::Event::RenditionFinished(_)
                | jobs::Event::ThumbnailMade(_)
                | jobs::Event::AttemptEnded(_)
                | jobs::Event::Cancelled(_)
                | jobs::Event::Restarted(_) => {}
            },
            AnyEvent::Reservations(_) | AnyEvent::Views(_) => {}
        }
        Ok(sums)
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.videos_created += other.videos_created;
        self.uploads += other.uploads;
        self.bytes += other.bytes;
        self.transcoded_ms += other.transcoded_ms;
        self.jobs_completed += other.jobs_completed;
        self.jobs_failed += other.jobs_failed;
        self.registrations += other.registrations;
    }
}

pub(crate) struct AnalyticsView;

impl View for AnalyticsView {
    fn name(&self) -> &'static str {
        "analytics"
    }

    fn schema(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &[DAYS]
    }

    fn changes_of(&self) -> &'static str {
        DAYS
    }

    fn apply(&self, facts: &Facts<'_>, at: Position, rows: &mut Rows) -> Result<(), ViewError> {
        if matches!(facts.stream.feature, Feature::Reservations | Feature::Views) {
            return Ok(());
        }
        let mut key = String::new();
        for fact in facts.all.iter().filter(|fact| !adds_nothing(fact.name)) {
            let sums = Sums::of(fact)?;
            if key.is_empty() {
                key = facts.time.date();
                write!(key, "/{:05}", at.partition).expect("a string takes all text");
            }
            *rows.edit::<Sums>(DAYS, ALL, &key)?.get_or_insert_default() += sums;
        }
        Ok(())
    }
}

/// Events that are not worth decoding, which most of a log is made of. A test holds this against [`Sums::of`].
fn adds_nothing(name: &str) -> bool {
    matches!(
        name,
        "RegistrationVoided"
            | "SessionStarted"
            | "SessionRefreshed"
            | "SessionEnded"
            | "PasswordChanged"
            | "PasswordResetRequested"
            | "EmailConfirmationRequested"
            | "EmailConfirmed"
            | "ProfileChanged"
            | "NameGivenUp"
            | "PreferencesChanged"
            | "AvatarChanged"
            | "AvatarRemoved"
            | "RoleChanged"
            | "UserDisabled"
            | "UserEnabled"
            | "UserDeleted"
            | "UserRestored"
            | "UserErased"
            | "ApiKeyCreated"
            | "ApiKeyRevoked"
            | "IdentityLinked"
            | "IdentityUnlinked"
            | "VideoUploaded"
            | "VideoDescribed"
            | "VideoDeleted"
            | "TranscodeRequested"
            | "JobClaimed"
            | "JobLeaseRenewed"
            | "JobProbed"
            | "RenditionStarted"
            | "SegmentsPublished"
            | "RenditionFinished"
            | "ThumbnailMade"
            | "JobAttemptEnded"
            | "JobCancelled"
            | "JobRestarted"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_schemas::event_types;

    #[test]
    fn every_event_that_is_passed_over_is_known_and_about_nothing_that_is_counted() {
        let counted = [
            "UserRegistered",
            "UploadReceived",
            "VideoCreated",
            "TranscodeCompleted",
            "TranscodeFailed",
        ];
        for event in event_types() {
            let elsewhere = matches!(event.feature, Feature::Reservations | Feature::Views);
            let named = [adds_nothing(event.name), counted.contains(&event.name), elsewhere];
            assert_eq!(
                named.iter().filter(|it| **it).count(),
                1,
                "{} is new: count it or pass it over",
                event.name
            );
        }
    }
}
