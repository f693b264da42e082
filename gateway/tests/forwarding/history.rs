//! What the log says happened.

use spool_commands::Outcome;
use spool_log::Log;
use spool_schemas::CommitRef;
use std::collections::HashMap;
use uuid::Uuid;

/// Every commit by its command, and the version of every stream.
pub struct History {
    commits: HashMap<Uuid, (u16, u64)>,
}

impl History {
    /// Everything in the log, which must be a history: each command once, versions contiguous, time never backwards.
    pub fn of(log: &Log) -> Self {
        let (mut commits, mut versions, mut times) = (HashMap::new(), HashMap::new(), HashMap::new());
        let scan = log
            .scan(&vec![0; usize::from(log.partitions())])
            .expect("the log reads");
        for record in scan {
            let record = record.expect("the log reads");
            let commit = CommitRef::decode(&record.payload).expect("a commit");
            let before = commits.insert(commit.command, (record.partition, record.offset));
            assert_eq!(before, None, "command {} is there twice", commit.command);
            let version = versions.entry(commit.stream).or_insert(0);
            assert_eq!(commit.version, *version + 1, "{} has a gap", commit.stream);
            *version = commit.last_version();
            let time = times.entry(record.partition).or_insert(commit.time);
            assert!(
                *time <= commit.time,
                "time runs backwards in partition {}",
                record.partition
            );
            *time = commit.time;
        }
        Self { commits }
    }

    pub fn has(&self, command: Uuid, outcome: &Outcome) {
        assert_eq!(
            self.commits.get(&command).copied(),
            outcome.position,
            "command {command} was acknowledged elsewhere than it is"
        );
    }

    pub fn len(&self) -> usize {
        self.commits.len()
    }
}
