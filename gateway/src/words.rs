//! Words that the rules have and the document shows: the rules know of no document, so what they say is described here.

use utoipa::ToSchema;

/// What an API key may be used for, within what its owner's role allows.
#[derive(ToSchema)]
#[schema(as = Scope)]
#[expect(dead_code, reason = "only describes the words")]
pub enum ScopeWord {
    /// Looking at videos, jobs and media.
    #[schema(rename = "videos:read")]
    VideosRead,
    /// Uploading, changing and deleting videos, and what is made of them.
    #[schema(rename = "videos:write")]
    VideosWrite,
    /// Looking at the account.
    #[schema(rename = "account:read")]
    AccountRead,
    /// Changing the profile and the preferences; never passwords, sessions or keys.
    #[schema(rename = "account:write")]
    AccountWrite,
    /// What only administrators may.
    #[schema(rename = "admin")]
    Admin,
}
