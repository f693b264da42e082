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
use spool_services::{Kafka, fresh_name};
use spool_tables::Tables;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PARTITIONS: u16 = 4;

/// What one round of one side did.
struct Round {
    per_second: f64,
    latencies_us: Vec<u32>,
}

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
        report(callers, &ours, &theirs);
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

/// Each caller asks again as soon as it has its answer.
async fn round<F>(callers: usize, time: Duration, ask: impl Fn(usize) -> F + Send + Sync + 'static) -> Round
where
    F: Future<Output = ()> + Send,
{
    let ask = Arc::new(ask);
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let ask = Arc::clone(&ask);
            tokio::spawn(async move {
                let mut latencies_us = Vec::new();
                while started.elapsed() < time {
                    let asked = Instant::now();
                    ask(caller).await;
                    latencies_us.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                latencies_us
            })
        })
        .collect();
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await.expect("no caller panics"));
    }
    latencies_us.sort_unstable();
    Round {
        per_second: latencies_us.len() as f64 / started.elapsed().as_secs_f64(),
        latencies_us,
    }
}

fn report(callers: usize, ours: &[Round], theirs: &[Round]) {
    let quantile = |round: &Round, of_hundred: usize| {
        f64::from(round.latencies_us[round.latencies_us.len() * of_hundred / 100])
    };
    let name = if callers == 1 {
        "1 caller".to_owned()
    } else {
        format!("{callers} callers")
    };
    let p50 = |round: &Round| quantile(round, 50);
    let p99 = |round: &Round| quantile(round, 99);
    let rate = |round: &Round| round.per_second;
    let (fast, many) = ((callers <= 64).then_some(2.0), (callers == 256).then_some(0.6));
    figure(&format!("command p50, {name}"), "µs", (ours, theirs), p50, fast);
    figure(&format!("command p99, {name}"), "µs", (ours, theirs), p99, None);
    figure(&format!("commands, {name}"), "1/s", (ours, theirs), rate, many);
}

/// Neighbouring rounds are compared, so that a slow minute counts on both sides.
fn figure(
    name: &str,
    unit: &str,
    (ours, theirs): (&[Round], &[Round]),
    of: impl Fn(&Round) -> f64,
    goal: Option<f64>,
) {
    let pairs = ours.iter().zip(theirs);
    let ratio = median(pairs.map(|(ours, theirs)| of(ours) / of(theirs)).collect());
    let value = median(ours.iter().map(&of).collect());
    let ideal = median(theirs.iter().map(&of).collect());
    let goal = goal.map_or_else(String::new, |goal| format!(",\"goal\":{goal}"));
    println!(
        "{{\"bench\":\"give_kafka\",\"figure\":\"{name}\",\"value\":{value:.0},\"unit\":\"{unit}\",\"ideal\":{ideal:.0},\
         \"ratio\":{ratio:.3}{goal}}}"
    );
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
