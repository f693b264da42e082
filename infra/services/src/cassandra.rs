//! Apache Cassandra, which speaks the CQL that ScyllaDB speaks.

use std::sync::OnceLock;

use crate::cql::Session;
use crate::places::{self, Folder, setting};
use crate::ports::Port;
use crate::single::{Kind, Single};
use crate::{Failed, fresh_name};

const CASSANDRA: Kind = Kind {
    what: "Cassandra",
    script: "cassandra/start.sh",
    words: &[],
    serves: lets_us_in,
};

/// Nobody can kill a shared one, so it need not find its tables again.
const NEVER_RESTARTED: Kind = Kind {
    words: &["never-restarted"],
    ..CASSANDRA
};

/// One node without keyspaces, ended and forgotten when dropped. Whoever connects has to log in; its data centre is
/// `datacenter1`.
pub struct Cassandra {
    contact_point: String,
    user: String,
    password: String,
    server: Option<Single>,
}

impl Cassandra {
    /// The node that all tests of this process share, or the one at `SPOOL_TEST_CASSANDRA` (host:port), with
    /// `SPOOL_TEST_CASSANDRA_USER` and `SPOOL_TEST_CASSANDRA_PASSWORD`, if they are not as usual here.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with what it said.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cassandra> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("SPOOL_TEST_CASSANDRA") {
            Ok(contact_point) => Self::of_somebody_else(contact_point),
            Err(_) => Port::free()
                .and_then(|cql| Self::start_at(&NEVER_RESTARTED, cql, Port::free()?))
                .expect("a node of Cassandra to share starts"),
        })
    }

    /// Starts a node on free ports.
    pub fn start() -> Result<Self, Failed> {
        Self::start_at(&CASSANDRA, Port::free()?, Port::free()?)
    }

    /// Starts a node on given ports: for CQL, and for other nodes, of which there are none.
    pub fn start_on(cql: u16, storage: u16) -> Result<Self, Failed> {
        Self::start_at(&CASSANDRA, Port::chosen(cql), Port::chosen(storage))
    }

    fn start_at(kind: &'static Kind, cql: Port, storage: Port) -> Result<Self, Failed> {
        places::fetch("cassandra")?;
        let server = Single::start(kind, Folder::fresh("cassandra")?, vec![cql, storage])?;
        Ok(Self {
            contact_point: server.address(),
            user: setting("CASSANDRA_USER").to_owned(),
            password: setting("CASSANDRA_PASSWORD").to_owned(),
            server: Some(server),
        })
    }

    fn of_somebody_else(contact_point: String) -> Self {
        let said = |name: &str| {
            let variable = format!("SPOOL_TEST_{name}");
            std::env::var(variable).unwrap_or_else(|_| setting(name).to_owned())
        };
        Self {
            contact_point,
            user: said("CASSANDRA_USER"),
            password: said("CASSANDRA_PASSWORD"),
            server: None,
        }
    }

    /// Where drivers connect first, as `host:port`.
    pub fn contact_point(&self) -> &str {
        &self.contact_point
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// Says something to it, on a connection of its own. The body of the result, unread.
    pub fn say(&self, cql: &str) -> Result<Vec<u8>, Failed> {
        Session::open(&self.contact_point, &self.user, &self.password)
            .and_then(|mut session| session.say(cql))
            .map_err(Failed::doing(format!("have Cassandra do {cql:?}")))
    }

    /// A keyspace for one test.
    pub fn keyspace(&'static self, prefix: &str) -> Keyspace {
        Keyspace {
            cassandra: self,
            name: fresh_name(prefix),
        }
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

/// The name of a keyspace that nobody used yet. Dropped, it takes with it whatever was made there: each table costs the node
/// memory for as long as it is there, and all tests together make more of them than a small one bears.
pub struct Keyspace {
    cassandra: &'static Cassandra,
    name: String,
}

impl Keyspace {
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        let dropped = self
            .cassandra
            .say(&format!("DROP KEYSPACE IF EXISTS {}", self.name));
        if let Err(failed) = dropped {
            // Not the test's fault, but perhaps the reason why a later one fails.
            eprintln!("{failed}");
        }
    }
}

/// A node listens some time before it has the user that it makes by itself.
fn lets_us_in(port: u16) -> bool {
    let (user, password) = (setting("CASSANDRA_USER"), setting("CASSANDRA_PASSWORD"));
    Session::open(&format!("127.0.0.1:{port}"), user, password).is_ok()
}
