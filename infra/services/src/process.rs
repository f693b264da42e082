//! One server's process: started by its script, watched, paused, killed.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Failed, places, waiting};

/// Generous, because a JVM on a busy machine with two cores is slow. Whoever waits this long is told why.
const READY_WITHIN: Duration = Duration::from_secs(180);
const PAUSED_WITHIN: Duration = Duration::from_secs(10);
const TAIL_LINES: usize = 25;

pub struct Process {
    what: String,
    child: Child,
    /// While this end is open the server may live: the watcher that the script started beside it reads the other end
    /// (`end_with_starter` in `places.sh`). A signal on the death of the parent would not do, since it is sent when the
    /// *thread* that started the server ends.
    leash: ChildStdin,
    output: PathBuf,
    paused: bool,
}

impl Process {
    /// Runs `infra/services/SCRIPT DATA WORDS...`, which becomes the server.
    pub fn start(what: &str, script: &str, data: &Path, words: &[String]) -> Result<Self, Failed> {
        std::fs::create_dir_all(data).map_err(Failed::doing(format!("make {}", data.display())))?;
        let output = data.join("output.txt");
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&output)
            .map_err(Failed::doing(format!("write {}", output.display())))?;
        let written_too = written
            .try_clone()
            .map_err(Failed::doing(format!("write {}", output.display())))?;
        let mut child = Command::new(places::scripts().join(script))
            .arg(data)
            .args(words)
            .env("SPOOL_TIED", "1")
            .stdin(Stdio::piped())
            .stdout(written)
            .stderr(written_too)
            // A Ctrl-C in the terminal is for the tests; what they started ends when they have.
            .process_group(0)
            .spawn()
            .map_err(Failed::doing(format!("start infra/services/{script}")))?;
        let leash = child
            .stdin
            .take()
            .expect("the child was started with its input piped");
        Ok(Self {
            what: what.to_owned(),
            child,
            leash,
            output,
            paused: false,
        })
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Returns when no thread of the server runs any more. The signal alone promises that for some time later only.
    pub fn pause(&mut self) -> Result<(), Failed> {
        self.signal(Signal::STOP)?;
        self.paused = true;
        if !waiting::until(PAUSED_WITHIN, || all_threads_stand_still(self.child.id())) {
            return Err(Failed::because(format!("{} did not pause", self.what)));
        }
        Ok(())
    }

    pub fn resume(&mut self) -> Result<(), Failed> {
        self.signal(Signal::CONT)?;
        self.paused = false;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), Failed> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(Failed::doing(format!("send a signal to {}", self.what)))
    }

    /// What to say when the server ended by itself.
    fn ended(&mut self) -> Option<Failed> {
        let status = self.child.try_wait().ok().flatten()?;
        let (what, tail) = (&self.what, self.tail());
        Some(Failed::because(format!(
            "{what} ended while starting ({status}); the last it said:\n{tail}"
        )))
    }

    /// The end of what the server wrote.
    fn tail(&self) -> String {
        let written = std::fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&written);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// Waits until the servers are seen to serve. An error at once when one of them ends instead.
pub fn wait_until(processes: &mut [&mut Process], mut serve: impl FnMut() -> bool) -> Result<(), Failed> {
    let mut ended = None;
    let in_time = waiting::until(READY_WITHIN, || {
        ended = processes.iter_mut().find_map(|process| process.ended());
        ended.is_some() || serve()
    });
    if let Some(ended) = ended {
        return Err(ended);
    }
    if in_time {
        return Ok(());
    }
    let late = processes.iter().map(|process| {
        let (what, seconds, tail) = (&process.what, READY_WITHIN.as_secs(), process.tail());
        format!("{what} did not serve within {seconds} s; the last it said:\n{tail}")
    });
    Err(Failed::because(late.collect::<Vec<_>>().join("\n\n")))
}

fn all_threads_stand_still(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return false;
    };
    threads.flatten().all(|thread| {
        // A thread that has just ended has no status, and does not run either.
        std::fs::read_to_string(thread.path().join("status"))
            .map_or(true, |status| status.contains("\nState:\tT"))
    })
}

/// SIGKILL, also when paused.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // The watcher is let go before the dead child is collected: only until then is its number surely still its own.
        let _ = self.leash.write_all(b"released\n");
        let _ = self.child.wait();
    }
}
