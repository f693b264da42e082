//! Disks to break: one whose power can be cut, and one that is small.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// `EXT4_IOC_SHUTDOWN`, `_IOR('X', 125, __u32)`.
const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
/// Neither data nor journal are flushed first: what was not synced is gone.
const NO_LOG_FLUSH: u32 = 2;

/// An ext4 file system in an image file, mounted through a loop device.
pub struct PowerDisk {
    image: PathBuf,
    pub mounted: PathBuf,
}

impl PowerDisk {
    pub fn create(folder: &Path, megabytes: u64) -> Result<Self> {
        let disk = Self {
            image: folder.join("disk.img"),
            mounted: folder.join("disk"),
        };
        std::fs::create_dir_all(&disk.mounted)?;
        disk.format(megabytes)?;
        disk.mount()?;
        Ok(disk)
    }

    /// An empty file system instead of the one there is.
    pub fn renew(&self, megabytes: u64) -> Result<()> {
        unmount(&self.mounted)?;
        self.format(megabytes)?;
        self.mount()
    }

    /// Cuts the power: from now on the file system answers nothing, and keeps only what was synced.
    pub fn cut(&self) -> Result<()> {
        let root = File::open(&self.mounted)?;
        shut_down(&root)
    }

    /// Brings the power back: the journal is replayed. Whoever had files open must be gone.
    pub fn restore(&self) -> Result<()> {
        unmount(&self.mounted)?;
        self.mount()
    }

    fn format(&self, megabytes: u64) -> Result<()> {
        File::create(&self.image)?.set_len(megabytes * 1024 * 1024)?;
        let options = "lazy_itable_init=1,lazy_journal_init=1";
        run("mkfs.ext4", &["-q", "-F", "-E", options], &[&self.image])
    }

    fn mount(&self) -> Result<()> {
        run("mount", &["-o", "loop"], &[&self.image, &self.mounted])
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        let _ = unmount(&self.mounted);
    }
}

/// A file system in memory of a fixed size.
pub struct SmallDisk {
    pub mounted: PathBuf,
}

impl SmallDisk {
    pub fn create(folder: &Path, megabytes: u64) -> Result<Self> {
        let mounted = folder.join("small");
        std::fs::create_dir_all(&mounted)?;
        run(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"],
            &[&mounted],
        )?;
        Ok(Self { mounted })
    }

    /// Fills all but `spare` bytes, with a file that can be removed. The server that is tested writes to the same disk
    /// meanwhile, so what was free a moment ago may not be free any more: then it is measured again.
    pub fn fill_but(&self, spare: u64) -> Result<PathBuf> {
        let filler = self.mounted.join("filler");
        let mut filled = Ok(());
        for _ in 0..10 {
            let free = free_bytes(&self.mounted)?;
            let bytes = free.saturating_sub(spare).to_string();
            filled = run("fallocate", &["-l", &bytes], &[&filler]);
            if filled.is_ok() {
                break;
            }
            // What it had taken before it failed must not count as filled. The failure is what is told, not this one.
            let _ = std::fs::remove_file(&filler);
        }
        filled.map(|()| filler)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(&self.mounted);
    }
}

/// Why disks cannot be mounted here, if they cannot.
pub fn unavailable() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    if !is_root {
        return Some("mounting a disk to break needs root".to_owned());
    }
    let folder = tempfile::tempdir().ok()?;
    match PowerDisk::create(folder.path(), 16) {
        Ok(_disk) => None,
        Err(error) => Some(format!("loop devices cannot be mounted here: {error:#}")),
    }
}

#[expect(
    unsafe_code,
    reason = "no safe wrapper knows this ioctl; it only reads the flag it is given"
)]
fn shut_down(root: &File) -> Result<()> {
    let flag = NO_LOG_FLUSH;
    // SAFETY: the descriptor is open, and the kernel reads four bytes from a pointer that is valid for them.
    let done = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const flag) };
    if done != 0 {
        bail!("EXT4_IOC_SHUTDOWN failed: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

fn free_bytes(folder: &Path) -> Result<u64> {
    let output = Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(folder)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .nth(1)
        .and_then(|line| line.trim().parse().ok())
        .context("df prints the free bytes")
}

/// A killed server's media processes die with it, but not in the same instant, and hold their film until then.
fn unmount(folder: &Path) -> Result<()> {
    let end = std::time::Instant::now() + LET_GO_WITHIN;
    loop {
        match run("umount", &[], &[folder]) {
            Err(error) if error.to_string().contains("busy") && std::time::Instant::now() < end => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            ended => return ended,
        }
    }
}

const LET_GO_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

fn run(program: &str, words: &[&str], paths: &[&Path]) -> Result<()> {
    // Root's programs are not on every PATH.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("env");
    command
        .arg(format!("PATH={path}"))
        .arg(program)
        .args(words)
        .args(paths);
    let output = command
        .output()
        .with_context(|| format!("could not start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
