//! Counts what the executors of this node have answered.

use crate::answer::{Ask, CommandError, Outcome};
use crate::executor::Shared;
use crate::features::AnyCommand;
use metrics::{Counter, counter};
use spool_domain::ids::StreamId;
use std::sync::{Arc, OnceLock};

/// Looked up at the first answer: their registry is too slow for every one.
#[derive(Default)]
pub struct Figures(OnceLock<Counters>);

struct Counters {
    repeated: Counter,
    quiet: Counter,
    accepted: Counter,
    refused: Counter,
    stale: Counter,
    other_request: Counter,
    full: Counter,
    elsewhere: Counter,
    unavailable: Counter,
}

impl Shared {
    /// Like [`Shared::give`], and counts what came of it.
    pub async fn give_counted(
        self: &Arc<Self>,
        stream: StreamId,
        command: &AnyCommand,
        ask: &Ask,
    ) -> Result<Outcome, CommandError> {
        let given = self.give(stream, command, ask).await;
        self.figures.count(&given);
        given
    }
}

impl Figures {
    fn count(&self, given: &Result<Outcome, CommandError>) {
        let counters = self.0.get_or_init(Counters::look_up);
        let counter = match given {
            Ok(outcome) if outcome.repeated => &counters.repeated,
            Ok(outcome) if outcome.position.is_none() => &counters.quiet,
            Ok(_) => &counters.accepted,
            Err(CommandError::Refused(_)) => &counters.refused,
            Err(CommandError::Stale { .. }) => &counters.stale,
            Err(CommandError::OtherRequest) => &counters.other_request,
            Err(CommandError::Full) => &counters.full,
            Err(CommandError::Elsewhere(_)) => &counters.elsewhere,
            Err(CommandError::Unavailable(_)) => &counters.unavailable,
        };
        counter.increment(1);
    }
}

impl Counters {
    fn look_up() -> Self {
        let of = |outcome: &'static str| counter!("spool_commands_total", "outcome" => outcome);
        Self {
            repeated: of("repeated"),
            quiet: of("quiet"),
            accepted: of("accepted"),
            refused: of("refused"),
            stale: of("stale"),
            other_request: of("other_request"),
            full: of("full"),
            elsewhere: of("elsewhere"),
            unavailable: of("unavailable"),
        }
    }
}
