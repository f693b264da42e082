//! The rules of the protocol by name, so that the simulator can break one and see that it is noticed.

/// Nothing but [`Sound`] is used outside of the simulator. Each constant, when it is true, breaks one rule.
pub trait Rules {
    /// A claim of the running term starts it again.
    const EQUAL_TERMS_CLAIM: bool = false;
    /// Commits of earlier terms count.
    const STALE_TERMS_COUNT: bool = false;
    /// Commits that were sent after missing ones count.
    const GAPS_COUNT: bool = false;
    /// A term goes on after a gap.
    const DEAD_TERMS_COUNT: bool = false;
    /// A commit that is in the log twice counts twice.
    const REPEATS_COUNT: bool = false;
    /// A commit is acknowledged when the server has it, whatever stands before it.
    const REPORTS_ACKNOWLEDGE: bool = false;
    /// A claim is believed before it was read back.
    const UNREAD_CLAIMS_LEAD: bool = false;
    /// A commit that failed to be sent is called refused, without looking for it.
    const ERRORS_REFUSE: bool = false;
    /// An append that builds on a refused one is taken when its number fits.
    const REFUSED_APPENDS_ARE_BUILT_ON: bool = false;
    /// A barrier is answered by what is already known.
    const BARRIERS_ARE_FREE: bool = false;
}

/// The protocol as it is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound;

impl Rules for Sound {}
