//! Makes a topic, and reads the settings of those that exist.

use super::TopicSpec;
use super::findings::TopicSettings;
use crate::connection::blocking;
use crate::{Connection, Context, Error};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// Makes a topic and waits until each of its partitions has a leader. One that exists already is left alone.
pub(super) async fn make(connection: &Connection, spec: &TopicSpec, name: &str) -> Result<(), Error> {
    let settings = spec.settings();
    let mut topic = NewTopic::new(
        name,
        i32::from(spec.partitions),
        TopicReplication::Fixed(i32::from(spec.replicas)),
    );
    for (setting, value) in &settings {
        topic = topic.set(setting, value);
    }
    let doing = format!("to make the topic {name}");
    let made = with_admin(connection, async |admin| {
        admin.create_topics([&topic], &options()).await
    });
    let made = made.await?.map_err(|error| Error::of(&doing, &error))?;
    for result in made {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(Error::of_code(&doing, code)),
        }
    }
    let deadline = Instant::now() + WITHIN;
    loop {
        let partitions = connection.partitions(name).await?.unwrap_or_default();
        let ready = partitions.iter().filter(|partition| partition.has_leader).count();
        if ready == usize::from(spec.partitions) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::Failed {
                doing,
                detail: format!("only {ready} of {} partitions have a leader", spec.partitions),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The settings of those topics that exist, by full name.
pub(super) async fn settings(
    connection: &Connection,
    specs: &[TopicSpec],
) -> Result<BTreeMap<String, TopicSettings>, Error> {
    let mut names = vec![];
    for spec in specs {
        let name = connection.settings().topic(spec.name);
        if connection.partitions(&name).await?.is_some() {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let doing = "to read the settings of topics";
    let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let described = with_admin(connection, async |admin| {
        admin.describe_configs(&resources, &options()).await
    });
    let described = described.await?.map_err(|error| Error::of(doing, &error))?;
    let mut all = BTreeMap::new();
    for resource in described {
        let resource = resource.map_err(|code| Error::of_code(doing, code))?;
        if let OwnedResourceSpecifier::Topic(name) = &resource.specifier {
            all.insert(name.clone(), by_name(&resource));
        }
    }
    Ok(all)
}

fn by_name(resource: &ConfigResource) -> TopicSettings {
    let entries = resource.entries.iter();
    entries
        .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
        .collect()
}

/// Opens a client for one request; opening and closing it may block.
async fn with_admin<T, F>(connection: &Connection, ask: F) -> Result<T, Error>
where
    F: AsyncFnOnce(&AdminClient<Context>) -> T,
{
    let config = connection.settings().producer();
    let opened = blocking(move || AdminClient::from_config_and_context(&config, Context::default())).await;
    let admin = opened.map_err(|error| Error::Settings {
        problem: error.to_string(),
    })?;
    let answer = ask(&admin).await;
    blocking(move || drop(admin)).await;
    Ok(answer)
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(WITHIN))
        .operation_timeout(Some(WITHIN))
}
