//! `spool topics`: makes the topics in Kafka, and says what about them would break a promise.

use crate::kafka;
use anyhow::Context;
use clap::{Args, Subcommand};
use spool_kafka::Connection;
use spool_kafka::topics::{self, Report, TopicSpec};
use spool_platform::config::Config;
use std::process::ExitCode;
use std::time::Duration;

const FIND_WITHIN: Duration = Duration::from_secs(5);

#[derive(Subcommand)]
pub enum Topics {
    /// Make the topics that are missing, and check the others; what exists is never changed
    Ensure(Which),
    /// Compare the topics with what they must be, and say what would break a promise
    Check(Which),
}

#[derive(Args)]
pub struct Which {
    /// On how many brokers every topic must lie [default: kafka.replication, which is 3 unless set]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    replication: Option<u16>,
    /// The public topics only: for a single node that keeps its log itself
    #[arg(long)]
    public: bool,
}

impl Topics {
    pub async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let settings = kafka::settings(config)?;
        let settings = settings.context(
            "there is no Kafka to look at: set kafka.brokers (SPOOL_KAFKA_BROKERS, or --set kafka.brokers=HOST:PORT)",
        )?;
        let (Self::Ensure(which) | Self::Check(which)) = &self;
        let specs = which.specs(config);
        let connection = Connection::open(&settings, FIND_WITHIN).await?;
        let report = match &self {
            Self::Ensure(_) => topics::ensure(&connection, &specs).await?,
            Self::Check(_) => topics::check(&connection, &specs).await?,
        };
        print!("{}", shown(&report));
        Ok(if report.findings.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

impl Which {
    fn specs(&self, config: &Config) -> Vec<TopicSpec> {
        let replicas = self.replication.unwrap_or(config.kafka.replication);
        let partitions = config.log.partitions;
        let mut specs = vec![];
        if !self.public {
            specs.extend([TopicSpec::log(partitions, replicas), TopicSpec::signals(replicas)]);
        }
        if self.public || config.kafka.public_topics {
            specs.extend(TopicSpec::public(partitions, replicas));
        }
        specs
    }
}

/// One line for each topic that is well, a table for what is not.
fn shown(report: &Report) -> String {
    let mut text = String::new();
    for (mark, topics) in [("made", &report.made), ("ok  ", &report.sound)] {
        for topic in topics {
            text += &format!("{mark} {topic}\n");
        }
    }
    if report.findings.is_empty() {
        return text + "everything is as it must be\n";
    }
    let heads = ["TOPIC", "WHAT", "FOUND", "WANTED"];
    let row = |cells: [&str; 4], widths: [usize; 4]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let cells = |finding: &topics::Finding| {
        let finding = finding.clone();
        [finding.topic, finding.what, finding.found, finding.wanted]
    };
    let rows: Vec<[String; 4]> = report.findings.iter().map(cells).collect();
    let widths = [0, 1, 2, 3].map(|column| {
        let longest = rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        longest.max(heads[column].len())
    });
    text += &row(heads, widths);
    for (cells, finding) in rows.iter().zip(&report.findings) {
        text += &row(cells.each_ref().map(String::as_str), widths);
        text += &format!(
            "      {}.\n      {}.\n",
            capitalised(finding.promise),
            finding.fix.trim_end_matches('.')
        );
    }
    text
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}
