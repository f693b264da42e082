//! What a worker asks of one spool-media process.

use serde::{Deserialize, Serialize};

use crate::Rung;

/// One process does one task. Every task sends [`crate::Message::Probed`] first, so a worker may begin with
/// [`Task::Remux`] and save a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Say what the film is.
    Probe {
        #[serde(default)]
        limits: Limits,
    },
    Remux(RemuxTask),
    Encode(EncodeTask),
    Thumbnail(ThumbnailTask),
}

impl Task {
    pub fn limits(&self) -> &Limits {
        match self {
            Task::Probe { limits } => limits,
            Task::Remux(task) => &task.limits,
            Task::Encode(task) => &task.limits,
            Task::Thumbnail(task) => &task.limits,
        }
    }
}

/// Copies a browser-safe picture as it is and makes the audio rendition. When the film's picture is not browser-safe
/// ([`crate::SourceUse::None`]) nothing but the probe is sent, and `finished` with no renditions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RemuxTask {
    #[serde(default)]
    pub limits: Limits,
    /// The name of the video rendition; none given: it is named by [`crate::plan`] (`720p`, or `source` for one that
    /// is published for the first minutes only).
    #[serde(default)]
    pub rendition: Option<String>,
    /// The first segment that is missing.
    #[serde(default)]
    pub start_segment: u32,
    /// Where to stop when the source is no rung. A rung is always copied whole.
    #[serde(default = "first_minutes")]
    pub limit_ms: u64,
    /// Make the audio rendition as well, whole, whatever `limit_ms` says.
    #[serde(default)]
    pub audio: Option<AudioTask>,
}

fn first_minutes() -> u64 {
    120_000
}

/// Decodes once and encodes each rung (H.264 High, 8-bit 4:2:0, CMAF).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodeTask {
    #[serde(default)]
    pub limits: Limits,
    pub rungs: Vec<RungTask>,
    /// The audio rendition, if it is to be made in the same pass.
    #[serde(default)]
    pub audio: Option<AudioTask>,
    #[serde(default)]
    pub cut: CutBy,
    /// Threads of each encoder; 0 lets the encoder choose, which measured best.
    #[serde(default)]
    pub encoder_threads: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RungTask {
    #[serde(flatten)]
    pub rung: Rung,
    /// The first segment that is missing.
    #[serde(default)]
    pub start_segment: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioTask {
    /// The first segment that is missing.
    #[serde(default)]
    pub start_segment: u32,
}

/// Where segments begin, the same on every rung.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutBy {
    /// At multiples of 4 s.
    #[default]
    Grid,
    /// Where the copied source rung begins its segments ([`crate::SourceUse::Rung`]).
    SourceKeyframes,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThumbnailTask {
    #[serde(default)]
    pub limits: Limits,
    /// The longer side of the JPEG, in pixels, at most.
    #[serde(default = "thumbnail_width")]
    pub width: u32,
    /// None: at a tenth of the film, past black frames when that is cheap.
    #[serde(default)]
    pub at_ms: Option<u64>,
}

fn thumbnail_width() -> u32 {
    640
}

/// What a film and the process that reads it may take. Each has a default, so `{}` is a whole `Limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub duration_ms_max: u64,
    /// Width times height, of one picture.
    pub pixels_max: u64,
    pub streams_max: u32,
    pub frames_max: u64,
    /// The longest hole between two pictures, or two packets of sound.
    pub gap_ms_max: u64,
    /// CPU seconds of the process (all threads), after which the kernel stops it.
    pub cpu_seconds_max: u64,
    /// Address space of the process. 1 GiB is too small for a ladder.
    pub memory_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            duration_ms_max: 12 * 3600 * 1000,
            pixels_max: 8192 * 4320,
            streams_max: 32,
            frames_max: 12 * 3600 * 60,
            gap_ms_max: 10 * 60 * 1000,
            cpu_seconds_max: 24 * 3600,
            memory_bytes_max: 4 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_needs_nothing_but_its_name() {
        let task: Task = serde_json::from_str(r#"{"task":"remux"}"#).expect("a remux task");
        assert_eq!(
            task,
            Task::Remux(RemuxTask {
                limit_ms: 120_000,
                ..RemuxTask::default()
            })
        );
        assert_eq!(task.limits().duration_ms_max, 43_200_000);
    }
}
