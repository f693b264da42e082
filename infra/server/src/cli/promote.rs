//! `spool promote --to FILE`: makes a cluster of a single node that is not running, with progress bars.

use crate::backends::{self, Name, OpenLog};
use crate::promote::films::{self, Amount};
use crate::promote::leading::{lead, overtaken};
use crate::promote::log::{self, Compared};
use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use spool_log::{Log, OpenError};
use spool_platform::config::{BlobsBackend, Config, LogBackend, TablesBackend};
use spool_platform::keys::{Given, Keys};
use std::path::PathBuf;
use tokio::task::spawn_blocking;

const COMMITS: &str = "{msg:>14} {bar:40} {human_pos}/{human_len} commits {per_sec}";
const BYTES: &str =
    "{msg:>14} {bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left";
const PERSONS: &str = "{msg:>14} {human_pos} persons";

#[derive(Args)]
pub struct Promote {
    /// The configuration of the cluster's nodes: log.backend kafka, tables.backend cql, blobs.backend s3
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// A single node and the cluster that it becomes.
struct Promotion {
    config: Config,
    cluster: Config,
    /// Of a node of the cluster.
    keys_dir: PathBuf,
    from: OpenLog,
    to: OpenLog,
}

/// What was done.
struct Copied {
    master: Given,
    persons: u64,
    films: Amount,
    films_now: Amount,
    commits_now: u64,
    bytes_now: u64,
}

impl Promote {
    /// Repeated after it was cut short, it goes on where it was. What is here is only read.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
        let cluster = self.check(&config)?;
        let scratch = config.data_dir.join("promotion");
        let promotion = spawn_blocking(move || Promotion::open(config, cluster)).await??;
        let compared = promotion.compare().await?;
        if compared.own > 0 {
            println!(
                "the cluster has all {} commits of this log, and {} of its own since: there is nothing to do",
                HumanCount(compared.commits),
                HumanCount(compared.own)
            );
        } else {
            let copied = promotion.copy(&compared).await?;
            self.tell(&promotion, &compared, &copied);
        }
        spawn_blocking(move || promotion.close()).await?;
        // What was kept there only saved reading again.
        let _ = std::fs::remove_dir_all(scratch);
        Ok(())
    }

    /// Refuses what is no single node and no cluster. The cluster's configuration, as its nodes have it.
    fn check(&self, config: &Config) -> anyhow::Result<Config> {
        ensure!(
            (config.log.backend, config.blobs.backend) == (LogBackend::Embedded, BlobsBackend::Local),
            "what is promoted is a single node: log.backend must be embedded here, and blobs.backend local"
        );
        let data = &config.data_dir;
        ensure!(
            data.join("log").is_dir(),
            "there is no log in {}; say where with --data",
            data.display()
        );
        let file = self.to.display();
        let cluster = Config::load(Some(&self.to), &[])
            .with_context(|| format!("reading the configuration of the cluster, {file}"))?;
        for (holds, setting) in [
            (
                cluster.log.backend == LogBackend::Kafka,
                "log.backend = \"kafka\"",
            ),
            (
                cluster.tables.backend == TablesBackend::Cql,
                "tables.backend = \"cql\"",
            ),
            (
                cluster.blobs.backend == BlobsBackend::S3,
                "blobs.backend = \"s3\"",
            ),
        ] {
            ensure!(holds, "{file} describes no cluster: it must say {setting}");
        }
        Ok(cluster)
    }

    fn tell(&self, promotion: &Promotion, compared: &Compared, copied: &Copied) {
        let (file, master) = (self.to.display(), promotion.keys_dir.join("master.key"));
        let nothing =
            (copied.commits_now, copied.films_now.objects, copied.master) == (0, 0, Given::WasThere);
        println!(
            "{}\n  log    {} commits, {} of them copied now ({})\n  films  {} objects ({}), {} of them copied now ({})\n  \
             keys   of {} persons; {} {}",
            match nothing {
                true => "the cluster has everything already: there was nothing to do",
                false => "the cluster has everything now",
            },
            HumanCount(compared.commits),
            HumanCount(copied.commits_now),
            HumanBytes(copied.bytes_now),
            HumanCount(copied.films.objects),
            HumanBytes(copied.films.bytes),
            HumanCount(copied.films_now.objects),
            HumanBytes(copied.films_now.bytes),
            HumanCount(copied.persons),
            match copied.master {
                Given::Copied => "the master key was copied to",
                Given::WasThere => "the master key is in",
            },
            master.display(),
        );
        println!(
            "next:\n  1. Give every node of the cluster the file {}, on a way that keeps it secret.\n  2. Prove that every view \
             has the same content on both sides: spool verify --against {file}, with the settings of this command.\n  \
             3. Start the nodes: spool serve --config {file}\nLeave the single node stopped from now on: what it would still \
             accept, the cluster would not have.",
            master.display(),
        );
    }
}

impl Promotion {
    /// Blocking; inside a runtime. From here on no node can start in the single node's directory.
    fn open(config: Config, mut cluster: Config) -> anyhow::Result<Self> {
        let name = Name {
            node: "promotion".to_owned(),
            url: String::new(),
        };
        let from = backends::open_log(&config, &name).map_err(|error| match error.downcast_ref() {
            Some(OpenError::Locked { .. }) => error.context("a node must be stopped before it is promoted"),
            _ => error,
        })?;
        let partitions = from.log.partitions();
        ensure!(
            cluster.log.partitions == partitions,
            "the log here has {partitions} partitions and the cluster's shall have {}; their number is fixed when a log is made, so \
             set log.partitions = {partitions} for the cluster before its topics are made",
            cluster.log.partitions
        );
        let keys_dir = cluster.keys_dir();
        // The nodes' own directories are theirs; what is needed here meanwhile stays with us.
        cluster.data_dir = config.data_dir.join("promotion");
        std::fs::create_dir_all(&cluster.data_dir)
            .with_context(|| format!("creating {}", cluster.data_dir.display()))?;
        let to = backends::open_log(&cluster, &name)?;
        Ok(Self {
            config,
            cluster,
            keys_dir,
            from,
            to,
        })
    }

    async fn compare(&self) -> anyhow::Result<Compared> {
        let (from, to) = self.logs();
        let common = (0..to.partitions()).map(|partition| to.head(partition)).sum();
        let bar = bar("comparing", common, COMMITS)?;
        spawn_blocking(move || {
            let compared = log::compare(&from, &to, &mut |commits| bar.inc(commits))?;
            bar.finish_and_clear();
            Ok(compared)
        })
        .await?
    }

    async fn copy(&self, compared: &Compared) -> anyhow::Result<Copied> {
        if compared.missing == 0 {
            // Nodes of the cluster may be running already, and nothing is taken from them.
            return self.copy_all(compared).await;
        }
        let to = &self.to.log;
        lead(to).await?;
        let heads: Vec<u64> = (0..to.partitions()).map(|partition| to.head(partition)).collect();
        ensure!(
            heads == compared.heads,
            "somebody else has written to the cluster's log just now; stop the cluster's nodes, then run the same command again"
        );
        tokio::select! {
            copied = self.copy_all(compared) => copied,
            lost = overtaken(to) => Err(lost),
        }
    }

    /// In this order, so that no fact is there before what it speaks of.
    async fn copy_all(&self, compared: &Compared) -> anyhow::Result<Copied> {
        let (master, persons) = self.copy_keys().await.context("copying the keys")?;
        let (films, mut films_now) = self.copy_films("films").await.context("copying the films")?;
        let (commits_now, bytes_now) = self.copy_log(compared.missing).await?;
        // A node that was started too early takes away films of which it finds no fact.
        let again = self.copy_films("films again").await;
        let (_, again) = again.context("looking at the films again")?;
        films_now.objects += again.objects;
        films_now.bytes += again.bytes;
        Ok(Copied {
            master,
            persons,
            films,
            films_now,
            commits_now,
            bytes_now,
        })
    }

    async fn copy_keys(&self) -> anyhow::Result<(Given, u64)> {
        let (ours, theirs) = (self.config.keys_dir(), self.keys_dir.clone());
        let cluster = self.cluster.clone();
        let bar = bar("keys", 0, PERSONS)?;
        spawn_blocking(move || {
            let given = Keys::give_master(&ours, &theirs)?;
            let registers = backends::open_registers(&cluster)?;
            let persons = Keys::promote(&ours, &registers, |persons| bar.set_position(persons))?;
            bar.finish();
            Ok((given, persons))
        })
        .await?
    }

    /// How much there is, and how much of it was copied now.
    async fn copy_films(&self, what: &'static str) -> anyhow::Result<(Amount, Amount)> {
        let (config, cluster) = (self.config.clone(), self.cluster.clone());
        let open = move || anyhow::Ok((backends::open_blobs(&config)?, backends::open_blobs(&cluster)?));
        let (from, to) = spawn_blocking(open).await??;
        let all = films::count(&from).await?;
        let bar = bar(what, all.bytes, BYTES)?;
        let copied = films::copy(&from, &to, &|bytes| bar.inc(bytes)).await?;
        bar.finish();
        Ok((all, copied))
    }

    async fn copy_log(&self, missing: u64) -> anyhow::Result<(u64, u64)> {
        let (from, to) = self.logs();
        let bar = bar("log", missing, COMMITS)?;
        spawn_blocking(move || {
            let (mut all_commits, mut all_bytes) = (0, 0);
            log::copy(&from, &to, &mut |commits, bytes| {
                all_commits += commits;
                all_bytes += bytes;
                bar.inc(commits);
            })?;
            bar.finish();
            Ok((all_commits, all_bytes))
        })
        .await?
    }

    fn logs(&self) -> (Log, Log) {
        (self.from.log.clone(), self.to.log.clone())
    }

    /// Blocking.
    fn close(self) {
        self.to.log.close();
        self.from.log.close();
    }
}

fn bar(what: &'static str, length: u64, template: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(template)?;
    Ok(ProgressBar::new(length).with_style(style).with_message(what))
}
