//! The command line: what can be asked, and who does it.

mod events;
mod keys;
mod promote;
mod rebuild;
mod topics;
mod upload;
mod verify;

use crate::roles::{self, Role, Roles};
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use spool_platform::config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// Spool: an event-sourced video platform. Everything that happens is an event in the log; all else can be
/// rebuilt from it.
#[derive(Parser)]
#[command(name = "spool", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where settings come from: the file, then `SPOOL_…` in the environment, then these flags.
#[derive(Args, Clone)]
struct Settings {
    /// The configuration file (TOML)
    #[arg(long, global = true, env = "SPOOL_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory [default: ./data]
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Any other setting, for example --set uploads.max_bytes=1000000 (repeatable)
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Print every setting with its value and meaning, and stop
    #[arg(long, global = true)]
    print_config: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform: gateway, commands, projections and workers
    Serve {
        /// Which parts to run in this process (repeatable, or separated by commas)
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::All])]
        role: Vec<Role>,
        /// The address to listen on [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<String>,
        /// For development: append mail to this file instead of sending it
        #[arg(long, value_name = "PATH")]
        mail_file: Option<PathBuf>,
    },
    /// Upload a film to a running Spool, with a progress bar
    Upload(upload::Upload),
    /// Look at the events in the log
    #[command(subcommand)]
    Events(events::Events),
    /// Fill a view anew from the log, beside the one that serves, and switch to it
    Rebuild(rebuild::Rebuild),
    /// Make the key that the nodes of a cluster share
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Make a cluster of a single node that is stopped: copy its log, films and keys to Kafka, S3 and CQL servers.
    /// Can be repeated after it was cut short
    Promote(promote::Promote),
    /// Make or check the topics in Kafka
    #[command(subcommand)]
    Topics(topics::Topics),
    /// Check the log's checksums and order, that every event decodes, and that every view equals a refold
    Verify(verify::Verify),
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl Settings {
    fn load(&self, command: Option<&Command>) -> anyhow::Result<Config> {
        let mut flags = self.set.clone();
        if let Some(data) = &self.data {
            flags.push(("data_dir".into(), data.display().to_string()));
        }
        if let Some(Command::Serve {
            listen, mail_file, ..
        }) = command
        {
            flags.extend(listen.iter().map(|listen| ("listen".to_owned(), listen.clone())));
            let file = mail_file.iter().map(|file| file.display().to_string());
            flags.extend(file.map(|file| ("mail.file".to_owned(), file)));
        }
        Ok(Config::load(self.config.as_deref(), &flags)?)
    }
}

pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { settings, command } = arguments;
    let config = settings
        .load(command.as_ref())
        .context("reading the configuration")?;
    if settings.print_config {
        print!("{}", config.print());
        return Ok(ExitCode::SUCCESS);
    }
    match command {
        Some(Command::Serve { role, .. }) => roles::serve(config, Roles::new(&role))
            .await
            .map(|()| ExitCode::SUCCESS),
        Some(Command::Upload(upload)) => upload.run().await.map(|()| ExitCode::SUCCESS),
        Some(Command::Events(events)) => events.run(&config).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Rebuild(rebuild)) => rebuild.run(&config).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Keys(keys)) => keys.run(&config).map(|()| ExitCode::SUCCESS),
        Some(Command::Promote(promote)) => promote.run(config).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Topics(topics)) => topics.run(&config).await,
        Some(Command::Verify(verify)) => verify.run(&config).await,
        None => anyhow::bail!("say what to do, for example `spool serve`; `spool --help` lists it all"),
    }
}
