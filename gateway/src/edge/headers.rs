//! What every answer tells browsers to refuse.

use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::Response;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const REFERRERS: HeaderValue = HeaderValue::from_static("same-origin");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
/// A year. Subdomains are somebody else's business.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// What the player needs, for ourselves; nothing else, for nobody.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "autoplay=(self), fullscreen=(self), picture-in-picture=(self), camera=(), microphone=(), geolocation=(), payment=(), usb=()",
);
/// For what is no page: should a browser show it all the same, it does nothing.
const DATA: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Nothing from elsewhere, nothing inline.
const PAGES: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' ws: wss:; \
     style-src 'self'; script-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; ";

/// What an answer is to a browser. A route says so by putting it into the extensions of its answer; without that it is data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Data,
    /// A page, in no frame of anybody.
    Page,
    /// A page that others may frame.
    Framed,
}

/// The policies for browsers, made once.
pub struct Guards {
    page: HeaderValue,
    framed: HeaderValue,
    is_always_https: bool,
}

impl Guards {
    /// `films` is where films are also, if they are; `public_url` is where we are.
    pub fn new(films: Option<&str>, public_url: Option<&str>) -> Self {
        let policy = |ancestors: &str| {
            let policy = format!("{}frame-ancestors {ancestors}", pages_policy(films));
            HeaderValue::try_from(policy).expect("an origin is visible ASCII")
        };
        Self {
            page: policy("'none'"),
            framed: policy("*"),
            is_always_https: public_url.is_some_and(|url| url.starts_with("https://")),
        }
    }

    /// Adds the headers to an answer, which came by HTTPS or not.
    pub fn guard(&self, answer: &mut Response, is_https: bool) {
        let shown = answer.extensions_mut().remove::<Shown>().unwrap_or_default();
        let headers = answer.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.insert(header::REFERRER_POLICY, REFERRERS);
        headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
        let policy = match shown {
            Shown::Data => DATA,
            Shown::Page => self.page.clone(),
            Shown::Framed => self.framed.clone(),
        };
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        if shown != Shown::Framed {
            headers.insert(header::X_FRAME_OPTIONS, DENY);
        }
        if is_https || self.is_always_https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
    }
}

/// The policy of pages, whose films are perhaps also at an address elsewhere.
fn pages_policy(films: Option<&str>) -> String {
    let films = films.and_then(|address| Uri::try_from(address).ok());
    let parts = films
        .as_ref()
        .map(|films| (films.scheme_str(), films.authority()));
    let Some((Some(scheme), Some(authority))) = parts else {
        return PAGES.to_owned();
    };
    let widened = |policy: String, what: &str| {
        policy.replace(
            &format!("{what} 'self'"),
            &format!("{what} 'self' {scheme}://{authority}"),
        )
    };
    ["img-src", "media-src", "connect-src"]
        .into_iter()
        .fold(PAGES.to_owned(), widened)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(shown: Shown, is_https: bool) -> Response {
        let guards = Guards::new(Some("https://cdn.example/films"), None);
        let mut answer = Response::default();
        answer.extensions_mut().insert(shown);
        guards.guard(&mut answer, is_https);
        answer
    }

    fn text(answer: &Response, name: HeaderName) -> &str {
        let value = answer.headers().get(name);
        value.map_or("", |value| value.to_str().expect("it is ASCII"))
    }

    #[test]
    fn only_what_is_made_for_it_may_be_framed() {
        for (shown, ancestors, options) in [
            (Shown::Data, "frame-ancestors 'none'", "DENY"),
            (Shown::Page, "frame-ancestors 'none'", "DENY"),
            (Shown::Framed, "frame-ancestors *", ""),
        ] {
            let answer = guarded(shown, false);
            assert!(
                text(&answer, header::CONTENT_SECURITY_POLICY).ends_with(ancestors),
                "{shown:?}"
            );
            assert_eq!(text(&answer, header::X_FRAME_OPTIONS), options, "{shown:?}");
        }
    }

    #[test]
    fn pages_may_fetch_films_where_they_are() {
        let page = guarded(Shown::Page, false);
        let policy = text(&page, header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.contains("media-src 'self' https://cdn.example blob:"),
            "{policy}"
        );
        assert!(policy.contains("script-src 'self';"), "{policy}");
    }

    #[test]
    fn https_is_kept_to_where_it_is_spoken() {
        assert_eq!(
            text(&guarded(Shown::Data, false), header::STRICT_TRANSPORT_SECURITY),
            ""
        );
        assert_eq!(
            text(&guarded(Shown::Data, true), header::STRICT_TRANSPORT_SECURITY),
            "max-age=31536000"
        );
        let mut answer = Response::default();
        Guards::new(None, Some("https://films.example")).guard(&mut answer, false);
        assert!(answer.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
