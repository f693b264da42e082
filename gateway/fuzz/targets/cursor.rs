//! Where a page of a list is to begin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spool_gateway::parsing::page;
use spool_projections::{cursor, place};

fuzz_target!(|input: &[u8]| {
    page(input);
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // Both as a cursor and as what one is made of.
    for given in [text.to_owned(), cursor(text)] {
        if let Ok(key) = place(&given) {
            assert_eq!(place(&cursor(&key)).ok().as_ref(), Some(&key));
            assert!(key.as_bytes()[..15].iter().all(u8::is_ascii_digit), "{key}");
        }
    }
});
