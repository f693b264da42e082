//! What owners say about their videos: sealed in the log with the owner's key, opened for whoever may see it.
//!
//! The same text is sealed to the same, so that a change that changes nothing is known as such, and a repeated upload too.

use crate::auth::Caller;
use crate::gateway::Gateway;
use crate::problem::Problem;
use spool_domain::actors::Role;
use spool_domain::ids::{AccountId, VideoId};
use spool_domain::sealed::{MARK, unmarked};
use spool_domain::uploads::Received;
use spool_domain::videos::{self, Described, Source};
use spool_platform::keys::{Keys, KeysError, PersonKey};
use spool_projections::QueryError;
use spool_projections::catalogue::Video;

const TITLE: &[u8] = b"videos/title";
const DESCRIPTION: &[u8] = b"videos/description";
const FILE_NAME: &[u8] = b"videos/file-name";
/// For whoever opens all that there is.
pub const PURPOSES: [&[u8]; 3] = [TITLE, DESCRIPTION, FILE_NAME];

impl Gateway {
    /// Whose key the texts of a video are sealed with. Who is neither the owner nor one of those who may act for others is refused
    /// later, whatever they say.
    pub(crate) async fn owner_of(&self, id: VideoId, caller: &Caller) -> Result<AccountId, Problem> {
        let credential = caller.credential()?;
        match credential.role {
            Role::Viewer | Role::Creator => Ok(credential.account),
            Role::Admin | Role::Service => {
                // Apart, so that what owners change of their videos does not carry what this needs.
                let looking = Box::pin(self.parts().commands.state::<videos::Video>(id.stream()));
                match looking.await?.0 {
                    videos::Video::Existing(existing) => Ok(existing.owner),
                    videos::Video::Nothing | videos::Video::Deleted { .. } => {
                        Err(Problem::not_found("video"))
                    }
                }
            }
        }
    }

    /// As the log keeps it. What is no good stays as it is, and is refused where it is decided.
    pub(crate) async fn sealed_description(
        &self,
        owner: AccountId,
        description: &Described,
    ) -> Result<Described, Problem> {
        if description.check().is_err() {
            return Ok(description.clone());
        }
        let key = self.key_of(owner).await?;
        Ok(sealed_texts(&key, description))
    }

    /// The upload as the log keeps it; its texts were checked as they came.
    pub(crate) async fn sealed_upload(&self, received: &Received) -> Result<Received, Problem> {
        let key = self.key_of(received.owner).await?;
        Ok(Received {
            description: sealed_texts(&key, &received.description),
            source: Source {
                file_name: sealed(&key, &received.source.file_name, FILE_NAME),
                ..received.source.clone()
            },
            video: received.video,
            owner: received.owner,
        })
    }

    pub(crate) async fn opened_description(
        &self,
        owner: AccountId,
        description: Described,
    ) -> Result<Described, Problem> {
        let open = move |keys: &Keys| {
            Ok(Described {
                title: opened(keys, owner, &description.title, TITLE)?,
                description: opened(keys, owner, &description.description, DESCRIPTION)?,
                ..description
            })
        };
        self.opening(owner, open).await
    }

    pub(crate) async fn opened_file_name(&self, owner: AccountId, name: String) -> Result<String, Problem> {
        let open = move |keys: &Keys| opened(keys, owner, &name, FILE_NAME);
        self.opening(owner, open).await
    }

    /// The video with its texts as they were written, and without them once its owner was erased. Blocking.
    pub(crate) fn with_texts(&self, mut video: Video) -> Result<Video, QueryError> {
        let owner = video.owner_id;
        let open = |text: &str, purpose| match opened(&self.parts().keys, owner, text, purpose) {
            Ok(text) => Ok(text),
            Err(KeysError::Erased) => Ok(String::new()),
            Err(KeysError::Shared(error)) => Err(QueryError::Tables(error)),
            Err(error) => {
                // A list with a text missing is better than no list.
                tracing::warn!(%owner, %error, "what is said about a video cannot be read");
                Ok(String::new())
            }
        };
        video.title = open(&video.title, TITLE)?;
        video.description = open(&video.description, DESCRIPTION)?;
        if let Some(original) = &mut video.original {
            original.file_name = open(&original.file_name, FILE_NAME)?;
            video.file_name = Some(original.file_name.clone());
        }
        Ok(video)
    }

    /// To seal with. Fetched where that may block, if it has to be.
    async fn key_of(&self, owner: AccountId) -> Result<PersonKey, Problem> {
        let keys = &self.parts().keys;
        if let Some(key) = keys.at_hand(owner.0) {
            return Ok(key);
        }
        let keys = keys.clone();
        Ok(tokio::task::spawn_blocking(move || keys.of_person(owner.0)).await??)
    }

    /// Where it may block, if the key has to be fetched.
    async fn opening<T: Send + 'static>(
        &self,
        owner: AccountId,
        work: impl FnOnce(&Keys) -> Result<T, KeysError> + Send + 'static,
    ) -> Result<T, Problem> {
        let keys = &self.parts().keys;
        if keys.at_hand(owner.0).is_some() {
            return Ok(work(keys)?);
        }
        let keys = keys.clone();
        Ok(tokio::task::spawn_blocking(move || work(&keys)).await??)
    }
}

fn sealed_texts(key: &PersonKey, plain: &Described) -> Described {
    Described {
        title: sealed(key, &plain.title, TITLE),
        description: sealed(key, &plain.description, DESCRIPTION),
        visibility: plain.visibility,
    }
}

fn sealed(key: &PersonKey, text: &str, purpose: &[u8]) -> String {
    // Base64 of the text with what sealing adds.
    let mut sealed =
        String::with_capacity(MARK.len() + (text.len() + PersonKey::ADDED_BYTES).div_ceil(3) * 4);
    sealed.push_str(MARK);
    key.seal_same_onto(&mut sealed, text.as_bytes(), purpose);
    sealed
}

/// A text in the clear, of a log of before, is what it is.
fn opened(keys: &Keys, owner: AccountId, text: &str, purpose: &[u8]) -> Result<String, KeysError> {
    let Some(sealed) = unmarked(text) else {
        return Ok(text.to_owned());
    };
    match keys.open_sealed(owner.0, sealed, purpose) {
        Ok(text) => String::from_utf8(text).map_err(|_| KeysError::Damaged),
        Err(error) => Err(error),
    }
}
