//! A folder's `MANIFEST.tsv`: one film a line, with what an upload of it must do.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

pub struct Line {
    pub file: String,
    /// `accept`, `reject`, `audio-only`, `…-or-…`.
    pub expected: String,
    /// From the `ffprobe` column, when it says so.
    seconds: Option<f64>,
    is_portrait: Option<bool>,
}

pub enum Outcome {
    Refused { status: u16, reason: String },
    Failed { reason: String },
    Ready { film: Box<Value> },
}

/// Films and sounds; decks are not uploaded as films.
pub fn read(folder: &Path) -> Result<Vec<Line>> {
    let path = folder.join("MANIFEST.tsv");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    let column = |name: &str| {
        header
            .iter()
            .position(|cell| *cell == name)
            .with_context(|| format!("no column {name}"))
    };
    let (file, probe, expected) = (column("file")?, column("ffprobe")?, column("expected_upload")?);
    let films = lines.filter(|cells| cells.len() > expected && !cells[file].starts_with("decks/"));
    Ok(films
        .map(|cells| Line::new(cells[file], cells[probe], cells[expected]))
        .collect())
}

impl Line {
    fn new(file: &str, probe: &str, expected: &str) -> Self {
        let mut words = probe.split([' ', ';']);
        let seconds = words
            .clone()
            .find_map(|word| word.strip_suffix('s')?.parse().ok());
        let size = words.find_map(|word| {
            let (width, height) = word.split_once('x')?;
            Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?))
        });
        let is_turned = probe.contains("rot=90") || probe.contains("rot=-90") || probe.contains("rot=270");
        let is_portrait = size.map(|(width, height)| (width < height) != is_turned);
        Self {
            file: file.to_owned(),
            expected: expected.to_owned(),
            seconds,
            is_portrait,
        }
    }

    /// What is wrong with the outcome, if anything.
    pub fn hold_against(&self, outcome: &Outcome) -> Result<(), String> {
        let reason_is_missing = "refused without a reason a person understands";
        match outcome {
            Outcome::Refused { status, .. } if !(400..500).contains(status) => {
                Err("refused by an accident".into())
            }
            Outcome::Refused { reason, .. } | Outcome::Failed { reason } => match self.may_be_refused() {
                true if reason.len() < 10 => Err(reason_is_missing.into()),
                true => Ok(()),
                false => Err("it should have been accepted".into()),
            },
            Outcome::Ready { film } => match self.expected == "reject" {
                true => Err("it should have been refused".into()),
                false => self.hold_against_film(film),
            },
        }
    }

    fn may_be_refused(&self) -> bool {
        self.expected != "accept"
    }

    fn hold_against_film(&self, film: &Value) -> Result<(), String> {
        if film["hls_url"].is_null() {
            return Err("ready, but it cannot be played".into());
        }
        let is_whole = self.expected != "accept-degraded-or-reject";
        if !is_whole && film["warnings"].as_array().is_none_or(Vec::is_empty) {
            return Err("it is not whole, and nobody is told".into());
        }
        let shown = film["duration_seconds"].as_f64();
        if let (true, Some(seconds), Some(shown)) = (is_whole, self.seconds, shown)
            && (seconds - shown).abs() > 0.5 + seconds * 0.02
        {
            return Err(format!("it lasts {seconds} s, but {shown} s are shown"));
        }
        let (width, height) = (film["width"].as_u64(), film["height"].as_u64());
        match (self.is_portrait, width.zip(height)) {
            (Some(is_portrait), Some((width, height)))
                if width != height && (width < height) != is_portrait =>
            {
                Err(format!("it lies on its side: {width}x{height}"))
            }
            _ => Ok(()),
        }
    }
}

impl Outcome {
    /// The outcome of a film whose job has ended.
    pub fn of(film: Value) -> Self {
        match film["status"].as_str() {
            Some("ready") => Self::Ready { film: Box::new(film) },
            _ => Self::Failed {
                reason: film["error_text"].as_str().unwrap_or_default().to_owned(),
            },
        }
    }

    pub fn shown(&self) -> String {
        match self {
            Self::Refused { status, reason } => format!("refused with {status}: {reason}"),
            Self::Failed { reason } => format!("failed: {reason}"),
            Self::Ready { film } => {
                let names = film["renditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| one["name"].as_str());
                let names: Vec<_> = names.flatten().collect();
                let warnings = film["warnings"].as_array().map_or(0, Vec::len);
                format!(
                    "ready, {} s, {}x{}, {} with {warnings} warnings",
                    film["duration_seconds"],
                    film["width"],
                    film["height"],
                    names.join("+")
                )
            }
        }
    }
}
