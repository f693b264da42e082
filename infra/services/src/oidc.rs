//! An OpenID provider (oidc-provider) and, beside it, a stand-in for a provider of plain OAuth 2.0.

use std::sync::OnceLock;

use crate::Failed;
use crate::places::{self, Folder};
use crate::ports::Port;
use crate::s3::answers_http;
use crate::single::{Kind, Single};

const PROVIDER: Kind = Kind {
    what: "oidc-provider",
    script: "oidc/start.sh",
    words: &[],
    serves: answers_http,
};

/// A provider where anybody may log in under any name; `oidc/provider.mjs` says what the names mean. Ended when dropped, and it
/// remembers nothing from one start to the next, not even its keys.
pub struct Oidc {
    issuer: String,
    plain: String,
    server: Single,
}

impl Oidc {
    /// The provider that all tests of this process share.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with what it said.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Oidc> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().expect("an OpenID provider to share starts"))
    }

    /// Starts one on free ports.
    pub fn start() -> Result<Self, Failed> {
        places::fetch("oidc")?;
        let ports = vec![Port::free()?, Port::free()?];
        let plain = format!("http://127.0.0.1:{}", ports[1].number());
        let server = Single::start(&PROVIDER, Folder::fresh("oidc")?, ports)?;
        Ok(Self {
            issuer: format!("http://{}", server.address()),
            plain,
            server,
        })
    }

    /// Such as `http://127.0.0.1:20000`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the stand-in for a provider of plain OAuth 2.0 is, and what only tests want (`oidc/plain.mjs`).
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// SIGKILL. Its ports are kept.
    pub fn kill(&mut self) -> Result<(), Failed> {
        self.server.kill()
    }

    /// Starts it, killing it before if it runs, and returns when it serves.
    pub fn restart(&mut self) -> Result<(), Failed> {
        self.server.restart()
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&mut self) -> Result<(), Failed> {
        self.server.pause()
    }

    /// SIGCONT.
    pub fn resume(&mut self) -> Result<(), Failed> {
        self.server.resume()
    }
}
