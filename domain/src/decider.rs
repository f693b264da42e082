//! The decider: `decide` says what follows from a command, `evolve` remembers it.
//!
//! Source of the shape: Jérémie Chassaing, "Functional Event Sourcing Decider" (2021).

use crate::time::Timestamp;

/// One aggregate's rules. A value of the type is the state of one stream; `default()` is the state
/// before its first event.
pub trait Decider: Clone + Default {
    /// What may be asked.
    type Command;
    /// What can have happened.
    type Event;
    /// Why something asked was not done.
    type Refusal;

    /// What follows from `command`, as facts in order. No events means there is nothing new to say:
    /// being asked twice is normal. `now` never runs backwards within a partition.
    fn decide(&self, command: &Self::Command, now: Timestamp) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after `event`. Never fails: what was written has happened.
    fn evolve(self, event: &Self::Event) -> Self;

    /// When this stream wants to be woken, and with which command. It is derived from the state, so a
    /// timer needs no storage of its own, survives takeovers, and firing twice is one effect.
    fn due(&self) -> Option<(Timestamp, Self::Command)> {
        None
    }
}

/// Folds `events` into a state, from the beginning.
pub fn refold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D
where
    D::Event: 'a,
{
    events.into_iter().fold(D::default(), D::evolve)
}

/// Given/when/then for the tests of deciders.
pub mod scenario {
    use super::{Decider, refold};
    use crate::time::Timestamp;
    use std::fmt::Debug;

    /// What is so before the command comes.
    pub struct Given<D: Decider>(D);

    /// What the decider answered.
    pub struct Then<D: Decider> {
        outcome: Result<Vec<D::Event>, D::Refusal>,
    }

    /// The state after `events`, from the beginning.
    pub fn given<D: Decider>(events: &[D::Event]) -> Given<D> {
        Given(refold(events))
    }

    impl<D: Decider> Given<D> {
        /// Gives `command` at `now`.
        pub fn when(self, command: D::Command, now: Timestamp) -> Then<D> {
            Then {
                outcome: self.0.decide(&command, now),
            }
        }
    }

    impl<D: Decider> Then<D>
    where
        D::Event: PartialEq + Debug,
        D::Refusal: PartialEq + Debug,
    {
        /// The command had exactly these consequences.
        #[track_caller]
        pub fn then(self, events: &[D::Event]) {
            assert_eq!(self.outcome.as_deref(), Ok(events));
        }

        /// The command was taken and there was nothing to say.
        #[track_caller]
        pub fn then_nothing(self) {
            self.then(&[]);
        }

        /// The command was refused.
        #[track_caller]
        pub fn then_refused(self, refusal: D::Refusal) {
            assert_eq!(self.outcome, Err(refusal));
        }
    }
}
