//! Erasure: when a person is to be forgotten, the key goes first, and with it all that was sealed; then the person's videos.
//!
//! Apart from the other managers, because it waits for the catalogue, and nothing else should wait with it.

use crate::answer::{Ask, CommandError};
use crate::managers::{Manager, Reacting, Reaction};
use spool_domain::accounts;
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, VideoId};
use spool_domain::videos;
use spool_platform::keys::Keys;
use spool_schemas::AnyEvent;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// Destroys the keys of persons who are erased, and deletes their videos.
pub const ERASURES: Manager = Manager {
    name: "erasures",
    events: &["UserErased"],
    react: |reaction, event| erase(reaction, event),
};

/// The videos that a person has, as the catalogue knows them once it has everything that is in the log now.
pub type VideosOf = Arc<dyn Fn(AccountId) -> Listing + Send + Sync>;
pub type Listing = Pin<Box<dyn Future<Output = Result<Vec<VideoId>, String>> + Send>>;

/// What erasing a person takes beyond the log.
#[derive(Clone)]
pub struct Erasing {
    pub keys: Keys,
    pub videos_of: VideosOf,
}

impl fmt::Debug for Erasing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Erasing")
    }
}

fn erase<'a>(reaction: &'a Reaction<'a>, event: AnyEvent) -> Reacting<'a> {
    Box::pin(async move {
        let AnyEvent::Accounts(accounts::Event::Erased(_)) = event else {
            return Ok(());
        };
        let Some(erasing) = &reaction.settings().erasing else {
            return Ok(());
        };
        let account = AccountId(reaction.stream.id);
        let keys = erasing.keys.clone();
        let erased = tokio::task::spawn_blocking(move || keys.erase(account.0)).await;
        erased
            .map_err(|error| CommandError::Unavailable(error.to_string()))?
            .map_err(|error| CommandError::Unavailable(error.to_string()))?;
        // What was uploaded at the same time may be there at the second look only.
        loop {
            let videos = (erasing.videos_of)(account).await;
            let videos = videos.map_err(CommandError::Unavailable)?;
            if videos.is_empty() {
                return Ok(());
            }
            for video in videos {
                delete(reaction, video).await?;
            }
        }
    })
}

/// To delete again what is deleted says nothing, so this needs no number of its own: which videos are left changes from one look to
/// the next.
async fn delete(reaction: &Reaction<'_>, video: VideoId) -> Result<(), CommandError> {
    let by = Actor::System;
    let ask = Ask {
        cause: reaction.cause(),
        ..Ask::fresh(by)
    };
    let command = videos::Command::Delete { by };
    match reaction.commands.give(video.stream(), command, ask).await {
        Ok(_) => Ok(()),
        Err(CommandError::Refused(refusal)) => {
            tracing::info!(%video, %refusal, "a video of an erased person was not deleted");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
