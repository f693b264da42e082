//! The server that the demo runs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{cargo, http, say};

const FIRST_PORT: u16 = 8080;
const READY_WITHIN: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts `spool serve` and waits until it is ready.
    pub fn start(data: &Path) -> Result<Self> {
        let address = free_address()?;
        let step = say::step(format!(
            "starting spool serve on {address}, data in {}",
            data.display()
        ));
        std::fs::create_dir_all(data)?;
        let mut command = dying_with_us(&cargo::debug_binary("spool"));
        command
            .args([
                "serve",
                "--role",
                "all",
                "--listen",
                &address.to_string(),
                "--data",
            ])
            .arg(data);
        let child = command.spawn().context("could not start spool serve")?;
        let mut server = Self { child, address };
        server.wait_until_ready()?;
        step.done();
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks the server to stop, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        cargo::succeed(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("spool serve did not stop cleanly ({status})");
        }
        say::line("stopped, as --exit asked");
        Ok(())
    }

    /// Runs on until somebody stops the server; Ctrl-C in a terminal reaches it too.
    pub fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        say::line(&format!("spool serve ended ({status})"));
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("spool serve ended at once ({status}); its lines above say why");
            }
            let answer = http::send(self.address, "GET", "/health/ready", None, None);
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if started.elapsed() > READY_WITHIN {
                bail!("spool serve was not ready within {} s", READY_WITHIN.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    /// An error on the way must not leave a server behind. After a clean stop there is nothing left to kill.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that ends when xtask does, however that comes about (util-linux has the tool; without it we do without).
fn dying_with_us(program: &Path) -> Command {
    let there = Command::new("setpriv")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

fn free_address() -> Result<SocketAddr> {
    let candidates = (FIRST_PORT..FIRST_PORT + 100).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut free = candidates.filter(|address| TcpListener::bind(address).is_ok());
    free.next()
        .with_context(|| format!("no port from {FIRST_PORT} on is free"))
}
