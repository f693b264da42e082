//! Runs `spool-media` on a film and collects what it says.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use spool_media_protocol::{Failed, Finished, Init, Message, Probe, Refusal, Segment, Task, framing};

/// Beside this test or example, which lies one folder below the binaries.
pub fn executable() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_spool-media") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own
        .parent()
        .and_then(Path::parent)
        .expect("examples lie in a folder of their own");
    folder.join("spool-media")
}

/// A rendition as the worker would store it.
#[derive(Debug, Clone, Default)]
pub struct Rendition {
    pub init: Option<Init>,
    pub init_bytes: Vec<u8>,
    pub segments: Vec<(Segment, Vec<u8>)>,
}

impl Rendition {
    /// Playable as a file: the init segment and some of the segments.
    pub fn write(&self, path: &Path, segments: impl Iterator<Item = usize>) {
        let mut bytes = self.init_bytes.clone();
        for n in segments {
            bytes.extend_from_slice(&self.segments[n].1);
        }
        fs::write(path, bytes).expect("the folder of the test is writable");
    }

    pub fn write_all(&self, path: &Path) {
        self.write(path, 0..self.segments.len());
    }

    pub fn init(&self) -> &Init {
        self.init
            .as_ref()
            .expect("a rendition begins with its init segment")
    }
}

/// All that one process said.
#[derive(Debug, Default)]
pub struct Answer {
    pub probe: Option<Probe>,
    pub renditions: BTreeMap<String, Rendition>,
    pub thumbnail: Option<Vec<u8>>,
    pub progress: u32,
    pub finished: Option<Finished>,
    pub refused: Option<Refusal>,
    pub failed: Option<Failed>,
    pub status: Option<ExitStatus>,
}

pub fn start(task: &Task, film: &Path) -> Child {
    start_with(&[], task, film)
}

pub fn start_with(arguments: &[&str], task: &Task, film: &Path) -> Child {
    let film =
        File::open(film).unwrap_or_else(|error| panic!("{} cannot be opened: {error}", film.display()));
    Command::new(executable())
        .args(arguments)
        .arg(serde_json::to_string(task).expect("a task is JSON"))
        .stdin(film)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("spool-media was built beside this program")
}

pub fn run(task: &Task, film: &Path) -> Answer {
    collect(start(task, film))
}

pub fn collect(mut child: Child) -> Answer {
    let mut pipe = io::BufReader::with_capacity(1 << 20, child.stdout.take().expect("the output is piped"));
    let mut answer = Answer::default();
    while let Ok(Some((message, payload))) = framing::read(&mut pipe) {
        match message {
            Message::Probed(probe) => answer.probe = Some(*probe),
            Message::Init(init) => {
                let rendition = answer.renditions.entry(init.rendition.clone()).or_default();
                rendition.init = Some(init);
                rendition.init_bytes = payload;
            }
            Message::Segment(segment) => {
                let rendition = answer.renditions.entry(segment.rendition.clone()).or_default();
                rendition.segments.push((segment, payload));
            }
            Message::Thumbnail(_) => answer.thumbnail = Some(payload),
            Message::Progress(_) => answer.progress += 1,
            Message::Finished(finished) => answer.finished = Some(finished),
            Message::Refused(refusal) => answer.refused = Some(refusal),
            Message::Failed(failed) => answer.failed = Some(failed),
        }
    }
    answer.status = child.wait().ok();
    answer
}
