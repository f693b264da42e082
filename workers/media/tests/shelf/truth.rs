//! What ffprobe and ffmpeg, asked independently, say of a file.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// One stream of a file.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    pub kind: String,
    pub codec: String,
    pub width: u64,
    pub height: u64,
    pub pixel_format: String,
    pub field_order: String,
    pub transfer: String,
    pub display_aspect: f64,
    pub start: f64,
    pub frames: u64,
    pub channels: u64,
    pub rotation: i64,
    pub is_attached_picture: bool,
}

pub fn ffprobe(arguments: &[&str], file: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(arguments)
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Runs ffmpeg; its log is in the answer's `stderr`.
pub fn ffmpeg(arguments: &[&str]) -> Output {
    Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-y"])
        .args(arguments)
        .output()
        .expect("ffmpeg is installed")
}

/// Decodes all of a file; the answer is what went wrong, empty when nothing did.
pub fn decode_errors(file: &Path) -> String {
    let path = file.to_str().expect("our file names are plain");
    let output = ffmpeg(&["-v", "error", "-xerror", "-i", path, "-f", "null", "-"]);
    let mut errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        errors += "ffmpeg failed";
    }
    errors
}

pub fn streams(file: &Path) -> Vec<Stream> {
    let probed = ffprobe(&["-count_frames", "-show_streams"], file);
    probed["streams"]
        .as_array()
        .map(|streams| streams.iter().map(stream).collect())
        .unwrap_or_default()
}

fn stream(value: &Value) -> Stream {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| text(key).parse().unwrap_or(0.0);
    let (width, height) = (
        value["width"].as_u64().unwrap_or(0),
        value["height"].as_u64().unwrap_or(0),
    );
    let rotation = value["side_data_list"]
        .as_array()
        .and_then(|list| list.iter().find_map(|data| data["rotation"].as_i64()))
        .unwrap_or(0);
    let sample_aspect = ratio(&text("sample_aspect_ratio")).unwrap_or(1.0);
    Stream {
        kind: text("codec_type"),
        codec: text("codec_name"),
        width,
        height,
        pixel_format: text("pix_fmt"),
        field_order: text("field_order"),
        transfer: text("color_transfer"),
        display_aspect: width as f64 * sample_aspect / (height.max(1) as f64),
        start: number("start_time"),
        frames: text("nb_read_frames").parse().unwrap_or(0),
        channels: value["channels"].as_u64().unwrap_or(0),
        rotation,
        is_attached_picture: value["disposition"]["attached_pic"] == 1,
    }
}

fn ratio(text: &str) -> Option<f64> {
    let (width, height) = text.split_once(':')?;
    let (width, height): (f64, f64) = (width.parse().ok()?, height.parse().ok()?);
    (width > 0.0 && height > 0.0).then(|| width / height)
}

/// The presentation time of the first packet in file order, and whether it is a keyframe.
pub fn first_packet(file: &Path) -> Option<(f64, bool)> {
    let probed = ffprobe(&["-read_intervals", "%+#1", "-show_packets"], file);
    let packet = probed["packets"].as_array()?.first()?.clone();
    let time = packet["pts_time"].as_str()?.parse().ok()?;
    Some((time, packet["flags"].as_str()?.starts_with('K')))
}

/// The grey values of a file's first picture.
pub fn first_picture(file: &Path) -> Vec<u8> {
    let path = file.display().to_string();
    ffmpeg(&[
        "-v",
        "error",
        "-i",
        &path,
        "-frames:v",
        "1",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ])
    .stdout
}
