//! Folds what happened to videos and their jobs into the catalogue's rows.

use super::row::{JobPart, Published, VideoRow};
use super::segments::{self, Chunk};
use super::video::Original;
use super::{ALL, JOBS, OWNED, PUBLIC, SEGMENTS, VIDEOS};
use crate::facts::Facts;
use crate::reading::by_time;
use crate::rows::Rows;
use crate::view::{View, ViewError};
use serde::{Deserialize, Serialize};
use spool_domain::ids::{AccountId, Feature, JobId, VideoId};
use spool_domain::time::Timestamp;
use spool_domain::{jobs, videos};
use spool_schemas::AnyEvent;
use spool_tables::Position;

pub(crate) struct CatalogueView;

/// The video that a job is for.
#[derive(Debug, Serialize, Deserialize)]
struct VideoOf {
    video: VideoId,
}

/// A place in a list; the key says it all.
type Listed = ();

impl View for CatalogueView {
    fn name(&self) -> &'static str {
        "catalogue"
    }

    fn schema(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &[VIDEOS, JOBS, PUBLIC, OWNED, SEGMENTS]
    }

    fn changes_of(&self) -> &'static str {
        VIDEOS
    }

    fn apply(&self, facts: &Facts<'_>, _at: Position, rows: &mut Rows) -> Result<(), ViewError> {
        if !matches!(facts.stream.feature, Feature::Videos | Feature::Jobs) {
            return Ok(());
        }
        for (version, fact) in (facts.version..).zip(&facts.all) {
            if fact.name == LEASE_RENEWED {
                continue;
            }
            match fact.event()? {
                AnyEvent::Videos(event) => fold_video(facts, version, event, rows)?,
                AnyEvent::Jobs(event) => fold_job(facts, event, rows)?,
                AnyEvent::Accounts(_)
                | AnyEvent::Reservations(_)
                | AnyEvent::Uploads(_)
                | AnyEvent::Views(_) => {}
            }
        }
        Ok(())
    }
}

/// The most frequent event that changes no row here.
const LEASE_RENEWED: &str = "JobLeaseRenewed";

fn fold_video(
    facts: &Facts<'_>,
    version: u64,
    event: &videos::Event,
    rows: &mut Rows,
) -> Result<(), ViewError> {
    let id = VideoId(facts.stream.id);
    if let videos::Event::Deleted(_) = event {
        return delete(id, rows);
    }
    change(id, rows, |row| {
        if let videos::Event::Created(created) = event {
            *row = Some(VideoRow {
                owner: created.owner,
                description: created.description.clone(),
                version,
                created_at: facts.time,
                updated_at: facts.time,
                original: None,
                job: None,
            });
        }
        let Some(row) = row else {
            return Ok(());
        };
        row.version = version;
        row.updated_at = facts.time;
        match event {
            videos::Event::Created(_) | videos::Event::Deleted(_) => {}
            videos::Event::Uploaded(uploaded) => {
                row.original = Some(Original {
                    blob: uploaded.source.blob.clone(),
                    file_name: uploaded.source.file_name.clone(),
                    bytes: uploaded.source.bytes,
                    sha256: uploaded.source.sha256.clone(),
                    container: uploaded.source.container.clone(),
                });
            }
            videos::Event::Described(description) => row.description = description.clone(),
        }
        Ok(())
    })
}

fn fold_job(facts: &Facts<'_>, event: &jobs::Event, rows: &mut Rows) -> Result<(), ViewError> {
    let (id, key) = (JobId(facts.stream.id), facts.stream.id.to_string());
    if let jobs::Event::Requested(requested) = event {
        // A video that was deleted meanwhile needs no job.
        if rows
            .get::<VideoRow>(VIDEOS, &requested.video.to_string(), "")?
            .is_none()
        {
            return Ok(());
        }
        let video = requested.video;
        rows.set(JOBS, &key, "", Some(VideoOf { video }));
        return change(video, rows, |row| {
            if let Some(row) = row {
                row.job = Some(JobPart::new(id));
                row.updated_at = facts.time;
            }
            Ok(())
        });
    }
    let Some(video) = rows.get::<VideoOf>(JOBS, &key, "")?.map(|of| of.video) else {
        return Ok(());
    };
    let mut published = None;
    change(video, rows, |row| {
        if let Some((job, updated_at)) = row
            .as_mut()
            .and_then(|row| Some((row.job.as_mut()?, &mut row.updated_at)))
        {
            published = job.apply(event)?;
            *updated_at = facts.time;
        }
        Ok(())
    })?;
    match published {
        Some(published) => write_segments(video, published, rows),
        None => Ok(()),
    }
}

fn write_segments(video: VideoId, published: Published, rows: &mut Rows) -> Result<(), ViewError> {
    let pk = segments::pk(video, &published.rendition);
    for run in published.runs {
        let chunk = rows.edit::<Chunk>(SEGMENTS, &pk, &segments::sk(run.from))?;
        chunk.get_or_insert_default().append(run)?;
    }
    Ok(())
}

/// Changes a video's row and keeps the lists in step with it.
fn change(
    id: VideoId,
    rows: &mut Rows,
    change: impl FnOnce(&mut Option<VideoRow>) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    let row = rows.edit::<VideoRow>(VIDEOS, &id.to_string(), "")?;
    let before = row.as_ref().map(Place::of);
    change(row)?;
    let after = row.as_ref().map(Place::of);
    if before != after {
        before.iter().for_each(|place| place.list(id, rows, false));
        after.iter().for_each(|place| place.list(id, rows, true));
    }
    Ok(())
}

fn delete(id: VideoId, rows: &mut Rows) -> Result<(), ViewError> {
    let key = id.to_string();
    let mut gone = None;
    change(id, rows, |row| {
        gone = row.take();
        Ok(())
    })?;
    let Some(job) = gone.and_then(|row| row.job) else {
        return Ok(());
    };
    rows.set::<VideoOf>(JOBS, &job.id.to_string(), "", None);
    for state in &job.renditions {
        let pk = format!("{key}/{}", state.name);
        for sk in segments::sks(state.segments) {
            rows.set::<Chunk>(SEGMENTS, &pk, &sk, None);
        }
    }
    Ok(())
}

/// Where a video is listed.
#[derive(PartialEq)]
struct Place {
    owner: AccountId,
    created_at: Timestamp,
    listed: bool,
}

impl Place {
    fn of(row: &VideoRow) -> Self {
        Self {
            owner: row.owner,
            created_at: row.created_at,
            listed: row.is_listed(),
        }
    }

    fn list(&self, id: VideoId, rows: &mut Rows, there: bool) {
        let key = by_time(self.created_at, id.0);
        rows.set::<Listed>(OWNED, &self.owner.to_string(), &key, there.then_some(()));
        if self.listed {
            rows.set::<Listed>(PUBLIC, ALL, &key, there.then_some(()));
        }
    }
}
