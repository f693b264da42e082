//! The gateway on a real socket.

use crate::world::World;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; only a failing test waits for it.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Served {
    pub address: String,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub async fn serve(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (gateway, stop) = (world.gateway.clone(), CancellationToken::new());
        let stopping = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move { gateway.serve(listener, stopping).await });
        Self {
            address,
            stop,
            serving,
        }
    }

    /// Returns when every request has ended.
    pub async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(SOON, self.serving)
            .await
            .expect("it ends soon");
        ended.expect("it does not panic").expect("it ends well");
    }
}
