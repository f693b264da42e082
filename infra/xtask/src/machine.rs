//! What a figure needs beside it: cores, processor, disk, kernel and load. Never the host's name.

use std::fs;
use std::path::Path;
use std::process::Command;

pub struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_gib: u64,
    pub kernel: String,
    pub disk: String,
    pub load: String,
}

/// Looks at this machine; `folder` is where the measured programs write.
pub fn look(folder: &Path) -> Machine {
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        processor: first_after("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
        memory_gib: first_after("/proc/meminfo", "MemTotal")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
            .map_or(0, |kib| kib.div_ceil(1024 * 1024)),
        kernel: read("/proc/sys/kernel/osrelease"),
        disk: disk_below(folder),
        load: read("/proc/loadavg")
            .split(' ')
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn first_after(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The file system of the folder, and whether the device below it turns.
fn disk_below(folder: &Path) -> String {
    let output = Command::new("df")
        .args(["--output=source,fstype"])
        .arg(folder)
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let mut words = text.lines().nth(1).unwrap_or_default().split_whitespace();
    let (source, kind) = (
        words.next().unwrap_or(""),
        words.next().unwrap_or("unknown file system"),
    );
    let device = source
        .trim_start_matches("/dev/")
        .trim_end_matches(|letter: char| letter.is_ascii_digit());
    let turning = match read(&format!("/sys/block/{device}/queue/rotational")).as_str() {
        "0" => "solid state",
        "1" if device.starts_with("vd") => "virtual",
        "1" => "rotating",
        _ => "of unknown kind",
    };
    format!("{kind} on a disk that is {turning}")
}
