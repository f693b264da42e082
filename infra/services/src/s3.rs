//! An S3 server: versitygw on a folder of files, or MinIO for a campaign.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use crate::Failed;
use crate::places::{self, Folder, setting};
use crate::ports::Port;
use crate::single::{Kind, Single};

const VERSITYGW: Kind = Kind {
    what: "versitygw",
    script: "s3/start.sh",
    words: &[],
    serves: answers_http,
};

const MINIO: Kind = Kind {
    what: "MinIO",
    script: "minio/start.sh",
    words: &[],
    serves: answers_http,
};

/// Instead of an endpoint, the kind of server to start.
const AS_MINIO: &str = "minio";

/// A server without buckets, ended and forgotten when dropped. Requests are signed and go to paths, not to host names.
pub struct S3 {
    endpoint: String,
    access_key: String,
    secret_key: String,
    region: String,
    server: Option<Single>,
}

impl S3 {
    /// The server that all tests of this process share, or the one at `SPOOL_TEST_S3` (`http://host:port`), with
    /// `SPOOL_TEST_S3_ACCESS_KEY`, `SPOOL_TEST_S3_SECRET_KEY` and `SPOOL_TEST_S3_REGION`, if they are not as usual here.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with what it said.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<S3> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("SPOOL_TEST_S3") {
            Ok(endpoint) if endpoint != AS_MINIO => Self::of_somebody_else(endpoint),
            _ => Self::start().expect("an S3 server to share starts"),
        })
    }

    /// Starts versitygw on a free port; MinIO where `SPOOL_TEST_S3` is `minio`, which is how its campaign has all tests
    /// use it.
    pub fn start() -> Result<Self, Failed> {
        if std::env::var("SPOOL_TEST_S3").is_ok_and(|kind| kind == AS_MINIO) {
            return Self::start_minio();
        }
        Self::start_at("s3", &VERSITYGW, Port::free()?)
    }

    /// Starts versitygw on a given port.
    pub fn start_on(port: u16) -> Result<Self, Failed> {
        Self::start_at("s3", &VERSITYGW, Port::chosen(port))
    }

    /// Starts MinIO, which takes some minutes to fetch and is not fetched before the tests.
    pub fn start_minio() -> Result<Self, Failed> {
        Self::start_at("minio", &MINIO, Port::free()?)
    }

    fn start_at(name: &str, kind: &'static Kind, port: Port) -> Result<Self, Failed> {
        places::fetch(name)?;
        let server = Single::start(kind, Folder::fresh(name)?, vec![port])?;
        Ok(Self {
            endpoint: format!("http://{}", server.address()),
            access_key: setting("S3_ACCESS_KEY").to_owned(),
            secret_key: setting("S3_SECRET_KEY").to_owned(),
            region: setting("S3_REGION").to_owned(),
            server: Some(server),
        })
    }

    fn of_somebody_else(endpoint: String) -> Self {
        let said = |name: &str| {
            let variable = format!("SPOOL_TEST_{name}");
            std::env::var(variable).unwrap_or_else(|_| setting(name).to_owned())
        };
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            access_key: said("S3_ACCESS_KEY"),
            secret_key: said("S3_SECRET_KEY"),
            region: said("S3_REGION"),
            server: None,
        }
    }

    /// Such as `http://127.0.0.1:20000`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// SIGKILL. Its data and port are kept.
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

    /// Ends the server and removes its data, as dropping it does.
    pub fn stop(self) {}

    fn server(&mut self) -> Result<&mut Single, Failed> {
        self.server
            .as_mut()
            .ok_or_else(|| Failed::because("this S3 server is not ours: SPOOL_TEST_S3 names it"))
    }
}

/// Any answer will do: without a signature it is a refusal.
pub fn answers_http(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 8];
        stream.read_exact(&mut start)?;
        Ok(start == *b"HTTP/1.1")
    };
    ask().unwrap_or(false)
}
