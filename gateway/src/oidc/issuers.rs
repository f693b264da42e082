//! What issuers publish, discovery documents and keys: fetched when needed, kept, and fetched again before they are old.

use super::outside::{Outside, OutsideError};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use openidconnect::core::CoreProviderMetadata;
use openidconnect::{DiscoveryError, IssuerUrl};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is older is fetched again, beside the requests that go on with it.
const FRESH_FOR: Duration = Duration::from_secs(600);
/// An issuer that has been away for longer is not believed by what it said before.
const GOOD_FOR: Duration = Duration::from_secs(86_400);
/// An issuer that did not answer is not asked again for so long: those who wait in line are told at once.
const PAUSE: Duration = Duration::from_secs(2);
/// Unknown key ids, which anybody can make up, have the issuer asked so often at most.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(10);

/// One issuer, by its address. Clones share what is kept.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    url: IssuerUrl,
    outside: Arc<Outside>,
    kept: Mutex<Kept>,
    /// Held while the issuer is asked.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    published: Option<Arc<Published>>,
    failed: Option<(Instant, Away)>,
}

/// What an issuer published.
pub struct Published {
    pub metadata: CoreProviderMetadata,
    keys: Vec<(Option<String>, DecodingKey)>,
    at: Instant,
}

/// Why nothing is known of an issuer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Away(pub String);

impl Issuer {
    pub fn new(url: IssuerUrl, outside: Arc<Outside>) -> Self {
        Self(Arc::new(Inner {
            url,
            outside,
            kept: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }))
    }

    pub fn url(&self) -> &str {
        self.0.url.as_str()
    }

    /// What it published; asked for if nothing good is kept.
    pub async fn published(&self) -> Result<Arc<Published>, Away> {
        let Some(published) = self.good() else {
            return self.ask(None).await;
        };
        if published.at.elapsed() > FRESH_FOR && self.0.asking.try_lock().is_ok() {
            let (issuer, seen) = (self.clone(), published.at);
            tokio::spawn(async move { issuer.ask(Some(seen)).await });
        }
        Ok(published)
    }

    /// The same, with the key of this id in it if the issuer has it by now. A key set with a single key may leave ids out.
    pub async fn published_with(&self, kid: Option<&str>) -> Result<Arc<Published>, Away> {
        let published = self.published().await?;
        if published.key(kid).is_some() || published.at.elapsed() < UNKNOWN_KEY_PAUSE {
            return Ok(published);
        }
        // An issuer that cannot be asked now is still believed by the keys it had.
        Ok(self.ask(Some(published.at)).await.unwrap_or(published))
    }

    /// Asks, unless somebody else has since `seen` was published, or it did not answer a moment ago.
    async fn ask(&self, seen: Option<Instant>) -> Result<Arc<Published>, Away> {
        let _asking = self.0.asking.lock().await;
        if let Some(published) = self.good().filter(|published| Some(published.at) != seen) {
            return Ok(published);
        }
        let failed = self.kept().failed.clone();
        if let Some((at, away)) = failed
            && at.elapsed() < PAUSE
        {
            return Err(away);
        }
        let asking = CoreProviderMetadata::discover_async(self.0.url.clone(), &*self.0.outside);
        let answered = asking.await;
        let mut kept = self.kept();
        match answered {
            Ok(metadata) => {
                let published = Arc::new(Published::of(metadata));
                kept.published = Some(published.clone());
                kept.failed = None;
                Ok(published)
            }
            Err(error) => {
                let away = Away(format!("{}: {}", self.0.url.as_str(), reason(&error)));
                tracing::warn!(%away, "an issuer does not tell its keys");
                kept.failed = Some((Instant::now(), away.clone()));
                Err(away)
            }
        }
    }

    fn good(&self) -> Option<Arc<Published>> {
        let published = self.kept().published.clone();
        published.filter(|published| published.at.elapsed() < GOOD_FOR)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn of(metadata: CoreProviderMetadata) -> Self {
        let keys = metadata.jwks().keys().iter().filter_map(|key| {
            let key: Jwk = serde_json::from_value(serde_json::to_value(key).ok()?).ok()?;
            let decoding = DecodingKey::from_jwk(&key).ok()?;
            Some((key.common.key_id, decoding))
        });
        Self {
            keys: keys.collect(),
            metadata,
            at: Instant::now(),
        }
    }

    /// The key of this id; without an id the only key there is.
    pub fn key(&self, kid: Option<&str>) -> Option<&DecodingKey> {
        match (kid, self.keys.as_slice()) {
            (None, [(_, only)]) => Some(only),
            (None, _) => None,
            (Some(kid), keys) => keys
                .iter()
                .find(|(id, _)| id.as_deref() == Some(kid))
                .map(|(_, key)| key),
        }
    }
}

/// The error with what lies below it, without the body of an answer.
fn reason(error: &DiscoveryError<OutsideError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, _, complaint) => format!("{complaint} ({status})"),
        DiscoveryError::Parse(error) => error.to_string(),
        error => error.to_string(),
    }
}
