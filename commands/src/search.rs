//! The search for the node that leads a partition: this one, the one that claimed it last, or the one that another names.

use crate::answer::CommandError;
use crate::executor::Shared;
use crate::standing::{becomes, changes};
use spool_log::{Log, Role, Standing};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait before asking again while nobody can be found: at first, and at most.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// The way of one question.
pub struct Search {
    standing: watch::Receiver<Standing>,
    /// The term of the owner when it was last looked at.
    term: Option<u64>,
    /// Where the node that was asked last said to go.
    hint: Option<String>,
    /// Whether the node that was asked last was a hint itself.
    is_hinted: bool,
    pause: Duration,
    /// Why there is no answer yet.
    trouble: CommandError,
}

/// Who is to be asked next.
pub enum Place {
    Here(Arc<Shared>),
    There(String),
    Unknown,
}

impl Search {
    pub fn new(log: &Log, partition: u16) -> Self {
        Self {
            standing: log.standing(partition),
            term: None,
            hint: None,
            is_hinted: false,
            pause: PAUSE,
            trouble: CommandError::Elsewhere(None),
        }
    }

    pub fn place(&mut self, here: Option<&Arc<Shared>>) -> Place {
        let hint = self.hint.take();
        self.is_hinted = hint.is_some();
        let standing = self.standing.borrow_and_update();
        self.term = standing.owner.as_ref().map(|owner| owner.term);
        match here {
            Some(shared) if standing.role != Role::Following => Place::Here(Arc::clone(shared)),
            _ => match hint.or_else(|| standing.owner.as_ref().map(|owner| owner.url.clone())) {
                Some(url) => Place::There(url),
                None => Place::Unknown,
            },
        }
    }

    /// What comes of asking another node, unless somebody claims the partition first: a node that has stopped without
    /// closing its connections never answers.
    pub async fn unless_it_moves<T>(
        &mut self,
        asking: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let term = self.term;
        let has_moved = |standing: &Standing| standing.owner.as_ref().map(|owner| owner.term) != term;
        tokio::select! {
            biased;
            answer = asking => answer,
            () = becomes(&mut self.standing, has_moved) => Err(CommandError::Elsewhere(None)),
        }
    }

    /// Whether that was the answer. If not, returns when it is time to ask again.
    pub async fn settle<T>(
        &mut self,
        asked: Result<T, CommandError>,
    ) -> ControlFlow<Result<T, CommandError>> {
        match asked {
            Err(CommandError::Elsewhere(Some(url))) if !self.is_hinted => self.hint = Some(url),
            Err(error @ (CommandError::Elsewhere(_) | CommandError::Unavailable(_))) => {
                self.trouble = error;
                self.rest().await;
            }
            answer => return ControlFlow::Break(answer),
        }
        ControlFlow::Continue(())
    }

    /// What to say when the time is over.
    pub fn trouble(self) -> CommandError {
        match self.trouble {
            CommandError::Elsewhere(_) => {
                CommandError::Unavailable("no node that leads the partition was found in time".into())
            }
            other => other,
        }
    }

    async fn rest(&mut self) {
        tokio::select! {
            () = tokio::time::sleep(self.pause) => {}
            () = changes(&mut self.standing) => {}
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}
