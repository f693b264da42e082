//! A mail server: aiosmtpd, which takes everything and shows it to the test.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::Failed;
use crate::places::{self, Folder};
use crate::ports::Port;
use crate::single::{Kind, Single};

const AIOSMTPD: Kind = Kind {
    what: "aiosmtpd",
    script: "mail/start.sh",
    words: &[],
    serves: greets,
};

/// A server with an empty box, ended and forgotten when dropped. It refuses addresses that begin with `later` once, and those
/// that begin with `never` always.
pub struct Mail {
    mails: PathBuf,
    server: Single,
}

impl Mail {
    /// On a free port.
    pub fn start() -> Result<Self, Failed> {
        places::fetch("mail")?;
        let server = Single::start(&AIOSMTPD, Folder::fresh("mail")?, vec![Port::free()?])?;
        Ok(Self {
            mails: server.data().join("mails"),
            server,
        })
    }

    /// Such as `smtp://127.0.0.1:20000`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.server.address())
    }

    /// The mails it has taken, in order, each with a line `Envelope-To:` before it.
    pub fn taken(&self) -> Result<Vec<String>, Failed> {
        let doing = || Failed::doing("read what the mail server has taken");
        let mut mails = Vec::new();
        for entry in std::fs::read_dir(&self.mails).map_err(doing())? {
            let path = entry.map_err(doing())?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str()?.parse::<u64>().ok());
            // The others are being written.
            if let Some(number) = number {
                let text = std::fs::read(&path).map_err(doing())?;
                mails.push((number, String::from_utf8_lossy(&text).into_owned()));
            }
        }
        mails.sort_unstable();
        Ok(mails.into_iter().map(|(_, mail)| mail).collect())
    }

    /// SIGKILL. Its mails and port are kept.
    pub fn kill(&mut self) -> Result<(), Failed> {
        self.server.kill()
    }

    /// Starts it again, and returns when it serves.
    pub fn restart(&mut self) -> Result<(), Failed> {
        self.server.restart()
    }

    /// SIGSTOP: it takes connections and says nothing.
    pub fn pause(&mut self) -> Result<(), Failed> {
        self.server.pause()
    }

    /// SIGCONT.
    pub fn resume(&mut self) -> Result<(), Failed> {
        self.server.resume()
    }
}

fn greets(port: u16) -> bool {
    let listen = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut start = [0; 4];
        stream.read_exact(&mut start)?;
        Ok(start == *b"220 ")
    };
    listen().unwrap_or(false)
}
