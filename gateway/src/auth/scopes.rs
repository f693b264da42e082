//! What an API key may be used for, and which routes that is.

use crate::problem::Problem;
use axum::http::Method;
use spool_domain::accounts::Scope;

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |all, scope| all | bit(*scope)))
    }

    pub const fn has(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// 403 unless the set is enough for a request to `route`, a path as the router knows it.
    pub fn check(self, method: &Method, route: &str) -> Result<(), Problem> {
        match needed(method, route) {
            Need::Nothing => Ok(()),
            Need::Person => Err(Problem::not_allowed(
                "an API key cannot do this; sign in as a person",
            )),
            Need::Scope(scope) if self.has(scope) => Ok(()),
            Need::Scope(scope) => Err(Problem::not_allowed(format!(
                "this API key is not for that; it needs the scope {}",
                word(scope)
            ))),
        }
    }
}

const fn bit(scope: Scope) -> u8 {
    match scope {
        Scope::VideosRead => 1,
        Scope::VideosWrite => 2,
        Scope::AccountRead => 4,
        Scope::AccountWrite => 8,
        Scope::Admin => 16,
    }
}

/// The scope as it is written.
pub const fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::VideosRead => "videos:read",
        Scope::VideosWrite => "videos:write",
        Scope::AccountRead => "account:read",
        Scope::AccountWrite => "account:write",
        Scope::Admin => "admin",
    }
}

/// What an API key has to be good for.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    Scope(Scope),
    /// Passwords, sessions, keys and the archive of everything are for persons only.
    Person,
}

/// What a request to `route`, a path as the router knows it, needs.
pub fn needed(method: &Method, route: &str) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let of = |read, write| Need::Scope(if reads { read } else { write });
    let mut parts = route.trim_start_matches('/').split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("api"), Some("auth"), Some("profile" | "user" | "preferences")) => {
            of(Scope::AccountRead, Scope::AccountWrite)
        }
        (Some("api"), Some("auth"), Some("validate-token" | "verify" | "register-admin")) => Need::Nothing,
        (Some("api"), Some("auth"), _) => Need::Person,
        (Some("api"), Some("users"), None) => Need::Scope(Scope::Admin),
        (Some("api"), Some("users"), Some(_)) => match (reads, parts.next()) {
            // All that is kept about somebody at once is for nobody who only found a key.
            (true, Some("export")) => Need::Person,
            (true, _) => Need::Scope(Scope::AccountRead),
            (false, Some("profile" | "preferences" | "avatar")) => Need::Scope(Scope::AccountWrite),
            (false, _) => Need::Scope(Scope::Admin),
        },
        (Some("api"), Some("admin"), _) => Need::Scope(Scope::Admin),
        (Some("api"), _, _) => of(Scope::VideosRead, Scope::VideosWrite),
        _ => Need::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_needs_what_it_is_about() {
        for (method, route, need) in [
            (Method::GET, "/api/videos", Need::Scope(Scope::VideosRead)),
            (Method::PUT, "/api/videos/{id}", Need::Scope(Scope::VideosWrite)),
            (
                Method::POST,
                "/api/storage/upload/video",
                Need::Scope(Scope::VideosWrite),
            ),
            (Method::GET, "/api/auth/profile", Need::Scope(Scope::AccountRead)),
            (Method::PUT, "/api/auth/profile", Need::Scope(Scope::AccountWrite)),
            (Method::GET, "/api/auth/sessions", Need::Person),
            (Method::POST, "/api/auth/api-keys", Need::Person),
            (Method::PUT, "/api/auth/change-password", Need::Person),
            (Method::GET, "/api/users", Need::Scope(Scope::Admin)),
            (Method::GET, "/api/users/{id}/export", Need::Person),
            (
                Method::GET,
                "/api/users/{id}/stats",
                Need::Scope(Scope::AccountRead),
            ),
            (
                Method::PUT,
                "/api/users/{id}/preferences",
                Need::Scope(Scope::AccountWrite),
            ),
            (
                Method::DELETE,
                "/api/users/{id}/avatar",
                Need::Scope(Scope::AccountWrite),
            ),
            (Method::DELETE, "/api/users/{id}", Need::Scope(Scope::Admin)),
            (Method::GET, "/health", Need::Nothing),
        ] {
            assert_eq!(needed(&method, route), need, "{method} {route}");
        }
    }
}
