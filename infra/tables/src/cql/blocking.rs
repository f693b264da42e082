//! The driver's own threads, and the way into them for callers that block.
use std::future::Future;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::TablesError;

/// The driver mostly waits; two threads encode and decode for a few thousand rows at once.
const THREADS: usize = 2;

/// A runtime that outlives no handle to it, and never runs a caller's code.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub fn start() -> Result<Self, TablesError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("spool-cql")
            .enable_all()
            .build()
            .map_err(|error| {
                TablesError::Setup(format!("starting the threads of the CQL driver: {error}"))
            })?;
        Ok(Self(Some(runtime)))
    }

    /// Does the work on these threads while the caller's waits.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, TablesError>> + Send + 'static,
    ) -> Result<T, TablesError> {
        let (reply, answer) = sync_channel(1);
        let runtime = self.0.as_ref().expect("it is taken only on drop");
        runtime.spawn(async move {
            // The one who asked waits below.
            let _ = reply.send(work.await);
        });
        let wait = move || {
            answer.recv().unwrap_or_else(|_| {
                Err(TablesError::Server {
                    doing: "waiting for the CQL driver",
                    reason: "its task ended without an answer".to_owned(),
                })
            })
        };
        let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
        match flavor {
            // Other tasks of this worker move to other threads first.
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
            _ => wait(),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last handle may be dropped inside a runtime, where waiting for threads is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
