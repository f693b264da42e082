//! Waits for something that comes about by itself, within a limit and never longer than it takes.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::broken::broken;

const PAUSE: Duration = Duration::from_millis(25);

/// Asks again and again; `Ok(Err(what is still wrong))` means not yet.
pub async fn within<T, F>(limit: Duration, what: &str, mut ask: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Result<T, String>>,
{
    let end = Instant::now() + limit;
    loop {
        let still_wrong = match ask().await? {
            Ok(found) => return Ok(found),
            Err(still_wrong) => still_wrong,
        };
        if Instant::now() > end {
            broken!(
                "{what} did not come about within {} s: {still_wrong}",
                limit.as_secs()
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}
