//! The configuration that people are shown and begin with: only where the servers are is different here.

use anyhow::{Context, Result, ensure};

use super::Servers;
use crate::account::Account;
use crate::clips::Clips;
use crate::server::Setup;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/cluster.toml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_a_cluster_works_as_it_stands() {
    tell()
        .await
        .expect("everything has the names that the example gives it");
}

async fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clips = Clips::make(folder.path())?;
    let Servers { kafka, cassandra, s3 } = Servers::shared().await;
    let keys = folder.path().join("keys");
    let setup = Setup::new(folder.path().join("data"), folder.path().join("server.log"))
        .with("CONFIG", EXAMPLE)
        .with("KEYS_DIR", &keys.display().to_string())
        .with("KAFKA_BROKERS", kafka.bootstrap())
        .with("CQL_CONTACT_POINTS", cassandra.contact_point())
        .with("CQL_REQUEST_TIMEOUT_MS", "20000")
        .with("S3_ENDPOINT", s3.endpoint());
    for words in [["topics", "ensure"], ["keys", "new"]] {
        let ran = setup.run(&words).await?;
        ensure!(ran.status.success(), "{words:?}: {ran:?}");
    }
    let server = setup.start().await?;
    let account = Account::register(server.base(), "beginner").await?;
    let uploaded = account.uploaded("a film", clips.tiny.bytes.clone()).await;
    uploaded.with_context(|| server.said())?;
    server.stop().await?;
    setup.verify()
}
