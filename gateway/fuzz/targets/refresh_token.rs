//! Refresh tokens that were made up or changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spool_gateway::parsing::Signer;
use std::sync::OnceLock;
use tempfile::TempDir;

static SIGNER: OnceLock<(Signer, TempDir)> = OnceLock::new();

fuzz_target!(|input: &[u8]| {
    let open = || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        (Signer::open(folder.path()), folder)
    };
    SIGNER.get_or_init(open).0.refresh_token(input);
});
