//! Runs one `spool-media` process: the film is its stdin, its answers are frames on its stdout.
//!
//! Films are hostile until proven otherwise, so they are opened only there. The process is killed when it makes no
//! progress, sends more than it may, or is no longer wanted; dropping the handle kills it.

use bytes::Bytes;
use spool_media_protocol::{Message, Task, framing};
use spool_platform::config::Media;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

const EXECUTABLE: &str = "spool-media";
/// All that one process may send, as a multiple of the film's size and as a floor, in bytes.
const OUTPUT_TIMES_MAX: u64 = 20;
const OUTPUT_BYTES_FLOOR: u64 = 4 << 30;
const LOG_LINES_MAX: usize = 200;
const LOG_LINE_BYTES_MAX: u64 = 2_000;

/// Why a process did not come to its end.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct ChildError {
    /// A stable word: `stalled`, `killed`, `cpu_limit`, …
    pub code: String,
    /// For the person who uploaded.
    pub sentence: String,
    /// Another attempt would end the same way.
    pub permanent: bool,
}

impl ChildError {
    fn new(code: &str, sentence: impl Into<String>, permanent: bool) -> Self {
        Self {
            code: code.into(),
            sentence: sentence.into(),
            permanent,
        }
    }
}

pub struct MediaChild {
    child: Child,
    output: BufReader<ChildStdout>,
    stall: Duration,
    bytes_left: u64,
    ended: bool,
}

impl MediaChild {
    /// Starts the process with `film` as its input.
    ///
    /// To be called from an async task, never from `spawn_blocking`: the kernel ends the process together with the
    /// thread that started it, and a thread for blocking work ends when it has been idle.
    pub fn start(config: &Media, task: &Task, film: File) -> Result<Self, ChildError> {
        let film_bytes = film.metadata().map_or(0, |data| data.len());
        let task = serde_json::to_string(task)
            .map_err(|error| ChildError::new("task", format!("the task cannot be written: {error}"), true))?;
        let executable = executable(config);
        let mut command = Command::new(&executable);
        if config.unsafe_no_sandbox {
            command.arg("--unsafe-no-sandbox");
        }
        command
            .arg(task)
            .env_clear()
            .stdin(Stdio::from(film))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            let path = executable.display();
            ChildError::new(
                "no_media_program",
                format!("{path} cannot be started: {error}"),
                false,
            )
        })?;
        let missing = || ChildError::new("internal", "the media program has no output", false);
        let output = child.stdout.take().ok_or_else(missing)?;
        if let Some(errors) = child.stderr.take() {
            tokio::spawn(pass_on_log_lines(errors));
        }
        Ok(Self {
            child,
            output: BufReader::with_capacity(256 << 10, output),
            stall: Duration::from_secs(config.stall_seconds.max(1)),
            bytes_left: OUTPUT_BYTES_FLOOR.max(film_bytes.saturating_mul(OUTPUT_TIMES_MAX)),
            ended: false,
        })
    }

    /// The next message with its bytes; nothing once the process has said how it ended. Not cancel safe.
    ///
    /// Only one message is held at a time: while the caller is busy with it, the pipe is full and the process waits.
    pub async fn next(&mut self) -> Result<Option<(Message, Bytes)>, ChildError> {
        if self.ended {
            return self.reap().await.map(|()| None);
        }
        let frame = match tokio::time::timeout(self.stall, read_frame(&mut self.output)).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) => {
                return Err(self.explain_exit().await.unwrap_or_else(|| {
                    ChildError::new(
                        "broken_pipe",
                        format!("the media program was cut off: {error}"),
                        false,
                    )
                }));
            }
            Err(_) => {
                let _ = self.child.start_kill();
                let sentence = format!(
                    "the film could not be processed: no progress for {} s",
                    self.stall.as_secs()
                );
                return Err(ChildError::new("stalled", sentence, false));
            }
        };
        let Some((message, bytes)) = frame else {
            return Err(self.explain_exit().await.unwrap_or_else(|| {
                ChildError::new("ended_early", "the media program ended without saying how", false)
            }));
        };
        self.bytes_left = match self.bytes_left.checked_sub(bytes.len() as u64) {
            Some(left) => left,
            None => {
                let _ = self.child.start_kill();
                return Err(ChildError::new(
                    "too_much_output",
                    "the film becomes far larger than it is",
                    true,
                ));
            }
        };
        self.ended = matches!(
            message,
            Message::Finished(_) | Message::Refused(_) | Message::Failed(_)
        );
        Ok(Some((message, bytes)))
    }

    /// The last word has been heard; what the process still does does not matter.
    async fn reap(&mut self) -> Result<(), ChildError> {
        if tokio::time::timeout(self.stall, self.child.wait()).await.is_err() {
            let _ = self.child.start_kill();
        }
        Ok(())
    }

    async fn explain_exit(&mut self) -> Option<ChildError> {
        let status = tokio::time::timeout(self.stall, self.child.wait())
            .await
            .ok()?
            .ok()?;
        Some(explain(status))
    }
}

fn explain(status: ExitStatus) -> ChildError {
    match status.signal() {
        Some(libc::SIGXCPU) => ChildError::new(
            "cpu_limit",
            "the film takes more computing time than a film may take here",
            true,
        ),
        Some(libc::SIGKILL) => ChildError::new("killed", "the media program was stopped from outside", false),
        Some(libc::SIGSYS) => ChildError::new(
            "forbidden_call",
            "the film made the media program do something it may not",
            true,
        ),
        Some(signal) => ChildError::new(
            "crashed",
            format!("the media program crashed on this film (signal {signal})"),
            false,
        ),
        None => {
            let code = status.code().unwrap_or(-1);
            ChildError::new(
                "ended_early",
                format!("the media program ended without saying why (code {code})"),
                false,
            )
        }
    }
}

/// Beside this executable, unless the configuration or `SPOOL_MEDIA` says otherwise.
fn executable(config: &Media) -> PathBuf {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        let folder = own.parent()?;
        // Test executables lie one folder below the binaries.
        [folder.join(EXECUTABLE), folder.parent()?.join(EXECUTABLE)]
            .into_iter()
            .find(|path| path.exists())
    };
    let configured = config
        .spool_media
        .clone()
        .or_else(|| std::env::var_os("SPOOL_MEDIA").map(PathBuf::from));
    configured.or_else(beside).unwrap_or_else(|| EXECUTABLE.into())
}

async fn read_frame(output: &mut BufReader<ChildStdout>) -> io::Result<Option<(Message, Bytes)>> {
    if output.fill_buf().await?.is_empty() {
        return Ok(None);
    }
    let mut prefix = [0; framing::PREFIX_BYTES];
    output.read_exact(&mut prefix).await?;
    let prefix = framing::Prefix::parse(prefix)?;
    let too_large = |_| io::Error::from(io::ErrorKind::InvalidData);
    let mut header = vec![0; usize::try_from(prefix.header_bytes).map_err(too_large)?];
    output.read_exact(&mut header).await?;
    let mut payload = vec![0; usize::try_from(prefix.payload_bytes).map_err(too_large)?];
    output.read_exact(&mut payload).await?;
    Ok(Some((framing::parse_header(&header)?, payload.into())))
}

/// What the process says to operators. A hostile film may make it say much, or never end a line.
async fn pass_on_log_lines(errors: tokio::process::ChildStderr) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    let mut told = 0;
    loop {
        line.clear();
        match (&mut errors)
            .take(LOG_LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(0) | Err(_) => return,
            Ok(_) if told < LOG_LINES_MAX => {
                told += 1;
                let text = String::from_utf8_lossy(&line);
                tracing::debug!(target: "spool_media", "{}", text.trim_end().escape_debug());
            }
            Ok(_) => {}
        }
    }
}
