//! The real binary as a child process: started, watched, killed, verified.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::broken::broken;
use crate::waiting::within;

/// A debug build on a busy machine that has much to recover.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How to start the server: on which data, below which wrapper, with which settings.
#[derive(Clone)]
pub struct Setup {
    data: PathBuf,
    /// Where the lines of all its runs go; not on the disk under test.
    log: PathBuf,
    wrapper: Vec<String>,
    role: String,
    settings: Vec<(String, String)>,
}

impl Setup {
    /// Whether there is anything that could be verified.
    pub fn has_log(&self) -> bool {
        self.data.join("log").exists()
    }

    pub fn new(data: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        let setup = Self {
            data: data.into(),
            log: log.into(),
            wrapper: Vec::new(),
            role: "all".to_owned(),
            settings: Vec::new(),
        };
        // Long campaigns outlive the default quarter of an hour.
        setup
            .with("AUTH_ACCESS_TOKEN_SECONDS", "86400")
            .with("JOBS_LEASE_SECONDS", "5")
            // All of a campaign comes from one address, faster than people do.
            .with("LIMITS_PRESET", "off")
            // A film that loses its worker again and again is given up; here the campaign is to blame, not the film.
            .with("JOBS_MAX_ATTEMPTS", "1000")
    }

    /// A setting by its variable, without the `SPOOL_` in front.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((format!("SPOOL_{name}"), value.to_owned()));
        self
    }

    /// What a setting was set to, by its variable without the `SPOOL_` in front.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let name = format!("SPOOL_{name}");
        let set = self.settings.iter().rfind(|(set, _)| *set == name);
        set.map(|(_, value)| value.as_str())
    }

    /// A setting taken back.
    pub fn without(mut self, name: &str) -> Self {
        let name = format!("SPOOL_{name}");
        self.settings.retain(|(set, _)| *set != name);
        self
    }

    /// Starts the server through another program, such as `strace -D …`.
    pub fn through(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Another node of the same installation, with a directory of its own beside this one's.
    pub fn node(&self, name: &str, role: &str) -> Self {
        let mut node = self.clone().with("CLUSTER_NODE", name);
        node.data = self.data.with_file_name(name);
        node.log = self.log.with_file_name(format!("{name}.log"));
        role.clone_into(&mut node.role);
        node
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&self) -> Result<Server> {
        let address = free_address()?;
        let listen = address.to_string();
        let mut command = self.command(&["serve", "--role", &self.role, "--listen", &listen, "--data"]);
        command.arg(&self.data);
        let child = command.spawn().context("could not start spool serve")?;
        Ok(Server {
            child,
            address,
            log: self.log.clone(),
        })
    }

    /// Starts the server and waits until it is ready.
    pub async fn start(&self) -> Result<Server> {
        let mut server = self.spawn()?;
        server.ready().await?;
        Ok(server)
    }

    /// Runs `spool` with these words on the same settings, to its end.
    pub async fn run(&self, words: &[&str]) -> Result<Output> {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = tokio::task::spawn_blocking(move || command.output()).await?;
        ran.context("could not start spool")
    }

    /// Starts `spool` with these words on the same settings, and waits for nothing.
    pub fn begin(&self, words: &[&str]) -> Result<Child> {
        self.command(words).spawn().context("could not start spool")
    }

    /// Runs `spool verify` on the data, which no server may hold now.
    pub fn verify(&self) -> Result<()> {
        let mut command = self.command(&["verify", "--data"]);
        command
            .arg(&self.data)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = command.output().context("could not start spool verify")?;
        if !output.status.success() {
            let (said, wrote) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            broken!("spool verify found ({}):\n{said}{wrote}", output.status);
        }
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let spool = env!("CARGO_BIN_EXE_spool");
        let mut command = match self.wrapper.split_first() {
            None => Command::new(spool),
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(spool);
                command
            }
        };
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPOOL_")) {
            command.env_remove(name);
        }
        let envs = self.settings.iter().map(|(name, value)| (name, value));
        command.args(words).envs(envs).stdin(Stdio::null());
        let log = log_file(&self.log);
        command
            .stderr(log.try_clone().expect("a file handle can be doubled"))
            .stdout(log);
        command
    }
}

/// A started server. Dropped, it is killed.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/health/ready", self.base());
        within(READY_WITHIN, "readiness of spool serve", async || {
            if let Some(status) = self.child.try_wait()? {
                broken!(
                    "spool serve ended while starting ({status}):\n{}",
                    last_lines(&self.log)
                );
            }
            let answer = reqwest::get(&url).await;
            Ok(match answer {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(format!("answered {}", answer.status())),
                Err(error) => Err(error.to_string()),
            })
        })
        .await
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and wait until it has closed everything.
    pub async fn stop(mut self) -> Result<()> {
        self.signal("-TERM")?;
        let status = self.ended(Duration::from_secs(30)).await?;
        if !status.success() {
            broken!(
                "spool serve did not stop cleanly ({status}):\n{}",
                last_lines(&self.log)
            );
        }
        Ok(())
    }

    /// SIGTERM, and wait for nothing.
    pub fn terminate(&self) -> Result<()> {
        self.signal("-TERM")
    }

    /// SIGHUP: it reads its certificate again.
    pub fn hang_up(&self) -> Result<()> {
        self.signal("-HUP")
    }

    /// SIGSTOP: it stands still, with its connections open.
    pub fn pause(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status()?;
        if !sent.success() {
            bail!("could not send {signal}");
        }
        Ok(())
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        within(limit, "the end of spool serve", async || {
            Ok(self.child.try_wait()?.ok_or_else(|| "still running".to_owned()))
        })
        .await
    }

    /// The ids of its children named `spool-media` now.
    pub fn media_children(&self) -> Vec<u32> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| is_media_child_of(*id, self.child.id())).collect()
    }

    pub fn said(&self) -> String {
        last_lines(&self.log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn is_running(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    !matches!(after_name.split_whitespace().next(), None | Some("Z"))
}

/// `/proc/ID/stat` reads `ID (name) state parent …`.
fn is_media_child_of(id: u32, parent: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let Some((before, after)) = stat.rsplit_once(')') else {
        return false;
    };
    before.ends_with("(spool-media") && after.split_whitespace().nth(1) == Some(&parent.to_string())
}

fn log_file(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("the folder of the log file exists")
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// A port that is free now. Another process may take it before the server does; then the server says so.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
