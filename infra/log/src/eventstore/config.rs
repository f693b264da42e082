//! What a log on EventStoreDB or KurrentDB is opened with.

use std::time::Duration;

use crate::OpenError;

/// How to open a log in EventStoreDB or KurrentDB. Start from [`EventStoreConfig::new`] and change what differs.
#[derive(Clone)]
pub struct EventStoreConfig {
    /// `esdb://…`, with the user. The user has to be allowed to read `$all`.
    pub connection: String,
    /// What the names of all streams of this log begin with. Logs of other names may live beside it.
    pub name: String,
    /// Fixed when the log is created; opening it with another number is refused.
    pub partitions: u16,
    /// The most one append may have, all its commits together, as the server counts (its setting `MaxAppendSize`, 1 MiB
    /// unless it was changed). What waits is combined into appends up to this size.
    pub append_bytes_max: usize,
    /// How much is kept in memory for readers near the head, over all partitions.
    pub memory_bytes: usize,
    /// How long trouble with the server is waited out before an append or a read fails.
    pub patience: Duration,
}

/// What the server counts for an event beside its payload: its type, in two bytes a character, and room for what later
/// servers may count as well.
pub const EVENT_BYTES: usize = 128;

const PARTITIONS_MAX: u16 = 512;

impl EventStoreConfig {
    /// The log `spool-log` with 16 partitions, appends up to 1 MiB, 16 MiB in memory, 10 s of patience.
    pub fn new(connection: impl Into<String>) -> Self {
        Self {
            connection: connection.into(),
            name: "spool-log".into(),
            partitions: 16,
            append_bytes_max: 1 << 20,
            memory_bytes: 16 << 20,
            patience: Duration::from_secs(10),
        }
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        let wrong = |problem: String| Err(OpenError::Config { problem });
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            let given = self.partitions;
            return wrong(format!("{given} partitions; 1 to {PARTITIONS_MAX} are possible"));
        }
        if self.name.is_empty() || self.name.starts_with('$') {
            return wrong("a stream name must not be empty or begin with $".into());
        }
        if self.append_bytes_max < 2 * EVENT_BYTES {
            let given = self.append_bytes_max;
            return wrong(format!("appends of {given} bytes have no room for a commit"));
        }
        Ok(())
    }

    /// The stream of a partition.
    pub(super) fn stream(&self, partition: u16) -> String {
        format!("{}-{partition}", self.name)
    }

    /// The partition of a stream, if it is one of this log.
    pub(super) fn partition(&self, stream: &str) -> Option<u16> {
        let number = stream.strip_prefix(&self.name)?.strip_prefix('-')?;
        let partition = number.parse().ok()?;
        (partition < self.partitions && self.stream(partition) == stream).then_some(partition)
    }

    /// The stream that says with how many partitions the log was created.
    pub(super) fn settings_stream(&self) -> String {
        format!("{}-settings", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_streams_of_the_log_are_partitions() {
        let config = EventStoreConfig::new("esdb://localhost");
        let check = |stream: &str, expected| assert_eq!(config.partition(stream), expected, "{stream}");
        check("spool-log-0", Some(0));
        check("spool-log-15", Some(15));
        check("spool-log-16", None);
        check("spool-log-07", None);
        check("spool-log-+7", None);
        check("spool-log-", None);
        check("spool-log", None);
        check("spool-log-settings", None);
        check("spool-log-b-7", None);
        check("$spool-log-7", None);
    }
}
