//! What every request may say besides its body.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| spool_gateway::parsing::headers(input));
