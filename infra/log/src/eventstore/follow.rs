//! Follows `$all`: one subscription brings the commits of all partitions, whichever node wrote them.

use std::sync::Arc;

use ::eventstore::{
    Position, ReadAllOptions, RecordedEvent, StreamPosition, SubscribeToAllOptions, SubscriptionEvent,
    SubscriptionFilter,
};
use tokio::time::sleep;

use super::Shared;
use super::servers::{Pauses, Servers, Trouble};

/// Everything behind it is still to come.
pub type From = StreamPosition<Position>;

/// Where `$all` ends. What is appended after this was asked for lies behind it.
pub async fn end(servers: &Servers) -> Result<From, Trouble> {
    let options = ReadAllOptions::default()
        .position(StreamPosition::End)
        .max_count(1);
    let last = servers
        .ask(|client| {
            let options = options.clone();
            async move { client.read_all(&options).await?.next().await }
        })
        .await?;
    let position = last.and_then(|last| last.event).map(|event| event.position);
    Ok(position.map_or(StreamPosition::Start, StreamPosition::Position))
}

/// Until the task is aborted. Nothing is lost when the connection is: it goes on where it was.
pub async fn follow(shared: Arc<Shared>, mut from: From) {
    let mut pauses = Pauses::default();
    loop {
        let (position, trouble) = follow_from(&shared, from).await;
        if let Some(position) = position {
            from = StreamPosition::Position(position);
            pauses = Pauses::default();
        }
        let problem = trouble.into_problem();
        tracing::warn!(
            "following the log {} was interrupted: {problem}",
            shared.servers.place()
        );
        sleep(pauses.next()).await;
    }
}

/// Until there is trouble; the position up to which everything was seen before, if there was anything.
async fn follow_from(shared: &Shared, from: From) -> (Option<Position>, Trouble) {
    let filter = SubscriptionFilter::on_stream_name().add_prefix(format!("{}-", shared.config.name));
    let options = SubscribeToAllOptions::default().position(from).filter(filter);
    let (client, number) = shared.servers.client();
    let mut subscription = client.subscribe_to_all(&options).await;
    let mut seen = None;
    loop {
        match subscription.next_subscription_event().await {
            Ok(SubscriptionEvent::EventAppeared(event)) => {
                let Some(event) = event.event else { continue };
                let position = event.position;
                if let Err(trouble) = take(shared, event).await {
                    return (seen, trouble);
                }
                seen = Some(position);
            }
            Ok(SubscriptionEvent::Checkpoint(position)) => seen = Some(position),
            Ok(_) => {}
            Err(error) => return (seen, shared.servers.trouble(number, &error)),
        }
    }
}

async fn take(shared: &Shared, event: RecordedEvent) -> Result<(), Trouble> {
    let Some(partition) = shared.config.partition(&event.stream_id) else {
        return Ok(());
    };
    if event.revision > shared.head(partition) {
        shared.catch_up(partition, event.revision).await?;
    }
    shared.advance(partition, event.revision, vec![event.data]);
    Ok(())
}
