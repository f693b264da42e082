//! Command to facts: the partition executor, dedup, timers, process managers.
