//! Registers: several nodes change the same ones at once.
use std::sync::Mutex;

use bytes::Bytes;

use super::settings;
use crate::{CqlSettings, Registers, Swapped, TablesError};

fn open(settings: &CqlSettings) -> Registers {
    Registers::cql(settings.clone()).expect("the server answers")
}

fn swap(registers: &Registers, expected: Option<&[u8]>, new: &[u8]) -> Swapped {
    registers.swap("one", expected, new).expect("an answer")
}

fn stands(value: &'static [u8]) -> Swapped {
    Swapped::Stands(Some(Bytes::from_static(value)))
}

#[test]
fn a_register_changes_only_from_what_was_expected() {
    let settings = settings();
    let (registers, other) = (open(&settings), open(&settings));
    assert_eq!(registers.get("one").expect("readable"), None);
    assert_eq!(swap(&registers, Some(b"x"), b"y"), Swapped::Stands(None));
    assert_eq!(swap(&registers, None, b"first"), Swapped::Done);
    assert_eq!(swap(&other, None, b"second"), stands(b"first"));
    assert_eq!(swap(&other, Some(b"x"), b"second"), stands(b"first"));
    assert_eq!(swap(&other, Some(b"first"), b""), Swapped::Done);
    assert_eq!(swap(&registers, Some(b"first"), b"third"), stands(b""));
    assert_eq!(
        registers.get("one").expect("readable"),
        Some(Bytes::from_static(b""))
    );
    assert_eq!(swap(&registers, Some(b""), b"third"), Swapped::Done);
    assert_eq!(registers.get("another").expect("readable"), None);
}

#[test]
fn of_many_who_swap_at_once_one_succeeds() {
    const NODES: usize = 4;
    const ROUNDS: usize = 10;
    let settings = settings();
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for node in 0..NODES {
            let (settings, done) = (&settings, &done);
            scope.spawn(move || {
                let registers = open(settings);
                let mut expected = None;
                while expected
                    .as_deref()
                    .is_none_or(|value: &[u8]| number(value) < ROUNDS)
                {
                    let next = expected.as_deref().map_or(1, |value| number(value) + 1);
                    let new = format!("{next} by {node}");
                    match registers.swap("one", expected.as_deref(), new.as_bytes()) {
                        Ok(Swapped::Done) => {
                            done.lock().expect("no panic").push(next);
                            expected = Some(Bytes::from(new));
                        }
                        Ok(Swapped::Stands(stands)) => expected = stands,
                        // Too many at once for one small server: nobody knows, so look again.
                        Err(TablesError::Unavailable { .. }) => {
                            expected = registers.get("one").expect("readable");
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic");
    done.sort_unstable();
    assert!(
        done.windows(2).all(|pair| pair[0] < pair[1]),
        "two were told that they had given the same number: {done:?}"
    );
    assert!(!done.is_empty());
    let last = open(&settings)
        .get("one")
        .expect("readable")
        .expect("it is there");
    assert_eq!(number(&last), ROUNDS);
}

fn number(value: &[u8]) -> usize {
    let text = std::str::from_utf8(value).expect("it was text");
    let (number, _) = text.split_once(' ').expect("it has words");
    number.parse().expect("it begins with a number")
}
