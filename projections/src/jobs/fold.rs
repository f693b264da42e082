//! Folds what happened to jobs into the queue's rows.

use super::{ALL, COUNTS, Counts, JOBS, JobRow, STAGES, Stage};
use crate::facts::Facts;
use crate::reading::by_time;
use crate::rows::Rows;
use crate::view::{View, ViewError};
use spool_domain::ids::Feature;
use spool_domain::jobs::Event;
use spool_domain::time::Timestamp;
use spool_schemas::AnyEvent;
use spool_tables::Position;

pub(crate) struct JobsView;

impl View for JobsView {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn schema(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &[JOBS, STAGES, COUNTS]
    }

    fn changes_of(&self) -> &'static str {
        JOBS
    }

    fn apply(&self, facts: &Facts<'_>, at: Position, rows: &mut Rows) -> Result<(), ViewError> {
        let is_about_the_media = facts.all.iter().all(|fact| changes_nothing(fact.name));
        if facts.stream.feature != Feature::Jobs || is_about_the_media {
            return Ok(());
        }
        let key = facts.stream.id.to_string();
        let row = rows.edit::<JobRow>(JOBS, &key, "")?;
        let before = row.as_ref().map(place);
        for fact in facts.all.iter().filter(|fact| !changes_nothing(fact.name)) {
            if let AnyEvent::Jobs(event) = fact.event()? {
                fold(row, event, facts.time);
            }
        }
        let after = row.as_ref().map(place);
        if before == after {
            return Ok(());
        }
        let mut moved = |place: Option<(&'static str, Timestamp)>, there: bool| {
            let Some((word, requested_at)) = place else {
                return Ok(());
            };
            let sk = by_time(requested_at, facts.stream.id);
            rows.set::<()>(STAGES, word, &sk, there.then_some(()));
            let counts = rows.edit::<Counts>(COUNTS, ALL, &format!("{:05}", at.partition))?;
            count(counts.get_or_insert_default(), word, there);
            Ok::<(), ViewError>(())
        };
        moved(before, false)?;
        moved(after, true)
    }
}

/// Where a job is listed.
const fn place(row: &JobRow) -> (&'static str, Timestamp) {
    (row.stage.word(), row.requested_at)
}

fn count(counts: &mut Counts, word: &str, there: bool) {
    let count = match word {
        Stage::WAITING => &mut counts.pending,
        Stage::LEASED => &mut counts.running,
        "completed" => &mut counts.completed,
        "failed" => &mut counts.failed,
        _ => &mut counts.cancelled,
    };
    *count = if there {
        *count + 1
    } else {
        count.saturating_sub(1)
    };
}

/// Events about what is made, which the queue does not look at; most of a job's events are. A test holds this
/// against [`fold`].
fn changes_nothing(name: &str) -> bool {
    matches!(
        name,
        "JobProbed" | "RenditionStarted" | "SegmentsPublished" | "RenditionFinished" | "ThumbnailMade"
    )
}

fn fold(row: &mut Option<JobRow>, event: &Event, time: Timestamp) {
    if let (None, Event::Requested(requested)) = (&row, event) {
        *row = Some(JobRow {
            video: requested.video,
            owner: requested.owner,
            blob: requested.blob.clone(),
            container: requested.container.clone(),
            stage: Stage::Waiting {
                from: Timestamp::default(),
            },
            attempts: 0,
            error: None,
            requested_at: time,
            started_at: None,
            finished_at: None,
        });
    }
    let Some(row) = row else {
        return;
    };
    match event {
        Event::Requested(_)
        | Event::Probed(_)
        | Event::RenditionStarted(_)
        | Event::SegmentsPublished(_)
        | Event::RenditionFinished(_)
        | Event::ThumbnailMade(_) => {}
        Event::Claimed(claimed) => {
            row.attempts = claimed.attempt;
            row.started_at = row.started_at.or(Some(time));
            row.stage = Stage::Leased {
                worker: claimed.worker.clone(),
                until: claimed.until,
            };
        }
        Event::LeaseRenewed(renewed) => {
            if let Stage::Leased { until, .. } = &mut row.stage {
                *until = renewed.until;
            }
        }
        Event::Completed(_) => {
            row.error = None;
            row.end(Stage::Completed, time);
        }
        Event::AttemptEnded(ended) => {
            row.error = Some((ended.failure.code.clone(), ended.failure.sentence.clone()));
            row.stage = Stage::Waiting { from: ended.again_at };
        }
        Event::Failed(failed) => {
            row.error = Some((failed.failure.code.clone(), failed.failure.sentence.clone()));
            row.end(Stage::Failed, time);
        }
        Event::Cancelled(_) => row.end(Stage::Cancelled, time),
        Event::Restarted(_) => {
            row.error = None;
            row.finished_at = None;
            row.stage = Stage::Waiting {
                from: Timestamp::default(),
            };
        }
    }
}

impl JobRow {
    fn end(&mut self, stage: Stage, time: Timestamp) {
        self.stage = stage;
        self.finished_at = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_schemas::event_types;

    #[test]
    fn every_event_of_a_job_is_folded_or_about_the_media() {
        let folded = [
            "TranscodeRequested",
            "JobClaimed",
            "JobLeaseRenewed",
            "TranscodeCompleted",
            "JobAttemptEnded",
            "TranscodeFailed",
            "JobCancelled",
            "JobRestarted",
        ];
        for event in event_types()
            .iter()
            .filter(|event| event.feature == Feature::Jobs)
        {
            assert_ne!(
                folded.contains(&event.name),
                changes_nothing(event.name),
                "{} is new",
                event.name
            );
        }
    }
}
