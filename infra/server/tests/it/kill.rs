//! Kills the server at random points below a mixed load and holds what is left against what was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use rand::rngs::StdRng;

use crate::campaign::{self, Campaign};
use crate::clips::Clips;
use crate::crowd::Crowd;
use crate::person::Mix;
use crate::place::Place;
use crate::server::{Setup, is_running};
use crate::waiting::within;

const MIX: Mix = Mix {
    uploads: 6,
    small_instead_of_tiny: 30,
    deletes: 3,
    repeats: 10,
};
/// One in so many kills strikes while the server is still starting.
const KILLS_WHILE_STARTING: u64 = 6;

#[derive(Default)]
struct Struck {
    while_starting: usize,
    while_transcoding: usize,
    with_commands_unanswered: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_every_promise() {
    check(Place::Directory, campaign::sized("kill", 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_every_promise_on_kafka_cassandra_and_s3() {
    check(Place::Servers, campaign::sized("kill", 60)).await;
}

async fn check(place: Place, campaign: Campaign) {
    let summary = kill_and_compare(place, &campaign)
        .await
        .expect("no acknowledged command is lost or applied twice");
    println!("{summary}");
}

async fn kill_and_compare(place: Place, campaign: &Campaign) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let clips = Arc::new(Clips::make(folder.path())?);
    let setup = place.setup(folder.path()).await?;
    let setup = setup.with("LOG_SEGMENT_BYTES", "4MiB");
    let mut crowd = Crowd::new("kill", MIX, clips);
    let mut struck = Struck::default();
    for round in 0..campaign.rounds {
        let mut choices = campaign.choices(round);
        if round % KILLS_WHILE_STARTING == KILLS_WHILE_STARTING - 1 {
            let server = setup.spawn()?;
            tokio::time::sleep(Duration::from_millis(choices.random_range(0..500))).await;
            server.kill()?;
            struck.while_starting += 1;
        } else {
            one_kill(&setup, &mut crowd, &mut struck, &mut choices).await?;
        }
        if round.is_multiple_of(4) {
            setup.verify()?;
        }
    }
    let server = setup.start().await?;
    crowd.settle_and_check(&server.base()).await?;
    let limit = Duration::from_secs(120 + 4 * crowd.films() as u64);
    crowd.wait_until_all_is_done(&server.base(), limit).await?;
    server.stop().await?;
    setup.verify()?;
    Ok(format!(
        "{} kills: {} while starting, {} with a transcode running, {} with commands unanswered; {} commands \
         acknowledged, {} films played to the end",
        campaign.rounds,
        struck.while_starting,
        struck.while_transcoding,
        struck.with_commands_unanswered,
        crowd.acknowledged(),
        crowd.films(),
    ))
}

async fn one_kill(setup: &Setup, crowd: &mut Crowd, struck: &mut Struck, choices: &mut StdRng) -> Result<()> {
    let server = setup.start().await?;
    let base = server.base();
    crowd.settle_and_check(&base).await?;
    crowd.fetch_some(&base, 3).await?;
    let pause = Duration::from_millis(choices.random_range(20..1500));
    let kill = async move {
        tokio::time::sleep(pause).await;
        let children = server.media_children();
        server.kill()?;
        Ok(children)
    };
    let children = crowd.live_until(&base, choices, kill).await?;
    struck.while_transcoding += usize::from(!children.is_empty());
    struck.with_commands_unanswered += usize::from(crowd.in_doubt() > 0);
    all_gone(&children).await
}

/// Nobody may go on encoding for a server that is dead.
async fn all_gone(children: &[u32]) -> Result<()> {
    within(
        Duration::from_secs(5),
        "the end of the media processes",
        async || {
            let left: Vec<_> = children.iter().filter(|id| is_running(**id)).collect();
            Ok(if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?} still run"))
            })
        },
    )
    .await
}
