//! HTTP, WebSocket and HLS: the public face. One file per feature; [`Gateway`] puts them together.

mod accounts;
mod asking;
mod asyncapi;
mod auth;
mod body;
mod docs;
mod edge;
mod encoded;
mod frame;
mod gateway;
mod health;
mod internal;
mod jobs;
mod linger;
mod live;
mod media;
mod oidc;
mod openapi;
mod pages;
mod paging;
#[cfg(any(test, fuzzing))]
pub mod parsing;
mod passwords;
mod people;
mod pictures;
mod problem;
mod ranges;
mod said;
mod serve;
mod tokens;
mod uploads;
mod users;
mod videos;
mod words;
mod ws;

pub use edge::tls::{Tls, TlsError};
pub use gateway::{Gateway, Parts};
pub use internal::Internal;
pub use problem::Kind as ProblemKind;
