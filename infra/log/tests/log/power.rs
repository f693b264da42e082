//! Power cuts, simulated: the log is on a file system in an image, which is shut down without writing anything that was
//! not synced, then mounted and opened again. Killing a process cannot show a missing sync; this can, and running it
//! with syncs turned off proves it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use spool_log::{Config, Log};

use crate::suite::{payload, read};

/// A campaign sets SPOOL_LOG_POWER_CUTS to more.
const CUTS: u64 = 24;

/// `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`, once a line comes in: Rust could only do that with unsafe code.
const SHUTDOWN: &str = "import fcntl,os,struct,sys\nfd=os.open(sys.argv[1],os.O_RDONLY)\nprint('ready',flush=True)\n\
                        sys.stdin.readline()\nfcntl.ioctl(fd,0x8004587d,struct.pack('I',2))\n";

#[test]
fn after_a_power_cut_everything_acknowledged_is_there() {
    let Some(disk) = Disk::make() else {
        println!("NOT RUN: power cuts need root, a loop device, mkfs.ext4 and python3");
        return;
    };
    let cuts =
        std::env::var("SPOOL_LOG_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().expect("a number of cuts"));
    let (lost, acknowledged) = cut_often(&disk, cuts, None);
    println!("{cuts} power cuts, {acknowledged} commits acknowledged before them");
    assert_eq!(lost, None);
    assert!(
        acknowledged > cuts,
        "the cuts must come while something is written"
    );
}

#[test]
fn the_same_without_syncs_loses_something() {
    let library = Path::new("/usr/lib/x86_64-linux-gnu/libeatmydata.so");
    let Some(disk) = library.exists().then(Disk::make).flatten() else {
        println!("NOT RUN: needs what power cuts need, and eatmydata");
        return;
    };
    assert_ne!(
        cut_often(&disk, 2 * CUTS, Some(library)).0,
        None,
        "power cuts without syncs must lose something"
    );
}

/// Run by the tests above in a process of its own: appends until the power goes. Alone it does nothing.
#[test]
fn child() {
    let Some(dir) = std::env::var_os("SPOOL_LOG_TEST_POWER") else {
        return;
    };
    let log = Log::open(config(Path::new(&dir))).expect("the log opens");
    for n in log.head(1).. {
        log.append(1, n, vec![payload(n)]).wait().expect("an append");
        println!("acknowledged {n}");
    }
}

/// Says what was lost, if anything, and how much was acknowledged in all.
fn cut_often(disk: &Disk, cuts: u64, preload: Option<&Path>) -> (Option<String>, u64) {
    let mut total = 0;
    for cut in 0..cuts {
        // A new log every third time, since creating one has its own dangers; the times are spread over 0.3 s.
        let dir = disk.mounted().join(format!("logs/{}", cut / 3));
        let acknowledged = run_and_cut(disk, &dir, Duration::from_millis(cut * 37 % 300), preload);
        total += acknowledged;
        disk.mount();
        let opened = Log::open(config(&dir));
        let found = match opened {
            Ok(log) if !log.verify().is_sound() => Err(format!("{:?}", log.verify().problems)),
            Ok(log)
                if (0..)
                    .zip(read(&log, 1, 0))
                    .any(|(n, found)| found != (n, payload(n))) =>
            {
                Err("other commits than were appended".into())
            }
            Ok(log) => Ok(log.head(1)),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(head) if head >= acknowledged => {}
            Ok(head) => {
                return (
                    Some(format!(
                        "cut {cut}: {acknowledged} were acknowledged, {head} are there"
                    )),
                    total,
                );
            }
            Err(problem) => return (Some(format!("cut {cut}: {problem}")), total),
        }
    }
    (None, total)
}

/// The head that is known to be durable from what the child said before the power went.
fn run_and_cut(disk: &Disk, dir: &Path, after: Duration, preload: Option<&Path>) -> u64 {
    let mut switch = disk.switch();
    let mut command = Command::new(std::env::current_exe().expect("a test knows where it is"));
    command
        .args(["--exact", "power::child", "--nocapture", "--test-threads=1"])
        .env("SPOOL_LOG_TEST_POWER", dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    let mut child = command.spawn().expect("the child starts");
    let lines = BufReader::new(child.stdout.take().expect("the output is piped")).lines();
    let listener = std::thread::spawn(move || {
        let numbers = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
        numbers.last().map_or(0, |last: u64| last + 1)
    });
    std::thread::sleep(after);
    switch
        .stdin
        .take()
        .expect("the input is piped")
        .write_all(b"now\n")
        .expect("telling the switch");
    assert!(switch.wait().expect("the switch ends").success());
    // It stopped by itself if it was writing; it may as well be waiting for something.
    let _ = child.kill();
    child.wait().expect("the child ends");
    disk.unmount();
    listener.join().expect("the listener does not panic")
}

fn config(dir: &Path) -> Config {
    Config {
        segment_bytes: 16 << 10,
        memory_bytes: 0,
        mark_after: Duration::from_millis(2),
        ..Config::new(dir)
    }
}

/// An ext4 file system in a file.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn make() -> Option<Self> {
        let disk = Self {
            dir: tempfile::tempdir().expect("a directory for the test"),
        };
        let image = std::fs::File::create(disk.image()).expect("creating the image");
        image.set_len(64 << 20).expect("sizing the image");
        std::fs::create_dir(disk.mounted()).expect("creating the mount point");
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()))
            && run(Command::new("python3").args(["-c", "import fcntl"]))
            && run(&mut disk.mount_command());
        if !made {
            return None;
        }
        Some(disk)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    fn mount_command(&self) -> Command {
        let mut command = Command::new("mount");
        command.args(["-o", "loop"]).arg(self.image()).arg(self.mounted());
        command
    }

    fn mount(&self) {
        assert!(run(&mut self.mount_command()), "mounting the image again");
    }

    fn unmount(&self) {
        assert!(
            run(Command::new("umount").arg(self.mounted())),
            "unmounting the image"
        );
    }

    /// Something that cuts the power as soon as it gets a line.
    fn switch(&self) -> Child {
        let mut switch = Command::new("python3")
            .args(["-c", SHUTDOWN])
            .arg(self.mounted())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let output = switch.stdout.as_mut().expect("the output is piped");
        BufReader::new(output)
            .read_line(&mut String::new())
            .expect("the switch is ready");
        switch
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, because a failed test may still have the log open.
        let _ = run(Command::new("umount").arg("-l").arg(self.mounted()));
    }
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
