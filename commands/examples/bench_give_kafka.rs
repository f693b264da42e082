//! Measures commands through `Commands::give` on a log on Kafka, beside a bare rdkafka producer that writes the same records
//! with the same settings to a topic of its own, on one real broker, in turns. Prints one JSON line for each figure.
//!
//! `cargo run --release -p spool-commands --example bench_give_kafka [-- SECONDS ROUNDS]`. Neighbouring rounds are compared.
//! The broker comes from `spool-services`, or is the one at `SPOOL_TEST_KAFKA`.

use bytes::Bytes;
use rdkafka::config::FromClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use spool_commands::{Ask, Commands, Parts};
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, UploadId, VideoId};
use spool_domain::videos::{Command, Described, Source, Visibility};
use spool_kafka::topics::{TopicSpec, ensure};
use spool_kafka::{Connection, Settings};
use spool_log::{KafkaConfig, Log};
use spool_platform::clock::Clock;
use spool_services::rounds::{Round, report, round};
use spool_services::{Kafka, fresh_name};
use spool_tables::Tables;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PARTITIONS: u16 = 4;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(2.0), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let broker = Kafka::shared().bootstrap().to_owned();
    let [settings, bare_settings] =
        ["bench", "bare"].map(|prefix| Settings::new(broker.as_str()).with_prefix(fresh_name(prefix) + "."));
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
        ..KafkaConfig::new(settings, dir.path().join("log"), "bench", "")
    };
    let mut bare_config = bare_settings.producer();
    bare_config
        .set("linger.ms", config.linger.as_millis().to_string())
        .set("socket.nagle.disable", "true");
    let bare = FutureProducer::from_config(&bare_config)?;
    let bare_topic = bare_settings.topic(&config.topic);
    let commands = open(config, dir.path())?;
    let (following, stop) = (commands.clone(), CancellationToken::new());
    let until = stop.clone();
    runtime.spawn(async move { following.run_following(until).await });
    for callers in [1_usize, 64, 256] {
        let record = runtime.block_on(record_of(&commands, callers))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // One round of each beforehand, so that connections are open and the broker's code is compiled.
        for number in 0..=rounds {
            for side in [number % 2, (number + 1) % 2] {
                if side == 0 {
                    let result = runtime.block_on(give(&commands, callers, time));
                    ours.extend((number > 0).then_some(result));
                } else {
                    let result = runtime.block_on(produce(&bare, &bare_topic, &record, callers, time));
                    theirs.extend((number > 0).then_some(result));
                }
            }
        }
        report("give_kafka", "command", callers, &ours, &theirs);
    }
    stop.cancel();
    commands.log().clone().close();
    Ok(())
}

fn open(config: KafkaConfig, dir: &std::path::Path) -> Result<Commands, Failure> {
    let log = Log::kafka(config)?;
    for partition in 0..PARTITIONS {
        log.claim(partition);
        while !log.leads(partition) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(Commands::open(Parts {
        log,
        tables: Tables::open(dir.join("tables"))?,
        clock: Clock::system(),
    })?)
}

fn video(caller: usize) -> VideoId {
    VideoId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &caller.to_le_bytes()))
}

fn owner(caller: usize) -> Actor {
    Actor::Person {
        account: AccountId(video(caller).0),
        role: Role::Creator,
    }
}

fn described(title: u64) -> Described {
    Described {
        title: format!("A film that is renamed often, title number {title:010}"),
        description: "Two lines about it.\nAnd that was the second.".into(),
        visibility: Visibility::Public,
    }
}

/// Makes the streams, and returns a record as the measured commands write it.
async fn record_of(commands: &Commands, callers: usize) -> Result<Bytes, Failure> {
    for caller in 0..callers {
        let create = Command::Create {
            owner: AccountId(video(caller).0),
            description: described(0),
            upload: UploadId::of(video(caller)),
            source: Source {
                blob: "originals/film".into(),
                file_name: "film.mp4".into(),
                bytes: 1,
                sha256: String::new(),
                container: "mp4".into(),
            },
        };
        // Some are there from the round before.
        let given = commands
            .give(video(caller).stream(), create, Ask::fresh(owner(caller)))
            .await;
        drop(given);
    }
    let last = Command::Describe {
        by: owner(0),
        description: described(u64::from(u32::MAX) * 1_000_000 - callers as u64),
    };
    let outcome = commands
        .give(video(0).stream(), last, Ask::fresh(owner(0)))
        .await?;
    let (partition, offset) = outcome.position.ok_or("there was nothing to say")?;
    let records = commands.log().read(partition, offset, 1)?;
    Ok(records.first().ok_or("the record is not there")?.payload.clone())
}

async fn give(commands: &Commands, callers: usize, time: Duration) -> Round {
    let (commands, titles) = (commands.clone(), Arc::new(AtomicU64::new(0)));
    let first = u64::from(Uuid::new_v4().as_fields().0);
    round(callers, time, move |caller| {
        let commands = commands.clone();
        let title = first * 1_000_000 + titles.fetch_add(1, Ordering::Relaxed);
        let describe = Command::Describe {
            by: owner(caller),
            description: described(title),
        };
        async move {
            let given = commands.give(video(caller).stream(), describe, Ask::fresh(owner(caller)));
            let outcome = given.await.expect("accepted");
            assert!(outcome.position.is_some(), "every title is another");
        }
    })
    .await
}

async fn produce(
    producer: &FutureProducer,
    topic: &str,
    record: &Bytes,
    callers: usize,
    time: Duration,
) -> Round {
    let (producer, topic, payload) = (producer.clone(), topic.to_owned(), record.clone());
    round(callers, time, move |caller| {
        let partition = i32::from(video(caller).stream().partition(PARTITIONS));
        let record: FutureRecord<'_, (), [u8]> =
            FutureRecord::to(&topic).partition(partition).payload(&payload);
        let sending = producer.send_result(record).map_err(|(error, _)| error);
        let sending = sending.expect("there is room in the queue");
        async move {
            let delivered = sending.await.expect("the producer lives");
            delivered.map_err(|(error, _)| error).expect("a delivery");
        }
    })
    .await
}
