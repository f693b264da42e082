//! What is wrong with a topic, which promise that would break, and what to do about it.

use super::{Kept, TopicSpec};
use crate::PartitionState;
use std::collections::BTreeMap;
use std::fmt;

/// A topic's settings by name.
pub(super) type TopicSettings = BTreeMap<String, String>;

/// One deviation of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The topic's full name.
    pub topic: String,
    /// What is looked at: `min.insync.replicas`, `partitions`, …
    pub what: String,
    pub found: String,
    pub wanted: String,
    /// What could happen if it stayed so.
    pub promise: &'static str,
    /// What to do, as a sentence or a command line of Kafka's own tools.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            what,
            found,
            wanted,
            promise,
            fix,
        } = self;
        write!(
            out,
            "{topic}: {what} is {found}, wanted {wanted}: {promise}. {fix}"
        )
    }
}

pub(super) fn missing(spec: &TopicSpec, topic: &str, brokers: usize) -> Finding {
    let replicas = usize::from(spec.replicas);
    let fix = if replicas > brokers {
        format!(
            "{replicas} replicas need as many brokers, and there are {brokers}: start more, or accept fewer replicas with \
             --replication {brokers} (kafka.replication = {brokers})"
        )
    } else {
        "Run `spool topics ensure`".to_owned()
    };
    Finding {
        topic: topic.to_owned(),
        what: "the topic".to_owned(),
        found: "missing".to_owned(),
        wanted: format!("{} partitions on {replicas} brokers", spec.partitions),
        promise: "nothing can be written",
        fix,
    }
}

/// Everything about the topic that is not as it must be.
pub(super) fn of(
    spec: &TopicSpec,
    topic: &str,
    partitions: &[PartitionState],
    settings: &TopicSettings,
) -> Vec<Finding> {
    let mut looking = Looking {
        topic,
        settings,
        findings: vec![],
    };
    looking.at_partitions(spec, partitions);
    looking.at_settings(spec, partitions);
    looking.findings
}

struct Looking<'a> {
    topic: &'a str,
    settings: &'a TopicSettings,
    findings: Vec<Finding>,
}

impl Looking<'_> {
    fn at_partitions(&mut self, spec: &TopicSpec, partitions: &[PartitionState]) {
        if partitions.len() != usize::from(spec.partitions) {
            self.note(
                "the number of partitions",
                partitions.len().to_string(),
                spec.partitions.to_string(),
                "a key would move to another partition, and its facts would lose their order",
                "It cannot be changed in place: use a topic made with the right number (another kafka.topic_prefix), or \
                 configure log.partitions as the log was created",
            );
        }
        let fewest = partitions.iter().map(|partition| partition.replicas).min();
        if let Some(fewest) = fewest.filter(|fewest| *fewest < usize::from(spec.replicas)) {
            self.note(
                "the number of replicas",
                fewest.to_string(),
                format!("{} or more", spec.replicas),
                "what was acknowledged could be lost with a broker",
                "Raise it with kafka-reassign-partitions.sh, or accept it with --replication (kafka.replication)",
            );
        }
        let leaderless = partitions.iter().find(|partition| !partition.has_leader);
        if let Some(partition) = leaderless {
            self.note(
                &format!("the leader of partition {}", partition.id),
                "missing".to_owned(),
                "some broker".to_owned(),
                "nothing can be written to it",
                "Start the brokers that hold it",
            );
        }
    }

    fn at_settings(&mut self, spec: &TopicSpec, partitions: &[PartitionState]) {
        self.expect(
            "cleanup.policy",
            "delete",
            |found| found == "delete",
            "compaction would remove facts",
        );
        self.at_retention(spec);
        let replicas = partitions.iter().map(|partition| partition.replicas).min();
        let (least, most) = (usize::from(spec.in_sync_min()), replicas.unwrap_or(1));
        let in_sync: Option<usize> = self
            .settings
            .get("min.insync.replicas")
            .and_then(|text| text.parse().ok());
        let promise = if in_sync.is_some_and(|in_sync| in_sync > most) {
            "no write would ever be acknowledged, for want of replicas"
        } else {
            "a write could be acknowledged by one broker alone and be lost with it"
        };
        self.expect(
            "min.insync.replicas",
            &least.to_string(),
            |found| {
                found
                    .parse()
                    .is_ok_and(|found: usize| found >= least && found <= most)
            },
            promise,
        );
        self.expect(
            "unclean.leader.election.enable",
            "false",
            |found| found == "false",
            "a broker that has missed acknowledged writes could take over and drop them",
        );
        self.expect(
            "max.message.bytes",
            &spec.record_bytes_max.to_string(),
            |found| {
                found
                    .parse()
                    .is_ok_and(|found: u32| found >= spec.record_bytes_max)
            },
            "a large fact could not be written, and everything behind it would wait",
        );
    }

    fn at_retention(&mut self, spec: &TopicSpec) {
        match spec.kept {
            Kept::Forever => {
                for name in ["retention.ms", "retention.bytes"] {
                    self.expect(
                        name,
                        "-1",
                        |found| found == "-1",
                        "facts would be deleted, and all else is made from them",
                    );
                }
            }
            // How far back other teams can read is the operator's choice.
            Kept::ForeverByDefault => {}
            Kept::Milliseconds(kept) => self.expect(
                "retention.ms",
                &kept.to_string(),
                |found| found.parse().is_ok_and(|found: i64| found >= kept || found == -1),
                "a node that was away for a moment would miss signals",
            ),
        }
    }

    fn expect(&mut self, name: &str, wanted: &str, is_good: impl Fn(&str) -> bool, promise: &'static str) {
        let found = self.settings.get(name).cloned().unwrap_or_default();
        if !is_good(&found) {
            let fix = format!(
                "kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name {} --add-config \
                 {name}={wanted}",
                self.topic
            );
            self.note(name, found, wanted.to_owned(), promise, &fix);
        }
    }

    fn note(&mut self, what: &str, found: String, wanted: String, promise: &'static str, fix: &str) {
        self.findings.push(Finding {
            topic: self.topic.to_owned(),
            what: what.to_owned(),
            found,
            wanted,
            promise,
            fix: fix.to_owned(),
        });
    }
}
