//! Three brokers, each killed once below the load of people: whichever leads partitions then, and whichever is the controller.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use rand::seq::SliceRandom;
use spool_services::{Brokers, Kafka};
use tokio::task::block_in_place;

use super::Servers;
use super::fleet::Fleet;
use crate::campaign::{self, Campaign};
use crate::clips::Clips;
use crate::crowd::Crowd;
use crate::person::Mix;

const MIX: Mix = Mix {
    uploads: 6,
    small_instead_of_tiny: 0,
    deletes: 3,
    repeats: 10,
};
/// A killed broker is noticed within 2.5 s; its partitions have other leaders then.
const AWAY: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_three_brokers_may_be_killed_under_load() {
    let summary = kill_each(&campaign::sized("brokers", 10)).await;
    println!(
        "{}",
        summary.expect("no acknowledged command is lost or applied twice")
    );
}

/// Every broker once in each round.
async fn kill_each(campaign: &Campaign) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let clips = Arc::new(Clips::make(folder.path())?);
    let mut kafka = block_in_place(|| Kafka::start(Brokers::Three))?;
    let shared = Servers::shared().await;
    let servers = Servers {
        kafka: &kafka,
        ..shared
    };
    let mut fleet = Fleet::start_on(&servers, folder.path(), &["all", "all"], |setup| {
        setup.with("KAFKA_REPLICATION", "3")
    })
    .await?;
    let mut crowd = Crowd::new("brokers", MIX, clips);
    let mut kills = 0;
    for round in 0..campaign.rounds {
        let mut choices = campaign.choices(round);
        let mut brokers = [1, 2, 3];
        brokers.shuffle(&mut choices);
        for broker in brokers {
            let pause = Duration::from_millis(choices.random_range(100..1500));
            let base = fleet.base(choices.random_range(0..2))?;
            let disaster = async {
                tokio::time::sleep(pause).await;
                block_in_place(|| kafka.kill(broker))?;
                tokio::time::sleep(AWAY).await;
                Ok(block_in_place(|| kafka.restart(broker))?)
            };
            let lived = crowd.live_until(&base, &mut choices, disaster).await;
            lived.with_context(|| format!("broker {broker}\n{}", fleet.said()))?;
            fleet.all_ready().await?;
            let settled = crowd.settle_and_check(&base).await;
            settled.with_context(|| format!("after broker {broker}\n{}", fleet.said()))?;
            kills += 1;
        }
    }
    let end = fleet.end(&mut crowd).await?;
    Ok(format!("{kills} brokers killed; {end}"))
}
