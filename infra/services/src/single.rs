//! A server that is one process, with its data and its ports.

use std::path::{Path, PathBuf};

use crate::Failed;
use crate::places::Folder;
use crate::ports::Port;
use crate::process::{self, Process};

/// How one kind of server is started, and how it is seen to serve.
pub struct Kind {
    /// For people.
    pub what: &'static str,
    /// Below `infra/services`.
    pub script: &'static str,
    /// What it is told after its ports.
    pub words: &'static [&'static str],
    /// Whether it answers at the first of its ports.
    pub serves: fn(u16) -> bool,
}

pub struct Single {
    kind: &'static Kind,
    words: Vec<String>,
    data: PathBuf,
    // Dropped in this order: first the server, then its data, then its ports.
    process: Option<Process>,
    _folder: Folder,
    ports: Vec<Port>,
}

impl Single {
    pub fn start(kind: &'static Kind, folder: Folder, ports: Vec<Port>) -> Result<Self, Failed> {
        let mut server = Self {
            kind,
            words: ports
                .iter()
                .map(|port| port.number().to_string())
                .chain(kind.words.iter().map(|word| (*word).to_owned()))
                .collect(),
            // One below, because the watcher removes the folder that has the data and then the one around it.
            data: folder.path().join("data"),
            process: None,
            _folder: folder,
            ports,
        };
        server.restart()?;
        Ok(server)
    }

    /// The first of its ports, as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0].number())
    }

    /// Where it keeps what it has.
    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn kill(&mut self) -> Result<(), Failed> {
        self.running()?;
        self.process = None;
        Ok(())
    }

    pub fn restart(&mut self) -> Result<(), Failed> {
        self.process = None;
        let mut process = Process::start(self.kind.what, self.kind.script, &self.data, &self.words)?;
        let port = self.ports[0].number();
        process::wait_until(&mut [&mut process], || (self.kind.serves)(port))?;
        self.process = Some(process);
        Ok(())
    }

    pub fn pause(&mut self) -> Result<(), Failed> {
        self.running()?.pause()
    }

    pub fn resume(&mut self) -> Result<(), Failed> {
        self.running()?.resume()
    }

    fn running(&mut self) -> Result<&mut Process, Failed> {
        self.process
            .as_mut()
            .ok_or_else(|| Failed::because(format!("{} is not running", self.kind.what)))
    }
}
