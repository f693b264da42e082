//! Measures appends to the log on Kafka beside a bare rdkafka producer with the same settings and records of the same size, on
//! one real broker, in turns. Prints one JSON line for each figure.
//!
//! `cargo run --release -p spool-log --example bench_kafka [-- SECONDS ROUNDS]`. Medians of the rounds are compared. The
//! broker comes from `spool-services`, or is the one at `SPOOL_TEST_KAFKA`.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::config::FromClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{KafkaConfig, Log};
use spool_services::rounds::{Round, median, report, round};
use spool_services::{Kafka, fresh_name};

static EVENT: [u8; 300] = [b'e'; 300];
const PARTITIONS: u16 = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(2.0), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let settings = Settings::new(Kafka::shared().bootstrap()).with_prefix(fresh_name("bench") + ".");
    let bare_settings = Settings::new(Kafka::shared().bootstrap()).with_prefix(fresh_name("bare") + ".");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for settings in [&settings, &bare_settings] {
        runtime.block_on(async {
            let connection = Connection::open(settings, Duration::from_secs(30)).await?;
            ensure(&connection, &[TopicSpec::log(PARTITIONS, 1)]).await
        })?;
    }
    let dir = tempfile::tempdir()?;
    let config = KafkaConfig {
        partitions: PARTITIONS,
        ..KafkaConfig::new(settings, dir.path(), "bench", "")
    };
    let mut bare_config = bare_settings.producer();
    bare_config
        .set("linger.ms", config.linger.as_millis().to_string())
        .set("socket.nagle.disable", "true");
    let bare = FutureProducer::from_config(&bare_config)?;
    let bare_topic = bare_settings.topic(&config.topic);
    let log = Log::kafka(config.clone())?;
    for partition in 0..PARTITIONS {
        log.claim(partition);
        while !log.leads(partition) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    for callers in [1_usize, 64, 256] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // One round of each beforehand, so that connections are open and the broker's code is compiled.
        for round in 0..=rounds {
            for side in [round % 2, (round + 1) % 2] {
                if side == 0 {
                    let result = runtime.block_on(append(&log, callers, time));
                    ours.extend((round > 0).then_some(result));
                } else {
                    let result = runtime.block_on(produce(&bare, &bare_topic, callers, time));
                    theirs.extend((round > 0).then_some(result));
                }
            }
        }
        report("kafka", "append", callers, &ours, &theirs);
    }
    let other_dir = tempfile::tempdir()?;
    let other = Log::kafka(KafkaConfig {
        dir: other_dir.path().to_owned(),
        node: "other".to_owned(),
        ..config
    })?;
    take_over(&log, &other);
    Ok(())
}

/// Two nodes that take a partition from each other: from the claim to the first answer.
fn take_over(one: &Log, other: &Log) {
    let mut took_us = Vec::new();
    for round in 0..21 {
        let (log, before) = if round % 2 == 0 {
            (other, one)
        } else {
            (one, other)
        };
        let began = Instant::now();
        log.claim(0);
        log.append(0, log.head(0), vec![]).wait().expect("a barrier");
        took_us.push(began.elapsed().as_secs_f64() * 1e6);
        while before.leads(0) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    println!(
        "{{\"bench\":\"kafka\",\"figure\":\"takeover, from the claim to the first answer\",\"value\":{:.0},\"unit\":\"µs\"}}",
        median(took_us)
    );
}

async fn append(log: &Log, callers: usize, time: Duration) -> Round {
    // As the executor of a partition does: number and append in one go.
    let next: Vec<Mutex<u64>> = (0..PARTITIONS)
        .map(|partition| Mutex::new(log.head(partition)))
        .collect();
    let log = log.clone();
    round(callers, time, move |caller| {
        let at = caller % usize::from(PARTITIONS);
        let partition = u16::try_from(at).expect("less than the partitions");
        let mut next = next[at].lock().expect("no caller panics");
        let appending = log.append(partition, *next, vec![Bytes::from_static(&EVENT)]);
        *next += 1;
        async move {
            appending.await.expect("an append");
        }
    })
    .await
}

async fn produce(producer: &FutureProducer, topic: &str, callers: usize, time: Duration) -> Round {
    let (producer, topic) = (producer.clone(), topic.to_owned());
    round(callers, time, move |caller| {
        let partition = i32::try_from(caller % usize::from(PARTITIONS)).expect("less than the partitions");
        let record: FutureRecord<'_, (), [u8]> =
            FutureRecord::to(&topic).partition(partition).payload(&EVENT);
        let sending = producer.send_result(record).map_err(|(error, _)| error);
        let sending = sending.expect("there is room in the queue");
        async move {
            let delivered = sending.await.expect("the producer lives");
            delivered.map_err(|(error, _)| error).expect("a delivery");
        }
    })
    .await
}
