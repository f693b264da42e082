//! Cuts the power below a loaded server and holds what is left against what was acknowledged.
//!
//! kill -9 cannot see a missing fsync, because the page cache survives the process. Here the file system is shut
//! down without flushing, so only what was synced survives. The same run with fsync made a no-op must fail.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use rand::rngs::StdRng;

use crate::broken::{broken, is_broken_promise};
use crate::campaign::{self, Campaign};
use crate::clips::Clips;
use crate::crowd::Crowd;
use crate::disk::{self, PowerDisk};
use crate::person::Mix;
use crate::server::Setup;

const MIX: Mix = Mix {
    uploads: 8,
    small_instead_of_tiny: 0,
    deletes: 4,
    repeats: 8,
};
const DISK_MEGABYTES: u64 = 1024;
/// Every so many rounds begin with an empty disk, to cut the power while a data directory is being born.
const ROUNDS_WITH_A_DISK: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_power_cuts() {
    if let Some(reason) = disk::unavailable() {
        println!("NOT RUN: {reason}");
        return;
    }
    let campaign = campaign::sized("powercut", 100);
    let summary = cut_and_compare(&campaign, &[])
        .await
        .expect("nothing that was acknowledged is lost");
    println!("{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fsync_the_same_cuts_lose_what_was_acknowledged() {
    if let Some(reason) = disk::unavailable() {
        println!("NOT RUN: {reason}");
        return;
    }
    let campaign = campaign::sized("powercut", 100);
    runs_well(&["eatmydata"])
        .await
        .expect("without fsync a server that nobody disturbs runs as ever");
    match cut_and_compare(&campaign, &["eatmydata"]).await {
        Ok(summary) => {
            panic!("fsync did nothing and nobody noticed, so this campaign proves nothing: {summary}")
        }
        Err(error) if is_broken_promise(&error) => println!("noticed, as it must be: {error:#}"),
        Err(error) => panic!("the harness could not do its work: {error:#}"),
    }
}

/// So that the control cannot be passed by a server that does not even start.
async fn runs_well(wrapper: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log")).through(wrapper);
    setup.start().await?.stop().await?;
    setup.start().await?.stop().await?;
    setup.verify()
}

async fn cut_and_compare(campaign: &Campaign, wrapper: &[&str]) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let clips = Arc::new(Clips::make(folder.path())?);
    let disk = PowerDisk::create(folder.path(), DISK_MEGABYTES)?;
    let setup = Setup::new(disk.mounted.join("data"), folder.path().join("server.log"))
        .through(wrapper)
        .with("LOG_SEGMENT_BYTES", "4MiB");
    let mut crowd = Crowd::new("cut-0", MIX, Arc::clone(&clips));
    let (mut acknowledged, mut in_doubt) = (0, 0);
    for round in 0..campaign.rounds {
        let mut choices = campaign.choices(round);
        if round > 0 && round.is_multiple_of(ROUNDS_WITH_A_DISK) {
            finish(&setup, &mut crowd).await?;
            acknowledged += crowd.acknowledged();
            disk.renew(DISK_MEGABYTES)?;
            crowd = Crowd::new(format!("cut-{round}"), MIX, Arc::clone(&clips));
        }
        one_cut(&setup, &disk, &mut crowd, round, &mut choices).await?;
        in_doubt += crowd.in_doubt();
        disk.restore()?;
        // A server may die before it has made its log; but then it has promised nothing to anybody.
        if setup.has_log() || crowd.acknowledged() > 0 {
            setup.verify()?;
        }
    }
    finish(&setup, &mut crowd).await?;
    acknowledged += crowd.acknowledged();
    Ok(format!(
        "{} cuts, {acknowledged} commands acknowledged, {in_doubt} cut off",
        campaign.rounds
    ))
}

async fn one_cut(
    setup: &Setup,
    disk: &PowerDisk,
    crowd: &mut Crowd,
    round: u64,
    choices: &mut StdRng,
) -> Result<()> {
    let is_newborn = round.is_multiple_of(ROUNDS_WITH_A_DISK);
    let mut server = setup.spawn()?;
    let pause = if is_newborn {
        // From the first instruction on: directories and keys are being made.
        Duration::from_millis(choices.random_range(0..1500))
    } else {
        server.ready().await?;
        crowd.settle_and_check(&server.base()).await?;
        crowd.fetch_some(&server.base(), 2).await?;
        Duration::from_millis(choices.random_range(20..900))
    };
    let cut = async {
        tokio::time::sleep(pause).await;
        disk.cut()
    };
    crowd.live_until(&server.base(), choices, cut).await?;
    server.kill()
}

/// The disk's last start: everything is there, every job ends, every film decodes, the log and the views agree.
async fn finish(setup: &Setup, crowd: &mut Crowd) -> Result<()> {
    let server = setup.start().await?;
    crowd.settle_and_check(&server.base()).await?;
    if crowd.acknowledged() == 0 {
        broken!("not one command was acknowledged before the cuts");
    }
    crowd
        .wait_until_all_is_done(&server.base(), Duration::from_secs(180))
        .await?;
    server.stop().await?;
    setup.verify()
}
