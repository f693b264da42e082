//! Signing in by other providers, on the built binary and a real OpenID provider (oidc-provider). The provider of plain OAuth 2.0
//! is a stand-in (`infra/services/oidc/plain.mjs`).

mod away;
mod bearers;
mod browser;
mod stories;

use anyhow::Result;
use serde_json::Value;
use spool_services::Oidc;
use tempfile::TempDir;

use crate::server::{Server, Setup};

/// A server with three providers: `test` and `second` at the same issuer, and `hub` without OpenID.
struct World {
    server: Server,
    base: String,
    _folder: TempDir,
}

impl World {
    async fn start(oidc: &Oidc, change: impl FnOnce(Setup) -> Setup) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"));
        let hub = oidc.plain();
        let settings = [
            ("TEST_ISSUER", oidc.issuer()),
            ("TEST_LABEL", "The provider of the tests"),
            ("TEST_CLIENT_ID", "spool"),
            ("TEST_CLIENT_SECRET", "secret"),
            ("SECOND_ISSUER", oidc.issuer()),
            ("SECOND_CLIENT_ID", "spool-es256"),
            ("SECOND_CLIENT_SECRET", "secret"),
            ("HUB_AUTHORIZE_URL", &format!("{hub}/login/oauth/authorize")),
            ("HUB_TOKEN_URL", &format!("{hub}/login/oauth/access_token")),
            ("HUB_USERINFO_URL", &format!("{hub}/user")),
            ("HUB_EMAILS_URL", &format!("{hub}/user/emails")),
            ("HUB_SCOPES", "read:user user:email"),
            ("HUB_CLIENT_ID", "spool"),
            ("HUB_CLIENT_SECRET", "secret"),
        ];
        let setup = settings.into_iter().fold(setup, |setup, (name, value)| {
            setup.with(&format!("AUTH_OIDC_{name}"), value)
        });
        let server = change(setup).start().await?;
        Ok(Self {
            base: server.base(),
            server,
            _folder: folder,
        })
    }

    /// Who a token belongs to: the account's id, or the status of the refusal.
    async fn whose(&self, token: &str) -> Result<Result<Value, u16>> {
        let url = format!("{}/api/auth/profile", self.base);
        let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await?;
        let status = answer.status().as_u16();
        Ok(match status {
            200 => Ok(answer.json().await?),
            status => Err(status),
        })
    }
}

/// The shared provider; starting it blocks.
async fn provider() -> Result<&'static Oidc> {
    Ok(tokio::task::spawn_blocking(Oidc::shared).await?)
}
