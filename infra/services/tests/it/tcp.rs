//! Whether something listens.

use std::net::TcpStream;
use std::time::{Duration, Instant};

pub fn is_listening(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Fails the test when something still listens after half a minute.
pub fn wait_until_closed(address: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_listening(address) {
        assert!(Instant::now() < deadline, "{address} is still listened at");
        std::thread::sleep(Duration::from_millis(20));
    }
}
