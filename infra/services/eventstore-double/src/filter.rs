//! Which events of `$all` a reader wants.

use fancy_regex::Regex;
use tonic::Status;

use crate::store::Event;
use crate::wire::{Expression, FilterBy, FilterOptions};

pub struct Filter {
    on: Field,
    matching: Matching,
    /// After so many events of whatever kind a subscriber is told how far it is.
    pub checkpoint_after: u64,
}

enum Field {
    StreamName,
    EventType,
}

enum Matching {
    /// Clients exclude system events by looking ahead, so it has to be an engine that can.
    Regex(Box<Regex>),
    Prefixes(Vec<String>),
}

impl Filter {
    pub fn new(options: FilterOptions) -> Result<Self, Status> {
        let (on, expression) = match options.by {
            Some(FilterBy::StreamName(expression)) => (Field::StreamName, expression),
            Some(FilterBy::EventType(expression)) => (Field::EventType, expression),
            None => return Err(Status::invalid_argument("the filter has no expression")),
        };
        if options.checkpoint_interval_multiplier == 0 {
            return Err(Status::invalid_argument("a checkpoint interval of 0"));
        }
        let window = options.window.unwrap_or(32);
        Ok(Self {
            on,
            matching: Matching::new(expression)?,
            checkpoint_after: u64::from(window) * u64::from(options.checkpoint_interval_multiplier),
        })
    }

    pub fn wants(&self, event: &Event) -> bool {
        let text = match self.on {
            Field::StreamName => &event.stream,
            Field::EventType => &event.kind,
        };
        match &self.matching {
            Matching::Regex(regex) => regex.is_match(text).unwrap_or(false),
            Matching::Prefixes(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
        }
    }
}

impl Matching {
    fn new(expression: Expression) -> Result<Self, Status> {
        if expression.regex.is_empty() {
            return Ok(Self::Prefixes(expression.prefix));
        }
        let regex = Regex::new(&expression.regex)
            .map_err(|error| Status::invalid_argument(format!("the filter's expression: {error}")))?;
        Ok(Self::Regex(Box::new(regex)))
    }
}
