//! Opens a log on Kafka: checks that the topic is what it should be, and reads to its end.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use spool_kafka::{Connection, Context, Error};

use super::index::{Found, Index};
use super::partition::Partition;
use super::spares::Spares;
use super::tail::Tail;
use super::tips::Tips;
use super::{AROUND_BYTES, Handle, KafkaConfig, Running, Shared, World, record_bytes_max};
use crate::OpenError;
use crate::embedded::Memory;
use crate::term::HEADER_BYTES;

/// How long the brokers may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(10);
/// A topic that was made just now is known to every broker by then.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long reading to the end may stand still.
const STANDSTILL: Duration = Duration::from_secs(30);

pub fn open(mut config: KafkaConfig) -> Result<Handle, OpenError> {
    let topic = config.settings.topic(&config.topic);
    let place = format!("topic {topic} of {}", config.settings.brokers);
    let failed = |problem: String| OpenError::Servers {
        place: place.clone(),
        problem,
    };
    config.commit_bytes_max = config
        .commit_bytes_max
        .min(record_bytes_max() - HEADER_BYTES - 4 - AROUND_BYTES);
    std::fs::create_dir_all(&config.dir).map_err(|source| OpenError::Io {
        doing: "creating",
        path: config.dir.clone(),
        source,
    })?;
    let ends = ends(&config, &topic).map_err(&failed)?;
    let client = |error: rdkafka::error::KafkaError| failed(error.to_string());
    let mut settings = config.settings.consumer();
    settings
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.queue.backoff.ms", "5");
    let asking = BaseConsumer::from_config_and_context(&settings, Context::default()).map_err(client)?;
    let indices = indices(&asking, &config, &topic, &ends).map_err(&failed)?;
    let consumer = BaseConsumer::from_config_and_context(&settings, Context::default()).map_err(client)?;
    let thread = |source| OpenError::Io {
        doing: "starting a thread for",
        path: config.dir.clone(),
        source,
    };
    let heads: Vec<u64> = indices.iter().map(|index| index.last().number).collect();
    let world = Arc::new(World {
        memory: Mutex::new(Memory::new(&heads, config.memory_bytes)),
        began: Instant::now(),
        tips: Tips::start(asking, topic.clone()).map_err(thread)?,
        spares: Spares::start(&config).map_err(thread)?,
        topic,
        config: config.clone(),
    });
    let partitions: Vec<_> = (0..)
        .zip(indices)
        .map(|(number, index)| Partition::new(number, Arc::clone(&world), index))
        .collect();
    let stop = Arc::new(AtomicBool::new(false));
    let tail = Tail {
        consumer,
        partitions: partitions.clone(),
        world: Arc::clone(&world),
        stop: Arc::clone(&stop),
    };
    tail.assign().map_err(client)?;
    let tail = std::thread::Builder::new()
        .name("spool-log-tail".into())
        .spawn(move || tail.run())
        .map_err(thread)?;
    let handle = Handle {
        shared: Arc::new(Shared {
            world,
            partitions,
            cursors: super::Cursors::default(),
            closed: AtomicBool::new(false),
        }),
        running: Mutex::new(Some(Running { tail, stop })),
    };
    read_to(&handle.shared.partitions, &ends).map_err(&failed)?;
    Ok(handle)
}

/// Where each partition ends. A topic that is not as it must be is refused.
fn ends(config: &KafkaConfig, topic: &str) -> Result<Vec<u64>, String> {
    let ask = async {
        let connection = Connection::open(&config.settings, PATIENCE).await?;
        let deadline = Instant::now() + HEARD_WITHIN;
        let partitions = loop {
            match connection.partitions(topic).await? {
                Some(partitions) => break partitions,
                None if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                None => {
                    return Err(Error::UnknownTopic {
                        topic: topic.to_owned(),
                    });
                }
            }
        };
        let mut ends = Vec::new();
        for partition in &partitions {
            ends.push(connection.watermarks(topic, partition.id).await?);
        }
        Ok(ends)
    };
    // On a thread of its own, since this one may belong to a runtime already.
    let ends = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| format!("no runtime for questions to the brokers: {error}"))?;
            runtime.block_on(ask).map_err(|error| error.to_string())
        });
        asking.join().expect("asking does not panic")
    })?;
    let (found, wanted) = (ends.len(), usize::from(config.partitions));
    if found != wanted {
        return Err(format!(
            "it has {found} partitions, but {wanted} were asked for; the number is fixed when a log is created: configure \
             {found}"
        ));
    }
    let ends = (0..).zip(ends).map(|(partition, (low, high))| {
        if low > 0 {
            return Err(format!(
                "partition {partition} begins at Kafka's offset {low}, so what was before it is lost; the topic's retention must \
                 be unlimited and its cleanup policy delete; restore the topic"
            ));
        }
        Ok(u64::try_from(high).unwrap_or(0))
    });
    ends.collect()
}

fn indices(
    asking: &BaseConsumer<Context>,
    config: &KafkaConfig,
    topic: &str,
    ends: &[u64],
) -> Result<Vec<Index>, String> {
    let found: Vec<Option<Found>> = (0..config.partitions)
        .map(|partition| Found::read(&config.dir, partition))
        .collect();
    let wanted = (0..).zip(&found).zip(ends);
    let wanted: Vec<u16> = wanted
        .filter(|((_, found), end)| found.is_some() && **end > 0)
        .map(|((partition, _), _)| partition)
        .collect();
    let first = first_records(asking, topic, &wanted)?;
    let indices = (0..).zip(found).zip(ends).map(|((partition, found), end)| {
        let first = first.get(&partition).map(Vec::as_slice);
        Index::open(&config.dir, partition, config.index_every, found, first, *end)
    });
    Ok(indices.collect())
}

/// The first record of each of these partitions, none of which is empty.
fn first_records(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    wanted: &[u16],
) -> Result<HashMap<u16, Vec<u8>>, String> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let failed = |error: rdkafka::error::KafkaError| format!("reading its first records: {error}");
    let mut list = TopicPartitionList::new();
    for partition in wanted {
        list.add_partition_offset(topic, i32::from(*partition), Offset::Offset(0))
            .map_err(failed)?;
    }
    consumer.assign(&list).map_err(failed)?;
    let deadline = Instant::now() + PATIENCE;
    while found.len() < wanted.len() {
        if Instant::now() > deadline {
            return Err(format!(
                "its first records did not come within {} s",
                PATIENCE.as_secs()
            ));
        }
        // Passing trouble is waited out.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100))
            && let Ok(partition) = u16::try_from(message.partition())
        {
            let payload = || message.payload().unwrap_or_default().to_vec();
            found.entry(partition).or_insert_with(payload);
        }
    }
    consumer.unassign().map_err(failed)?;
    Ok(found)
}

/// Waits until the tail has come to these ends.
fn read_to(partitions: &[Arc<Partition>], ends: &[u64]) -> Result<(), String> {
    let mut before = 0;
    let mut moved = Instant::now();
    loop {
        if let Some(problem) = partitions.iter().find_map(|partition| partition.fault()) {
            return Err(problem);
        }
        let at: Vec<u64> = partitions
            .iter()
            .map(|partition| partition.next_offset())
            .collect();
        let left: u64 = ends
            .iter()
            .zip(&at)
            .map(|(end, at)| end.saturating_sub(*at))
            .sum();
        if left == 0 {
            return Ok(());
        }
        let sum = at.iter().sum();
        if sum > before {
            (before, moved) = (sum, Instant::now());
        } else if moved.elapsed() > STANDSTILL {
            let standstill = STANDSTILL.as_secs();
            return Err(format!(
                "nothing came for {standstill} s while reading it to its end, {left} records before that; look whether its \
                 partitions have leaders"
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
