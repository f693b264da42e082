//! CPU of a transcode by spool-media beside one ffmpeg command with a split filter at the same settings.
//!
//! `cargo run --release -p spool-media --example bench_transcode -- [--rounds N] [--seconds N]`. Rounds alternate and
//! medians are compared. Prints one JSON object a line; `ratio` is ours through theirs.
#![expect(
    unsafe_code,
    reason = "wait4 is the only way to learn what one child has used"
)]

#[path = "../tests/shelf/mod.rs"]
mod shelf;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use spool_media_protocol::{
    AudioTask, CutBy, EncodeTask, Limits, Plan, Probe, RemuxTask, Rung, RungTask, Task, ladder, plan,
};

use shelf::{media, truth};

fn main() {
    let rounds = number_after("--rounds").unwrap_or(3);
    let seconds = number_after("--seconds").unwrap_or(60);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let film = looped_demo(folder.path(), seconds);
    let probe = media::run(
        &Task::Probe {
            limits: Limits::default(),
        },
        &film,
    )
    .probe
    .expect("the demo film is a film");
    let rungs = ladder(&probe);
    let [lowest, others @ ..] = rungs.as_slice() else {
        panic!("a film has rungs")
    };
    let (mut one_command, mut all_encoded, mut source_copied) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // The order changes, so that neither always has the warmer machine.
        if round % 2 == 0 {
            one_command.push(ffmpeg_cpu(&film, &rungs, folder.path()));
            all_encoded.push(our_passes(&film, lowest, others));
        } else {
            all_encoded.push(our_passes(&film, lowest, others));
            one_command.push(ffmpeg_cpu(&film, &rungs, folder.path()));
        }
        source_copied.push(with_source_copied(&film, &probe));
        eprintln!("round {round}: {one_command:?} {all_encoded:?} {source_copied:?}");
    }
    let (theirs, ours, copied) = (median(one_command), median(all_encoded), median(source_copied));
    let names: Vec<&str> = rungs.iter().map(|rung| rung.name.as_str()).collect();
    let what = format!("{} of {seconds} s", names.join(" + "));
    figure(&format!("one ffmpeg command, {what}"), theirs, None, None);
    figure(
        &format!("spool-media, lowest lane apart, {what}"),
        ours,
        Some(ours / theirs),
        Some(1.12),
    );
    figure(
        &format!("spool-media, source rung copied, {what}"),
        copied,
        Some(copied / theirs),
        None,
    );
}

fn number_after(flag: &str) -> Option<u32> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1)?.parse().ok()
}

fn figure(name: &str, value: f64, ratio: Option<f64>, goal: Option<f64>) {
    println!(
        "{}",
        json!({"bench": "transcode", "figure": name, "value": value, "unit": "CPU s", "ratio": ratio, "goal": goal})
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn looped_demo(folder: &Path, seconds: u32) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/demo/bbb_720p25_aac51.mp4");
    let film = folder.join("film.mp4");
    let (demo, path, seconds) = (
        demo.display().to_string(),
        film.display().to_string(),
        seconds.to_string(),
    );
    let made = truth::ffmpeg(&[
        "-v",
        "error",
        "-stream_loop",
        "-1",
        "-i",
        &demo,
        "-c",
        "copy",
        "-t",
        &seconds,
        &path,
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    film
}

/// The lowest rung with the sound, then the others from one decode.
fn our_passes(film: &Path, lowest: &Rung, others: &[Rung]) -> f64 {
    let first = encode(
        std::slice::from_ref(lowest),
        Some(AudioTask::default()),
        CutBy::Grid,
    );
    let mut cpu = our_cpu(&first, film);
    if !others.is_empty() {
        cpu += our_cpu(&encode(others, None, CutBy::Grid), film);
    }
    cpu
}

/// What really happens to a browser-safe film.
fn with_source_copied(film: &Path, probe: &Probe) -> f64 {
    let Plan { rungs, cut, .. } = plan(probe);
    let remux = RemuxTask {
        audio: Some(AudioTask::default()),
        limit_ms: 120_000,
        ..RemuxTask::default()
    };
    let mut cpu = our_cpu(&Task::Remux(remux), film);
    let (lowest, others) = rungs.split_at(rungs.len().min(1));
    for part in [lowest, others] {
        if !part.is_empty() {
            cpu += our_cpu(&encode(part, None, cut), film);
        }
    }
    cpu
}

fn encode(rungs: &[Rung], audio: Option<AudioTask>, cut: CutBy) -> Task {
    Task::Encode(EncodeTask {
        limits: Limits::default(),
        rungs: rungs
            .iter()
            .map(|rung| RungTask {
                rung: rung.clone(),
                start_segment: 0,
            })
            .collect(),
        audio,
        cut,
        encoder_threads: 0,
    })
}

fn our_cpu(task: &Task, film: &Path) -> f64 {
    let mut child = media::start(task, film);
    let mut pipe = child.stdout.take().expect("the output is piped");
    let mut buffer = vec![0; 1 << 20];
    while pipe.read(&mut buffer).expect("the pipe is readable") > 0 {}
    cpu_seconds(child)
}

/// One command that makes the same renditions: same scaling, encoder, rates and keyframes, as HLS with fMP4 segments.
fn ffmpeg_cpu(film: &Path, rungs: &[Rung], folder: &Path) -> f64 {
    let output = folder.join("hls");
    fs::create_dir_all(&output).expect("the folder of the bench is writable");
    let mut graph = format!("[0:v]split={}", rungs.len());
    (0..rungs.len()).for_each(|n| graph += &format!("[s{n}]"));
    for (n, rung) in rungs.iter().enumerate() {
        let (width, height, (x, y)) = (rung.width, rung.height, rung.sample_aspect);
        graph += &format!(";[s{n}]scale={width}:{height}:flags=bicubic,format=yuv420p,setsar={x}/{y}[v{n}]");
    }
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .arg(film)
        .args(["-filter_complex", &graph]);
    let mut map = String::new();
    for (n, rung) in rungs.iter().enumerate() {
        command.args(["-map", &format!("[v{n}]")]);
        command.args([&format!("-crf:v:{n}"), &rung.crf.to_string()]);
        command.args([&format!("-maxrate:v:{n}"), &rung.bit_rate_max.to_string()]);
        command.args([&format!("-bufsize:v:{n}"), &rung.buffer_bits.to_string()]);
        map += &format!("v:{n},agroup:sound ");
    }
    command.args([
        "-map",
        "0:a",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-profile:v",
        "high",
    ]);
    command.args([
        "-sc_threshold",
        "0",
        "-flags",
        "+cgop",
        "-x264-params",
        "keyint=infinite",
    ]);
    command.args([
        "-force_key_frames",
        "expr:gte(t,n_forced*4)",
        "-c:a",
        "aac",
        "-ac",
        "2",
        "-ar",
        "48000",
    ]);
    command.args([
        "-b:a",
        "128k",
        "-f",
        "hls",
        "-hls_time",
        "4",
        "-hls_playlist_type",
        "vod",
    ]);
    command
        .args(["-hls_segment_type", "fmp4", "-hls_segment_filename"])
        .arg(output.join("%v_%d.m4s"));
    command
        .args(["-var_stream_map", &format!("{map}a:0,agroup:sound")])
        .arg(output.join("%v.m3u8"));
    let child = command.stdin(Stdio::null()).spawn().expect("ffmpeg is installed");
    cpu_seconds(child)
}

/// Waits for a child and answers its user and system time, all threads. It must have succeeded.
fn cpu_seconds(child: Child) -> f64 {
    let id = i32::try_from(child.id()).expect("process ids are small");
    let mut status = 0;
    // SAFETY: the child is ours and nobody else waits for it; both structures are valid as all zeros.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(
            libc::wait4(id, &raw mut status, 0, &raw mut usage),
            id,
            "the child can be waited for"
        );
        usage
    };
    assert_eq!(status, 0, "the child succeeded");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
