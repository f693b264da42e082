//! Asking providers over HTTP: within limits of time and size, and never elsewhere than where was asked.

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Client, redirect};
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A person waits for several answers in a row.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Discovery documents and key sets have some kilobytes.
const ANSWER_MAX_BYTES: usize = 1 << 20;
/// Some providers answer nobody who does not say what it is.
const USER_AGENT: &str = concat!("spool/", env!("CARGO_PKG_VERSION"));

/// The way to the providers. It is made when it is first needed.
#[derive(Default)]
pub struct Outside {
    client: OnceLock<Client>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    #[error("{0:?}")]
    Http(#[from] reqwest::Error),
    #[error("an answer of more than {ANSWER_MAX_BYTES} bytes")]
    TooLarge,
}

impl Outside {
    /// One answer, whatever its status. A redirect is an answer too: whoever can make a provider send one must not be able to
    /// have others asked from here.
    pub async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, OutsideError> {
        let mut answer = self.client()?.execute(request.try_into()?).await?;
        let mut response = HttpResponse::new(vec![]);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        while let Some(chunk) = answer.chunk().await? {
            if response.body().len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(OutsideError::TooLarge);
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }

    fn client(&self) -> Result<&Client, OutsideError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .redirect(redirect::Policy::none())
            .user_agent(USER_AGENT)
            .build()?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl<'c> AsyncHttpClient<'c> for Outside {
    type Error = OutsideError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutsideError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}
