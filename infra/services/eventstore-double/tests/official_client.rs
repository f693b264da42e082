//! The double as an official client of another language sees it. The same checks run against a real server when
//! `SPOOL_TEST_EVENTSTORE` has its connection string.

use std::path::Path;
use std::process::{Command, Stdio};

use spool_eventstore_double::Double;

#[test]
fn the_official_python_client_finds_what_it_expects() {
    let double = Double::start();
    let server = std::env::var("SPOOL_TEST_EVENTSTORE").unwrap_or_else(|_| double.connection_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official_client/check.sh");
    let output = Command::new(script)
        .arg(server)
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
