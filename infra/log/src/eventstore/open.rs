//! Opens the log: finds the server, creates the log when there is none, and finds where each partition ends.

use std::sync::Arc;

use ::eventstore::{AppendToStreamOptions, EventData, ExpectedRevision};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::servers::{Servers, Trouble};
use super::{EventStoreConfig, Shared, follow, read};
use crate::OpenError;

/// The type of the one event in the settings stream.
const CREATED: &str = "spool-log-created";

/// Its payload.
#[derive(Serialize, Deserialize)]
struct Created {
    partitions: u16,
}

/// The log with everything that is in it now, and where to follow it from.
pub async fn open(
    config: EventStoreConfig,
    runtime: Handle,
) -> Result<(Arc<Shared>, follow::From), OpenError> {
    let servers = Arc::new(Servers::new(&config, runtime.clone())?);
    let place = servers.place();
    let opening = async {
        agree(&servers, &config).await?;
        // Before the ends of the partitions, so that nothing is missed in between.
        let from = follow::end(&servers).await?;
        let tip = |partition| {
            let (servers, stream) = (Arc::clone(&servers), config.stream(partition));
            runtime.spawn(async move { read::tip(&servers, stream).await })
        };
        let tips: Vec<_> = (0..config.partitions).map(tip).collect();
        let mut heads = Vec::new();
        for tip in tips {
            heads.push(
                tip.await
                    .map_err(|panicked| Trouble::Lasting(panicked.to_string()))??,
            );
        }
        Ok((Arc::new(Shared::new(config, servers, runtime, &heads)), from))
    };
    opening.await.map_err(|trouble: Trouble| OpenError::Servers {
        place,
        problem: trouble.into_problem(),
    })
}

/// Creates the log, or makes sure that it was created with as many partitions.
async fn agree(servers: &Servers, config: &EventStoreConfig) -> Result<(), Trouble> {
    let stream = config.settings_stream();
    let created = Created {
        partitions: config.partitions,
    };
    let event = EventData::json(CREATED, &created)
        .expect("a number can be written")
        .id(Uuid::new_v4());
    let options = AppendToStreamOptions::default().expected_revision(ExpectedRevision::NoStream);
    let find = || servers.ask(|client| read::last(client, stream.clone()));
    let mut found = find().await?;
    if found.is_none() {
        let appended = servers
            .ask(|client| {
                let (stream, options, event) = (stream.clone(), options.clone(), event.clone());
                async move { client.append_to_stream(stream, &options, event).await }
            })
            .await;
        match appended {
            Ok(_) => return Ok(()),
            // Another node was faster.
            Err(Trouble::WrongRevision(_)) => found = find().await?,
            Err(trouble) => return Err(trouble),
        }
    }
    let settings = found.and_then(|event| serde_json::from_slice::<Created>(&event.data).ok());
    match settings {
        Some(Created { partitions }) if partitions == config.partitions => Ok(()),
        Some(Created { partitions }) => Err(Trouble::Lasting(format!(
            "it has {partitions} partitions, but {} were asked for; the number is fixed when a log is created: configure \
             {partitions}",
            config.partitions
        ))),
        None => Err(Trouble::Lasting(format!(
            "stream {stream} does not say how many partitions the log has; give the log another name, or bring that \
             stream back"
        ))),
    }
}
