//! Signing in by other providers: OpenID Connect, and plain OAuth 2.0 by configuration.
//!
//! The browser goes to the provider with an attempt in a sealed cookie, comes back to any node, and takes a one-time code to the
//! sign-in page, which exchanges it for the same tokens that a password gives. Nothing is kept here meanwhile.

mod arriving;
mod attempts;
mod identities;
mod issuers;
mod names;
mod openid;
mod outside;
mod plain;
mod providers;
mod trouble;
mod visitors;

pub use providers::Providers;

use crate::accounts::sessions::{Client, SignedIn};
use crate::asking::{Asking, consistency_header};
use crate::body::{Json, Parameters};
use crate::edge::visit::Visit;
use crate::gateway::Gateway;
use crate::paging::Page;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::tokens::Refresh;
use attempts::{Attempt, CODE_SECONDS, Code};
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use oauth2::url::form_urlencoded;
use serde::{Deserialize, Serialize};
use spool_domain::accounts::{Account, Command, Event};
use spool_domain::ids::{AccountId, SessionId};
use spool_domain::time::{Millis, Timestamp};
use spool_schemas::AnyEvent;
use trouble::{Trouble, is_for_a_page, not_believed};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const RETURN_TO_MAX_BYTES: usize = 2_000;
/// The longest that a provider's answer to the browser may be in each of its parts.
const ANSWER_MAX_BYTES: usize = 8_192;
/// As much of what a provider says about a failure as is logged.
const REASON_MAX_CHARS: usize = 300;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(begin))
        .routes(routes!(come_back))
        .routes(routes!(exchange))
        .merge(identities::routes())
}

/// A provider that one can sign in with.
#[derive(Serialize, ToSchema)]
struct ProviderShown {
    #[schema(example = "google")]
    name: String,
    /// For a button.
    #[schema(example = "Google")]
    label: String,
    /// Where the button leads; `return_to` may be added.
    #[schema(example = "/api/auth/oidc/google/login")]
    login_url: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Beginning {
    /// Where on this site to go afterwards: a path. `/` if left out.
    #[param(example = "/my")]
    return_to: Option<String>,
    /// `true`: whoever is signed in by the access token wants to sign in by this provider from now on, too.
    #[param(value_type = Option<bool>)]
    link: Option<String>,
}

/// What the provider has the browser say.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Answer {
    state: Option<String>,
    code: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// The same in words, for whoever looks after it.
    error_description: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// Where to go, for whoever does not follow redirects.
#[derive(Serialize, ToSchema)]
struct Location {
    #[schema(example = "https://accounts.example.org/authorize?client_id=…")]
    location: String,
}

#[derive(Deserialize, ToSchema)]
struct OneTimeCode {
    /// From the fragment of the address that the sign-in ended at.
    code: String,
}

/// The providers that one can sign in with.
#[utoipa::path(get, path = "/api/auth/oidc/providers", operation_id = "list_providers", tag = "accounts", security(()), responses(
    (status = 200, description = "All of them, in the order of their names", body = Page<ProviderShown>),
))]
async fn list(State(gateway): State<Gateway>, _: Asking) -> Response {
    let shown = |provider: &providers::Provider| ProviderShown {
        name: provider.name.clone(),
        label: provider.label.clone(),
        login_url: format!("/api/auth/oidc/{}/login", provider.name),
    };
    let page = Page {
        items: gateway.providers().iter().map(shown).collect(),
        next_cursor: None,
    };
    axum::Json(page).into_response()
}

/// Sends the browser to a provider.
///
/// The answer is a redirect. Whoever accepts `application/json` and no page gets the address as JSON instead: a page that links a
/// provider has to ask with its access token, and then goes there by itself. Both set a cookie that must be there when the browser
/// comes back, within ten minutes. A browser is told of trouble by a redirect to `/login?problem=…`.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/login", operation_id = "begin_sign_in_by_provider", tag = "accounts", params(("provider" = String, Path), Beginning), security((), ("bearer" = [])), responses(
    (status = 200, description = "Where to go", body = Location),
    (status = 303, description = "To the provider, or with trouble to the sign-in page", headers(("Location" = String))),
    (status = 401, description = "Linking needs an access token of a session", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is no such provider", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "return_to is no path of this site", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "The provider does not answer", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn begin(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    Parameters(beginning): Parameters<Beginning>,
    request: Parts,
    asking: Asking,
) -> Result<Response, Problem> {
    let return_to = checked_path(beginning.return_to)?;
    let is_linking = match beginning.link.as_deref() {
        None | Some("false" | "0") => false,
        Some("" | "true" | "1") => true,
        Some(_) => return Err(Problem::invalid("/link", "must be true or false")),
    };
    let linking = match is_linking {
        true => Some(gateway.linking(&asking).await?),
        false => None,
    };
    let base = gateway.base(&request);
    let begun = gateway.began(&name, &base, return_to, linking).await;
    let (attempt, location) = match begun {
        Ok(begun) => begun,
        Err(trouble) => return failed(trouble, &name, &request.headers, None),
    };
    let cookie = AppendHeaders([attempt.cookie(&gateway.parts().keys), NO_STORE]);
    if wants_json(&request.headers) {
        return Ok((cookie, axum::Json(Location { location })).into_response());
    }
    Ok((cookie, redirect(&location)).into_response())
}

/// Takes the browser back from a provider.
///
/// Who is known signs in. Who is not is linked to the account with the same e-mail address, when the provider has verified it and
/// it was confirmed here, or else gets a new account. The browser is sent to `/login#code=…&return_to=…`; the code is good once, for a
/// minute, in this browser, at `/api/auth/oidc/exchange`. After linking it is sent to `return_to` itself.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/callback", operation_id = "come_back_from_provider", tag = "accounts", params(("provider" = String, Path), Answer), security(()), responses(
    (status = 303, description = "To the sign-in page, with a code or with trouble; after linking to return_to", headers(("Location" = String))),
    (status = 400, description = "No sign-in of this browser is under way, or it took too long", body = ProblemBody, content_type = "application/problem+json"),
    (status = 401, description = "What came back is not good", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "Refused at the provider, registration is closed, or the account is", body = ProblemBody, content_type = "application/problem+json"),
    (status = 404, description = "There is no such provider", body = ProblemBody, content_type = "application/problem+json"),
    (status = 409, description = "The identity or the e-mail address is somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "The provider does not answer", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn come_back(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    Parameters(answer): Parameters<Answer>,
    request: Parts,
    asking: Asking,
) -> Result<Response, Problem> {
    let base = gateway.base(&request);
    let attempt = match gateway.attempt(&name, &answer, &request.headers) {
        Ok(attempt) => attempt,
        Err(trouble) => return failed(trouble, &name, &request.headers, None),
    };
    let forgotten = Attempt::forget(&base);
    let client = Client::of(&request);
    match gateway.came_back(&attempt, answer, &base, &client, &asking).await {
        Ok((location, cookie)) => {
            let mut answer = (AppendHeaders([forgotten, NO_STORE]), redirect(&location)).into_response();
            if let Some((name, value)) = cookie {
                answer.headers_mut().append(name, value);
            }
            Ok(answer)
        }
        Err(trouble) => failed(trouble, &name, &request.headers, Some(forgotten)),
    }
}

/// Exchanges the code that a sign-in by a provider ended with for tokens, as a sign-in by password gives them.
///
/// It must come from the browser that signed in, whose cookie it is bound to.
#[utoipa::path(post, path = "/api/auth/oidc/exchange", operation_id = "exchange_code", tag = "accounts", request_body = OneTimeCode, security(()), responses(
    (status = 200, description = "Signed in", body = SignedIn),
    (status = 401, description = "The code was used, took too long, or is another browser's", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn exchange(
    State(gateway): State<Gateway>,
    request: Parts,
    asking: Asking,
    Json { value, bytes }: Json<OneTimeCode>,
) -> Result<Response, Problem> {
    let parts = gateway.parts();
    let code = Code::read(&parts.keys, &value.code, &request.headers, parts.clock.now_ms())?;
    // The session began with number 0, which nobody was given a token of: only the first exchange gets number 1.
    let command = Command::Refresh {
        session: code.session,
        counter: 0,
        expires_at: gateway.session_end(),
    };
    let ask = asking.ask(&gateway, "oidc-exchange", &bytes);
    let outcome = gateway.give_account(code.account, command, ask).await?;
    let refreshed = |event: &AnyEvent| matches!(event, AnyEvent::Accounts(Event::SessionRefreshed(_)));
    if !outcome.events.iter().any(refreshed) {
        return Err(Code::is_over());
    }
    let refresh = Refresh {
        account: code.account,
        session: code.session,
        counter: 1,
    };
    let signed_in = gateway.signed_in(refresh).await?;
    let headers = [
        consistency_header(&outcome),
        Code::forget(&gateway.base(&request)),
        NO_STORE,
    ];
    Ok((AppendHeaders(headers), axum::Json(signed_in)).into_response())
}

const NO_STORE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

impl Gateway {
    /// What others reach this site by: as configured, or as this request says.
    fn base(&self, request: &Parts) -> String {
        if let Some(public) = &self.parts().config.public_url {
            return public.trim_end_matches('/').to_owned();
        }
        let named = request.headers.get(header::HOST);
        let named = named.and_then(|host| host.to_str().ok());
        let host = request.uri.authority().map(Authority::as_str).or(named);
        let host = host.filter(|host| host.parse::<Authority>().is_ok());
        let scheme = match Visit::of(&request.extensions).is_https {
            true => "https",
            false => "http",
        };
        let listen = self.parts().config.listen.to_string();
        format!("{scheme}://{}", host.unwrap_or(&listen))
    }

    /// Whose ways to sign in are to be changed, and in which session: neither a key nor a token of others may do that.
    async fn linking(&self, asking: &Asking) -> Result<(AccountId, SessionId), Problem> {
        let (account, session) = asking.caller.session()?;
        self.check_goes_on(account, session).await?;
        Ok((account, session))
    }

    async fn check_goes_on(&self, account: AccountId, session: SessionId) -> Result<(), Problem> {
        let now = Timestamp::from_millis(self.parts().clock.now_ms());
        let (state, _) = self.parts().commands.state::<Account>(account.stream()).await?;
        state
            .admits(session, now)
            .map(drop)
            .ok_or_else(Problem::sign_in_needed)
    }

    async fn began(
        &self,
        name: &str,
        base: &str,
        return_to: String,
        linking: Option<(AccountId, SessionId)>,
    ) -> Result<(Attempt, String), Trouble> {
        let provider = self.providers().get(name)?;
        let redirect_uri = format!("{base}/api/auth/oidc/{name}/callback");
        let now_ms = self.parts().clock.now_ms();
        let attempt = Attempt::new(name.to_owned(), redirect_uri, return_to, linking, now_ms);
        let address = provider.address(&attempt).await?;
        Ok((attempt, address))
    }

    /// The attempt of this browser that the answer belongs to.
    fn attempt(&self, name: &str, answer: &Answer, headers: &HeaderMap) -> Result<Attempt, Trouble> {
        self.providers().get(name)?;
        let state = answer.state.as_deref().ok_or(Trouble::StartAgain)?;
        let parts = self.parts();
        Attempt::of(&parts.keys, headers, name, state, parts.clock.now_ms()).ok_or(Trouble::StartAgain)
    }

    /// Where to send the browser, and what it must keep for that.
    async fn came_back(
        &self,
        attempt: &Attempt,
        answer: Answer,
        base: &str,
        client: &Client,
        asking: &Asking,
    ) -> Result<(String, Option<(HeaderName, HeaderValue)>), Trouble> {
        if let Some(error) = answer.error {
            return Err(match error.as_str() {
                "server_error" | "temporarily_unavailable" => Trouble::ProviderAway(error),
                "access_denied" | "consent_required" | "interaction_required" | "login_required" => {
                    Trouble::RefusedThere
                }
                // What the operator has to put right: a scope or an address that the provider does not know.
                _ => {
                    let words = answer.error_description.unwrap_or_default();
                    let words: String = words.chars().take(REASON_MAX_CHARS).collect();
                    not_believed(format!("the provider answered {error:?}: {words:?}"))
                }
            });
        }
        let code = answer.code.filter(|code| code.len() <= ANSWER_MAX_BYTES);
        let code = code.ok_or_else(|| not_believed("the answer has no code"))?;
        let parts = self.parts();
        let name = attempt.provider.as_str();
        let provider = self.providers().get(name)?;
        let told = provider.told(attempt, code, answer.iss.as_deref()).await?;
        let ask = asking.ask(self, "oidc-callback", b"");
        if let Some((account, session)) = attempt.linking {
            self.check_goes_on(account, session).await?;
            self.link(account, &told, name, &ask).await?;
            return Ok((attempt.return_to.clone(), None));
        }
        let may_register = parts.config.auth.open_registration;
        let account = self.arrive(told, name, may_register, &ask).await?;
        let confirmed = self.check_confirmed(account, &ask).await;
        confirmed.map_err(|problem| match problem.kind() {
            Kind::NotAllowed => Trouble::ConfirmFirst,
            _ => Trouble::Other(problem),
        })?;
        // It lasts until the code is exchanged, or ends with it.
        let ends = Timestamp::from_millis(parts.clock.now_ms()) + Millis(CODE_SECONDS * 1000);
        let (refresh, _) = self.start_session_until(account, ends, &ask, client).await?;
        let (code, cookie) = Code::make(&parts.keys, account, refresh.session, base, parts.clock.now_ms());
        let fragment = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("return_to", &attempt.return_to)
            .finish();
        Ok((format!("/login#{fragment}"), Some(cookie)))
    }
}

/// For a browser the sign-in page, which has a sentence for each name; for others the problem itself.
fn failed(
    trouble: Trouble,
    provider: &str,
    headers: &HeaderMap,
    cookie: Option<(HeaderName, HeaderValue)>,
) -> Result<Response, Problem> {
    let name = trouble.name();
    // What the operator may have to put right is said even to those whom no problem reaches.
    if let Trouble::ProviderAway(cause) | Trouble::NotBelieved(cause) = &trouble {
        tracing::warn!(provider, name, cause, "a sign-in by a provider failed");
    }
    let problem = Problem::from(trouble);
    if !is_for_a_page(headers) {
        return Err(match cookie {
            Some((name, value)) => problem.with_header(name, value),
            None => problem,
        });
    }
    tracing::debug!(provider, name, ?problem, "a browser is told of a problem");
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("problem", name)
        .append_pair("provider", provider)
        .finish();
    let answer = redirect(&format!("/login?{query}"));
    let cookies = cookie.into_iter().chain([NO_STORE]);
    Ok((cookies.collect::<HeaderMap>(), answer).into_response())
}

fn redirect(location: &str) -> Response {
    let location = HeaderValue::try_from(location).expect("addresses and what we encode are visible ASCII");
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("application/json")) && !is_for_a_page(headers)
}

/// A path of this site and nothing that a browser reads otherwise: `//elsewhere` and `/\elsewhere` lead away.
fn checked_path(path: Option<String>) -> Result<String, Problem> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_own = path.starts_with('/') && !path.starts_with("//");
    if is_plain && is_own && path.len() <= RETURN_TO_MAX_BYTES {
        return Ok(path);
    }
    Err(Problem::invalid(
        "/return_to",
        "must be a path of this site, such as /my",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_returned_to() {
        for good in ["/", "/my", "/watch/1?t=3#at", "/a//b", "/%2F%2Felsewhere"] {
            assert_eq!(checked_path(Some(good.to_owned())).ok().as_deref(), Some(good));
        }
        let long = format!("/{}", "x".repeat(RETURN_TO_MAX_BYTES));
        for bad in [
            "",
            "my",
            "//a.example",
            "/\\a.example",
            "https://a.example",
            "/\t/a.example",
            "/a b",
            "/ü",
            &long,
        ] {
            assert!(checked_path(Some(bad.to_owned())).is_err(), "{bad:?}");
        }
    }
}
