//! Why somebody could not sign in by a provider: for programs as a problem, for people as an address of the sign-in page.
//!
//! Everything below `oidc` answers with a [`Trouble`]; what went wrong elsewhere comes along as it is.

use crate::problem::{Kind, Problem};
use axum::http::header;
use spool_commands::CommandError;
use std::fmt::Display;

/// How a sign-in by a provider may fail.
#[derive(Debug)]
pub enum Trouble {
    UnknownProvider,
    /// It does not answer, or not as it should. The cause is for the operator.
    ProviderAway(String),
    /// The person or the provider said no there.
    RefusedThere,
    /// No attempt of this browser fits, or its time is over.
    StartAgain,
    /// What the provider or the browser brought is not good: a code that was used, an ID token with another nonce.
    NotBelieved(String),
    NoEmail,
    EmailUnverified,
    /// Nobody has proved here that it is theirs, so it may be another's than the account's.
    EmailUnconfirmed,
    RegistrationClosed,
    AccountClosed,
    /// Nobody signs in here before the e-mail address is confirmed; a mail is on its way.
    ConfirmFirst,
    /// Who wants to link it is somebody else than who has it.
    IdentityTaken,
    /// Another request is about to do the same.
    UnderWay,
    Other(Problem),
}

impl Trouble {
    /// What the sign-in page knows it by, and how the problem reads.
    const fn facts(&self) -> Option<(&'static str, Kind, &'static str)> {
        Some(match self {
            Self::UnknownProvider => (
                "unknown-provider",
                Kind::NotFound,
                "there is no such provider to sign in with",
            ),
            Self::ProviderAway(_) => (
                "provider-away",
                Kind::Unavailable,
                "the provider does not answer at the moment; try again, or sign in another way",
            ),
            Self::RefusedThere => (
                "refused-there",
                Kind::NotAllowed,
                "the sign-in was broken off at the provider",
            ),
            Self::StartAgain => (
                "start-again",
                Kind::Malformed,
                "this sign-in was not begun in this browser, is over already, or took too long; please start again",
            ),
            Self::NotBelieved(_) => (
                "not-believed",
                Kind::SignInNeeded,
                "what came back from the provider is not good; please start again",
            ),
            Self::NoEmail => (
                "no-email",
                Kind::Conflict,
                "the provider tells no e-mail address; register here first, and then link the provider in your profile",
            ),
            Self::EmailUnverified => (
                "email-unverified",
                Kind::Conflict,
                "there is an account with this e-mail address, and the provider has not verified that it is yours; sign in with your \
                 password first, and then link the provider in your profile",
            ),
            Self::EmailUnconfirmed => (
                "email-unconfirmed",
                Kind::Conflict,
                "there is an account with this e-mail address, and nobody has confirmed here that it is theirs; sign in with your password, \
                 or set a new one by e-mail, and then link the provider in your profile",
            ),
            Self::RegistrationClosed => (
                "registration-closed",
                Kind::NotAllowed,
                "registration is closed here; ask an administrator",
            ),
            Self::AccountClosed => (
                "account-closed",
                Kind::NotAllowed,
                "this account is closed; ask an administrator",
            ),
            Self::ConfirmFirst => (
                "confirm-email",
                Kind::NotAllowed,
                "confirm your e-mail address first, by the link in the mail that was sent to it",
            ),
            Self::IdentityTaken => (
                "identity-taken",
                Kind::Conflict,
                "somebody else signs in here with this account of the provider",
            ),
            Self::UnderWay => (
                "under-way",
                Kind::Conflict,
                "another sign-in with this account of the provider is under way; try again in a minute",
            ),
            Self::Other(_) => return None,
        })
    }

    /// The name that the sign-in page has a sentence for.
    pub fn name(&self) -> &'static str {
        self.facts().map_or("something-wrong", |(name, ..)| name)
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        let facts = trouble.facts();
        let (kind, detail) = facts.map_or((Kind::Defect, ""), |(_, kind, detail)| (kind, detail));
        match trouble {
            Trouble::Other(problem) => problem,
            Trouble::ProviderAway(cause) => Self::unavailable(detail).caused_by(cause),
            Trouble::NotBelieved(cause) => Self::new(kind, detail).caused_by(cause),
            _ => Self::new(kind, detail),
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

impl From<CommandError> for Trouble {
    fn from(error: CommandError) -> Self {
        Self::Other(error.into())
    }
}

impl From<tokio::task::JoinError> for Trouble {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Other(error.into())
    }
}

/// For `map_err`.
pub fn away(cause: impl Display) -> Trouble {
    Trouble::ProviderAway(cause.to_string())
}

/// For `map_err`.
pub fn not_believed(cause: impl Display) -> Trouble {
    Trouble::NotBelieved(cause.to_string())
}

/// Whether whoever asks is a person with a browser, who can do nothing with a problem as JSON.
pub fn is_for_a_page(headers: &axum::http::HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}
