//! The server is killed again and again while people upload: the topics have every fact, in order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use spool_kafka::Settings;
use spool_log::Log;
use spool_projections::Publisher;
use tokio_util::sync::CancellationToken;

use super::published::{Published, compare, expected, read_all};
use super::{installation, make_topics, writing_to};
use crate::campaign;
use crate::clips::Clips;
use crate::crowd::Crowd;
use crate::person::Mix;
use crate::server::Setup;
use crate::waiting::within;

const MIX: Mix = Mix {
    uploads: 20,
    small_instead_of_tiny: 0,
    deletes: 5,
    repeats: 10,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_no_gap_in_the_topics() {
    let summary = kill_and_compare()
        .await
        .expect("the topics say what the log says");
    println!("{summary}");
}

async fn kill_and_compare() -> Result<String> {
    let campaign = campaign::sized("topics", 60);
    let settings = installation().await;
    make_topics(&settings).await;
    let folder = tempfile::tempdir()?;
    let clips = Arc::new(Clips::make(folder.path())?);
    let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"));
    let setup = writing_to(setup, &settings);
    let mut crowd = Crowd::new("topics", MIX, clips);
    for round in 0..campaign.rounds {
        let mut choices = campaign.choices(round);
        let server = setup.start().await?;
        let base = server.base();
        crowd.settle_and_check(&base).await?;
        let pause = Duration::from_millis(choices.random_range(20..1500));
        let kill = async move {
            tokio::time::sleep(pause).await;
            server.kill()
        };
        crowd.live_until(&base, &mut choices, kill).await?;
    }
    let server = setup.start().await?;
    crowd.settle_and_check(&server.base()).await?;
    let figures = format!("{}/metrics", server.base());
    within(
        Duration::from_secs(120),
        "topics that are where the log is",
        async || {
            let figures = reqwest::get(&figures).await?.text().await?;
            let lag = figures
                .lines()
                .find_map(|line| line.strip_prefix("spool_publisher_lag "));
            // Jobs go on meanwhile, so it need not be nothing.
            let is_near = lag.is_some_and(|lag| lag.parse::<f64>().is_ok_and(|lag| lag < 100.0));
            Ok(is_near
                .then_some(())
                .ok_or_else(|| format!("the lag is {lag:?}: {}", server.said())))
        },
    )
    .await?;
    server.stop().await?;

    let log = Log::open(spool_log::Config {
        partitions: super::PARTITIONS.parse()?,
        ..spool_log::Config::new(setup.data().join("log"))
    })
    .context("opening the log that the server has left")?;
    let wanted = expected(&log);
    let by_the_server = published(&settings).await?.len();
    write_the_rest(&log, &settings, wanted.len()).await?;
    let repeats = compare(&published(&settings).await?, &wanted);
    log.close();
    Ok(format!(
        "{} kills, {} commands acknowledged: {} public events, {repeats} repeated; {by_the_server} were written before the \
         last stop",
        campaign.rounds,
        crowd.acknowledged(),
        wanted.len(),
    ))
}

/// What was decided in the server's last moment is written at its next start; here, by the same publisher.
async fn write_the_rest(log: &Log, settings: &Settings, count: usize) -> Result<()> {
    let stop = CancellationToken::new();
    let publisher = Publisher::new(log.clone(), settings.clone());
    let running = tokio::spawn(publisher.run(stop.clone()));
    within(Duration::from_secs(60), "every event in the topics", async || {
        let published = published(settings).await?;
        let ids: BTreeSet<&str> = published.iter().map(|event| event.id.as_str()).collect();
        Ok(if ids.len() >= count {
            Ok(())
        } else {
            Err(format!("{} of {count}", ids.len()))
        })
    })
    .await?;
    stop.cancel();
    Ok(running.await?)
}

async fn published(settings: &Settings) -> Result<Vec<Published>> {
    let settings = settings.clone();
    Ok(tokio::task::spawn_blocking(move || read_all(&settings)).await?)
}
