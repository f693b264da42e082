//! Small films made once for a run, and the committed one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

/// A film to upload. Clones share the bytes.
#[derive(Clone)]
pub struct Clip {
    pub name: &'static str,
    pub bytes: Arc<[u8]>,
    pub seconds: f64,
}

pub struct Clips {
    /// A second of 160x90: a few kilobytes, transcoded at once.
    pub tiny: Clip,
    /// Six seconds of 640x360, so that something is usually being transcoded.
    pub small: Clip,
}

impl Clips {
    pub fn make(folder: &Path) -> Result<Self> {
        Ok(Self {
            tiny: made(folder, "tiny.mp4", "160x90", 1)?,
            small: made(folder, "small.mp4", "640x360", 6)?,
        })
    }
}

/// The committed demo film.
pub fn demo_film() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/bbb_720p25_aac51.mp4")
}

fn made(folder: &Path, name: &'static str, size: &str, seconds: u32) -> Result<Clip> {
    let path = folder.join(name);
    let picture = format!("testsrc2=size={size}:rate=24:duration={seconds}");
    let sound = format!("sine=frequency=440:duration={seconds}");
    ffmpeg(
        &[
            "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound, "-pix_fmt", "yuv420p",
        ],
        &path,
    )?;
    Ok(Clip {
        name,
        bytes: std::fs::read(&path)?.into(),
        seconds: f64::from(seconds),
    })
}

/// Runs ffmpeg with words for its inputs and settings, into one file.
pub fn ffmpeg(words: &[&str], into: &Path) -> Result<()> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-y"])
        .args(words)
        .arg(into);
    let output = command.output().context("could not start ffmpeg")?;
    if !output.status.success() {
        bail!(
            "ffmpeg could not make {}: {}",
            into.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
