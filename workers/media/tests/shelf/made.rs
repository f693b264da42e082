//! Films made by ffmpeg on the spot, of shapes that are too large to keep or too odd to find.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::truth;

/// A folder with one film; removed with it.
pub struct Made {
    pub folder: TempDir,
    pub film: PathBuf,
}

/// Runs ffmpeg with the film's path as last argument.
pub fn film(name: &str, arguments: &str) -> Made {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let film = folder.path().join(name);
    make(&film, arguments);
    Made { folder, film }
}

pub fn make(film: &Path, arguments: &str) {
    let path = film.display().to_string();
    let arguments: Vec<&str> = ["-v", "error"]
        .into_iter()
        .chain(arguments.split_whitespace())
        .chain([&*path])
        .collect();
    let output = truth::ffmpeg(&arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The demo film, looped without encoding: a keyframe every 5.28 s, sound in 5.1.
pub fn looped_demo(seconds: u32) -> Made {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/demo/bbb_720p25_aac51.mp4");
    film(
        "looped.mp4",
        &format!(
            "-stream_loop -1 -i {} -c copy -t {seconds} -movflags +faststart",
            demo.display()
        ),
    )
}
