//! How an attempt can end without a completed job, and what each kind of trouble means for it.

use crate::media_child::ChildError;
use crate::publisher::PublishError;
use spool_blobs::BlobError;
use spool_commands::{AnyRefusal, CommandError};
use spool_domain::jobs::{Failure, Refusal};

/// Why an attempt ended without a completed job.
pub enum End {
    /// Told to the log.
    Failed(Failure),
    /// Somebody else has the job now, it is over, or this process stops: nothing is to be said.
    CutOff,
}

impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Command(error) => error.into(),
            // What this attempt has just written is not the uploaded file; another attempt writes it anew.
            PublishError::Blobs(error @ BlobError::NotFound { .. }) => {
                passing("storage", format!("storing the film failed: {error}"))
            }
            PublishError::Blobs(error) => error.into(),
            PublishError::OutOfOrder { .. } => passing("out_of_order", error.to_string()),
        }
    }
}

impl From<BlobError> for End {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => passing("no_room", "there is no room left to store the film".into()),
            BlobError::NotFound { .. } => End::Failed(Failure {
                code: "file_missing".into(),
                sentence: "the uploaded file is gone; please upload it again".into(),
                passing: false,
            }),
            BlobError::InvalidKey { .. }
            | BlobError::Io { .. }
            | BlobError::Unavailable { .. }
            | BlobError::Changed { .. }
            | BlobError::Refused { .. }
            | BlobError::Unsupported(_)
            | BlobError::Setup(_) => passing("storage", format!("storing the film failed: {error}")),
        }
    }
}

impl From<CommandError> for End {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(AnyRefusal::Jobs(
                Refusal::Fenced | Refusal::Over(_) | Refusal::Leased | Refusal::NoSuchJob,
            )) => Self::CutOff,
            // The attempt said something that cannot be: its own defect, not a lost lease.
            CommandError::Refused(refusal) => {
                let sentence = format!("the media program's result was not accepted: {refusal}");
                passing("result_refused", sentence)
            }
            CommandError::Full => passing("no_room", "there is no room left in the log".into()),
            CommandError::Stale { .. }
            | CommandError::OtherRequest
            | CommandError::Elsewhere(_)
            | CommandError::Unavailable(_) => {
                passing("log_away", format!("the log could not be written: {error}"))
            }
        }
    }
}

impl From<ChildError> for End {
    fn from(error: ChildError) -> Self {
        End::Failed(Failure {
            code: error.code.clone(),
            sentence: error.sentence.clone(),
            passing: !error.permanent,
        })
    }
}

/// A failure after which another attempt may fare better.
pub fn passing(code: &str, sentence: String) -> End {
    End::Failed(Failure {
        code: code.into(),
        sentence,
        passing: true,
    })
}
