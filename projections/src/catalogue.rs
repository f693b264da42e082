//! The catalogue: every video with what became of it, the lists of them, and what the playlists are made of.

mod fold;
mod renditions;
mod row;
mod segments;
mod video;

use crate::error::QueryError;
use crate::reading::{cursor, decode, id_of, place, row};
use crate::runtime::Serving;
use row::VideoRow;
use spool_domain::ids::{AccountId, JobId, VideoId};
use spool_domain::media::Segment;
use spool_tables::{Order, ViewTables};
use std::ops::{Bound, Deref};
use std::sync::Arc;

pub(crate) use fold::CatalogueView;
pub use renditions::RenditionState;
pub use segments::Run;
pub use video::{Original, RenditionSummary, Status, Video, VisibilityWord};

const VIDEOS: &str = "videos";
/// Video of a job.
const JOBS: &str = "jobs";
/// By creation, for everybody.
const PUBLIC: &str = "public_videos";
const ALL: &str = "all";
/// By owner, then by creation.
const OWNED: &str = "owned_videos";
const SEGMENTS: &str = "segments";
/// How many videos are read at once.
const STEP: usize = 200;

/// Answers about videos. Blocking.
#[derive(Clone)]
pub struct Catalogue(Arc<Serving>);

/// What to list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    pub of: Of,
    /// From an earlier page; the list goes on after it.
    pub cursor: Option<String>,
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// What everybody may find: public videos, unless they failed with nothing to play.
    Public,
    /// Everything of one person, whatever its visibility.
    Owner(AccountId),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub items: Vec<Video>,
    /// None at the end of the list.
    pub next_cursor: Option<String>,
}

/// What a person has in the catalogue, in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Owned {
    pub videos: u64,
    /// Of them those whose film has come.
    pub uploads: u64,
    pub bytes: u64,
    /// As far as they have been measured.
    pub duration_seconds: f64,
}

/// What a master playlist is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    pub video: VideoId,
    pub job: JobId,
    /// Whether the job has ended, so that nothing will be added.
    pub over: bool,
    pub renditions: Vec<RenditionState>,
}

/// What a media playlist is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct RenditionMedia {
    pub video: VideoId,
    pub job: JobId,
    pub state: RenditionState,
    pub over: bool,
    /// In order, without gaps, each by one attempt.
    pub runs: Vec<Run>,
}

/// Where one segment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPlace {
    pub attempt: u32,
    pub job: JobId,
    /// The key of its blob.
    pub blob: String,
    pub duration_ms: u32,
    pub bytes: u32,
}

impl Catalogue {
    pub(crate) const fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    /// None when it never existed or was deleted.
    pub fn video(&self, id: VideoId) -> Result<Option<Video>, QueryError> {
        let found = video_row(&self.version()?.tables, id)?;
        Ok(found.map(|row| row.video(id)))
    }

    pub fn list(&self, list: &List) -> Result<Page, QueryError> {
        let tables = &self.version()?.tables;
        let after = list.cursor.as_deref().map(place).transpose()?;
        let older = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let (table, pk) = match list.of {
            Of::Public => (PUBLIC, ALL.to_owned()),
            Of::Owner(owner) => (OWNED, owner.to_string()),
        };
        // One more than asked for tells whether the list goes on.
        let bounds = (Bound::Unbounded, older);
        let mut keys = tables.range(
            table,
            &pk,
            bounds,
            Order::Descending,
            list.limit.saturating_add(1),
        )?;
        let goes_on = keys.len() > list.limit;
        keys.truncate(list.limit);
        let mut items = Vec::with_capacity(keys.len());
        for id in keys.iter().filter_map(|key| id_of(&key.sk)).map(VideoId) {
            // Deleted between the two reads: as if the list had been read later.
            items.extend(video_row(tables, id)?.map(|row| row.video(id)));
        }
        let last = keys.last().filter(|_| goes_on);
        Ok(Page {
            items,
            next_cursor: last.map(|key| cursor(&key.sk)),
        })
    }

    /// Looks through all that the person has.
    pub fn owned(&self, owner: AccountId) -> Result<Owned, QueryError> {
        let mut owned = Owned::default();
        self.each_of(owner, |video| {
            owned.videos += 1;
            owned.uploads += u64::from(video.file_size.is_some());
            owned.bytes += video.file_size.unwrap_or(0);
            owned.duration_seconds += video.duration_seconds.unwrap_or(0.0);
        })?;
        Ok(owned)
    }

    /// All videos of a person.
    pub fn ids_of(&self, owner: AccountId) -> Result<Vec<VideoId>, QueryError> {
        let mut ids = vec![];
        self.each_of(owner, |video| ids.push(video.id))?;
        Ok(ids)
    }

    fn each_of(&self, owner: AccountId, mut told: impl FnMut(Video)) -> Result<(), QueryError> {
        let mut list = List {
            of: Of::Owner(owner),
            cursor: None,
            limit: STEP,
        };
        loop {
            let page = self.list(&list)?;
            page.items.into_iter().for_each(&mut told);
            list.cursor = page.next_cursor;
            if list.cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// None for a video that is not there or has no job yet.
    pub fn media(&self, id: VideoId) -> Result<Option<Media>, QueryError> {
        let found = video_row(&self.version()?.tables, id)?;
        Ok(found.and_then(|row| row.media(id)))
    }

    /// One rendition with all its segments.
    pub fn rendition(&self, id: VideoId, name: &str) -> Result<Option<RenditionMedia>, QueryError> {
        let tables = &self.version()?.tables;
        let Some((state, media)) = rendition(tables, id, name)? else {
            return Ok(None);
        };
        let all = (Bound::Unbounded, Bound::Unbounded);
        let pk = segments::pk(id, name);
        let mut runs: Vec<Run> = vec![];
        for chunk in tables.range(SEGMENTS, &pk, all, Order::Ascending, usize::MAX)? {
            for run in decode::<segments::Chunk>(SEGMENTS, &chunk.value)?.runs {
                run.append_to(&mut runs);
            }
        }
        // The chunks may have grown since the row was read.
        segments::truncate(&mut runs, state.segments);
        let Media { video, job, over, .. } = media;
        Ok(Some(RenditionMedia {
            video,
            job,
            state,
            over,
            runs,
        }))
    }

    /// Where segment `index` of a rendition is; none while it is not published.
    pub fn segment(&self, id: VideoId, name: &str, index: u32) -> Result<Option<SegmentPlace>, QueryError> {
        let tables = &self.version()?.tables;
        let Some((state, media)) = rendition(tables, id, name)? else {
            return Ok(None);
        };
        if index >= state.segments {
            return Ok(None);
        }
        let (pk, sk) = (segments::pk(id, name), segments::sk(index));
        let chunk: Option<segments::Chunk> = row(tables, SEGMENTS, &pk, &sk)?;
        let Some((attempt, Segment { duration_ms, bytes })) = chunk.and_then(|chunk| chunk.find(index))
        else {
            return Ok(None);
        };
        let folder = folder(id, media.job, attempt, name);
        Ok(Some(SegmentPlace {
            attempt,
            job: media.job,
            blob: format!("{folder}/{index}.m4s"),
            duration_ms,
            bytes,
        }))
    }

    /// The blob of the initialisation segment that `attempt`'s segments need; none if it published none.
    pub fn init_blob(&self, id: VideoId, name: &str, attempt: u32) -> Result<Option<String>, QueryError> {
        let found = rendition(&self.version()?.tables, id, name)?;
        let found = found.filter(|(state, _)| state.attempts.contains(&attempt));
        Ok(found.map(|(_, media)| format!("{}/init.mp4", folder(id, media.job, attempt, name))))
    }
}

impl Deref for Catalogue {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.0
    }
}

fn video_row(tables: &ViewTables, id: VideoId) -> Result<Option<VideoRow>, QueryError> {
    row(tables, VIDEOS, &id.to_string(), "")
}

fn rendition(
    tables: &ViewTables,
    id: VideoId,
    name: &str,
) -> Result<Option<(RenditionState, Media)>, QueryError> {
    let media = video_row(tables, id)?.and_then(|row| row.media(id));
    Ok(media.and_then(|media| {
        let state = media.renditions.iter().find(|state| state.name == name)?;
        Some((state.clone(), media))
    }))
}

impl RenditionMedia {
    /// Where an attempt keeps its files among the blobs: `init.mp4`, and `{number}.m4s` for each segment.
    pub fn folder(&self, attempt: u32) -> String {
        folder(self.video, self.job, attempt, &self.state.name)
    }
}

/// Where a job's attempt keeps a rendition.
fn folder(video: VideoId, job: JobId, attempt: u32, name: &str) -> String {
    format!("renditions/{video}/{job}/{attempt}/{name}")
}
