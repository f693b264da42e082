//! Where a server under test keeps what it knows: in its directory, or on Kafka, Cassandra and S3. The stories are the
//! same.

use std::path::Path;

use anyhow::Result;

use crate::cluster::Servers;
use crate::server::Setup;

#[derive(Clone, Copy)]
pub enum Place {
    Directory,
    Servers,
}

impl Place {
    /// A server that knows nothing yet, with its directory and its lines in `folder`.
    pub async fn setup(self, folder: &Path) -> Result<Setup> {
        let setup = Setup::new(folder.join("data"), folder.join("server.log"));
        match self {
            Self::Directory => Ok(setup),
            Self::Servers => Servers::shared().await.install(setup).await,
        }
    }
}
