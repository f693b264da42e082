//! How long the store may take, and how often it is asked again.
use std::time::Duration;

use aws_sdk_s3::config::{
    Builder, Config, StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
};

/// A reader that gets nothing for so long asks again, and gives up after having asked for so long.
pub(super) const WITHOUT_A_BYTE: Duration = Duration::from_secs(5);
pub(super) const BEFORE_GIVING_UP: Duration = Duration::from_secs(10);
pub(super) const BETWEEN_QUESTIONS: Duration = Duration::from_millis(250);

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(4);
const ALL_ATTEMPTS: Duration = Duration::from_secs(10);
/// A slower line than this is no line.
const SLOWEST_BYTES_A_SECOND: u64 = 512 << 10;
/// The server itself may move many bytes before it answers.
const SERVER_WORKS: Duration = Duration::from_secs(300);

/// For questions and answers of a few bytes.
pub(super) fn small() -> TimeoutConfig {
    within(ATTEMPT, ALL_ATTEMPTS)
}

/// For a request that brings so many bytes.
pub(super) fn bringing(bytes: usize) -> Builder {
    let on_the_way = Duration::from_secs(bytes as u64 / SLOWEST_BYTES_A_SECOND);
    Config::builder().timeout_config(within(ATTEMPT + on_the_way, ALL_ATTEMPTS + on_the_way))
}

/// For what the server does by itself: copying, putting parts together.
pub(super) fn server_works() -> Builder {
    Config::builder().timeout_config(within(SERVER_WORKS, SERVER_WORKS))
}

/// For the question whether anybody is there, asked by somebody who waits.
pub(super) fn at_once() -> Builder {
    Config::builder()
        .timeout_config(within(CONNECT, CONNECT))
        .retry_config(RetryConfig::disabled())
}

pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(4)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(1))
}

/// Readers watch for themselves: theirs may be slow because whoever they read for is.
pub(super) fn stalls() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::enabled()
        .upload_enabled(true)
        .download_enabled(false)
        .grace_period(Duration::from_secs(5))
        .build()
}

fn within(attempt: Duration, all: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(all)
        .build()
}
