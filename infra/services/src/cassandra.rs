//! Apache Cassandra, which speaks the CQL that ScyllaDB speaks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use crate::Failed;
use crate::places::{self, Folder};
use crate::ports::Port;
use crate::single::{Kind, Single};

const CASSANDRA: Kind = Kind {
    what: "Cassandra",
    script: "cassandra/start.sh",
    serves: answers_cql,
};

/// One node without keyspaces, ended and forgotten when dropped. Anyone may connect; its data centre is `datacenter1`.
pub struct Cassandra {
    contact_point: String,
    server: Option<Single>,
}

impl Cassandra {
    /// The node that all tests of this process share, or the one at `SPOOL_TEST_CASSANDRA` (host:port).
    ///
    /// # Panics
    ///
    /// When it cannot be started, with what it said.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cassandra> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("SPOOL_TEST_CASSANDRA") {
            Ok(contact_point) => Self {
                contact_point,
                server: None,
            },
            Err(_) => Self::start().expect("a node of Cassandra to share starts"),
        })
    }

    /// Starts a node on free ports.
    pub fn start() -> Result<Self, Failed> {
        Self::start_at(Port::free()?, Port::free()?)
    }

    /// Starts a node on given ports: for CQL, and for other nodes, of which there are none.
    pub fn start_on(cql: u16, storage: u16) -> Result<Self, Failed> {
        Self::start_at(Port::chosen(cql), Port::chosen(storage))
    }

    fn start_at(cql: Port, storage: Port) -> Result<Self, Failed> {
        places::fetch("cassandra")?;
        let server = Single::start(&CASSANDRA, Folder::fresh("cassandra")?, vec![cql, storage])?;
        Ok(Self {
            contact_point: server.address(),
            server: Some(server),
        })
    }

    /// Where drivers connect first, as `host:port`.
    pub fn contact_point(&self) -> &str {
        &self.contact_point
    }

    /// SIGKILL. Its data and ports are kept, and what it acknowledged is there after a restart.
    pub fn kill(&mut self) -> Result<(), Failed> {
        self.server()?.kill()
    }

    /// Starts it on the data it has, killing it before if it runs, and returns when it serves.
    pub fn restart(&mut self) -> Result<(), Failed> {
        self.server()?.restart()
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&mut self) -> Result<(), Failed> {
        self.server()?.pause()
    }

    /// SIGCONT.
    pub fn resume(&mut self) -> Result<(), Failed> {
        self.server()?.resume()
    }

    /// Ends the node and removes its data, as dropping it does.
    pub fn stop(self) {}

    fn server(&mut self) -> Result<&mut Single, Failed> {
        self.server
            .as_mut()
            .ok_or_else(|| Failed::because("this Cassandra is not ours: SPOOL_TEST_CASSANDRA names it"))
    }
}

/// Asks for its options, in version 4 of the protocol, and looks whether it lists them.
fn answers_cql(port: u16) -> bool {
    const OPTIONS: [u8; 9] = [4, 0, 0, 0, 5, 0, 0, 0, 0];
    const SUPPORTED: u8 = 6;
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(&OPTIONS)?;
        let mut header = [0; 9];
        stream.read_exact(&mut header)?;
        Ok(header[4] == SUPPORTED)
    };
    ask().unwrap_or(false)
}
