//! The post: takes a mail to the mail server, or appends it to a file.

use super::OpenError;
use lettre::transport::smtp::{AsyncSmtpTransport, PoolConfig};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use spool_platform::config::Mail as Settings;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For each step of the talk with the server.
const STEP_WITHIN: Duration = Duration::from_secs(30);
/// For a whole mail.
const SENT_WITHIN: Duration = Duration::from_secs(90);
const IDLE_FOR: Duration = Duration::from_secs(30);

pub enum Post {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    File(Arc<Mutex<PathBuf>>),
}

/// Why a mail was not sent, without a word of whom it was for.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No mail can be sent at the moment.
    Away(String),
    /// This one cannot be sent at the moment.
    Later(String),
    /// This one never can be.
    Never(String),
}

impl Post {
    pub fn open(settings: &Settings) -> Result<Option<Self>, OpenError> {
        if let Some(file) = &settings.file {
            return Ok(Some(Self::File(Arc::new(Mutex::new(file.clone())))));
        }
        let Some(url) = &settings.smtp_url else {
            return Ok(None);
        };
        let url = with_security(url.reveal()).map_err(|reason| OpenError::Url(reason.to_owned()))?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .map_err(|error| OpenError::Url(error.to_string()))?
            .timeout(Some(STEP_WITHIN))
            .pool_config(
                PoolConfig::new()
                    .max_size(super::AT_ONCE as u32)
                    .idle_timeout(IDLE_FOR),
            );
        Ok(Some(Self::Smtp(transport.build())))
    }

    pub async fn send(&self, message: Message) -> Result<(), Trouble> {
        match self {
            Self::Smtp(transport) => match tokio::time::timeout(SENT_WITHIN, transport.send(message)).await {
                Ok(sent) => sent.map(drop).map_err(|error| trouble(&error)),
                Err(_) => Err(Trouble::Away("the mail server takes too long".to_owned())),
            },
            Self::File(file) => {
                let file = Arc::clone(file);
                let append = move || {
                    let file = file.lock().unwrap_or_else(PoisonError::into_inner);
                    append(&file, &message.formatted())
                };
                let appended = tokio::task::spawn_blocking(append).await;
                let appended = appended.map_err(|error| Trouble::Away(error.to_string()))?;
                appended.map_err(|error| Trouble::Away(format!("writing mail.file: {error}")))
            }
        }
    }
}

/// Says in lettre's words how the connection is secured. A password goes over a secured one unless told otherwise.
fn with_security(url: &str) -> Result<String, &'static str> {
    let (server, query) = url.split_once('?').unwrap_or((url, ""));
    if server.starts_with("smtps://") {
        return Ok(url.to_owned());
    }
    if !server.starts_with("smtp://") {
        return Err("it starts with smtp:// or smtps://");
    }
    let has_password = server.contains('@');
    match query.strip_prefix("tls=") {
        None if !query.is_empty() => Err("nothing but tls=… may stand behind the ?"),
        None if has_password => Ok(format!("{server}?tls=required")),
        None => Ok(format!("{server}?tls=opportunistic")),
        Some("none") => Ok(server.to_owned()),
        Some("required" | "opportunistic") => Ok(url.to_owned()),
        Some(_) => Err("tls is required, opportunistic or none"),
    }
}

/// What a server says about a mail often names whom it is for, so only its number is told.
fn trouble(error: &lettre::transport::smtp::Error) -> Trouble {
    let Some(status) = error.status() else {
        return match error.is_client() {
            // It cannot take the address, such as one with letters that are not ASCII.
            true => Trouble::Never(error.to_string()),
            false => Trouble::Away(error.to_string()),
        };
    };
    let said = format!("the mail server said {status}");
    match u16::from(status) {
        // It closes, or does not take us for who we say that we are.
        421 | 454 | 530..=538 => Trouble::Away(said),
        400..=499 => Trouble::Later(said),
        _ => Trouble::Never(said),
    }
}

/// In the way of mbox: a line with `From ` before each mail, and a `>` before lines in it that would look like that.
fn append(file: &Path, message: &[u8]) -> std::io::Result<()> {
    let text = String::from_utf8_lossy(message);
    let mut lines = String::from("From spool@localhost Thu Jan  1 00:00:00 1970\n");
    for line in text.lines() {
        if line.trim_start_matches('>').starts_with("From ") {
            lines.push('>');
        }
        lines.push_str(line);
        lines.push('\n');
    }
    lines.push('\n');
    let mut options = OpenOptions::new();
    // The links are for whoever reads that mail, and for nobody else on this machine.
    let mut file = options.create(true).append(true).mode(0o600).open(file)?;
    file.write_all(lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<&str, &str>) {
        assert_eq!(
            with_security(url).as_deref().map_err(|error| *error),
            expected,
            "{url}"
        );
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear_unless_that_is_wanted() {
        check("smtps://a:b@mail.example", Ok("smtps://a:b@mail.example"));
        check(
            "smtp://a:b@mail.example",
            Ok("smtp://a:b@mail.example?tls=required"),
        );
        check("smtp://a:b@mail.example?tls=none", Ok("smtp://a:b@mail.example"));
        check(
            "smtp://mail.example:25",
            Ok("smtp://mail.example:25?tls=opportunistic"),
        );
        check(
            "smtp://mail.example?tls=required",
            Ok("smtp://mail.example?tls=required"),
        );
        check("mail.example:25", Err("it starts with smtp:// or smtps://"));
        check(
            "smtp://mail.example?tls=maybe",
            Err("tls is required, opportunistic or none"),
        );
        check(
            "smtp://mail.example?a=b",
            Err("nothing but tls=… may stand behind the ?"),
        );
    }

    #[test]
    fn mails_in_a_file_are_told_apart_by_their_first_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("mail");
        for body in ["one\r\nFrom here\r\n>From there\r\n", "two\r\n"] {
            append(&file, body.as_bytes()).expect("it can be written");
        }
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let first = "From spool@localhost Thu Jan  1 00:00:00 1970\n";
        assert_eq!(
            text,
            format!("{first}one\n>From here\n>>From there\n\n{first}two\n\n")
        );
    }
}
