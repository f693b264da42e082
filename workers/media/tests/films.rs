//! Every film of the folder beside this file gets what its manifest says.

mod shelf;

use std::path::Path;

use shelf::{check, manifest};

#[test]
fn every_film_gets_what_the_manifest_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/films");
    let lines = manifest::read(&folder).expect("the manifest is there");
    assert!(lines.len() >= 17, "the manifest lost lines");
    let room = tempfile::tempdir().expect("there is a folder for temporary files");
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| (&line.name, check::line(line, room.path())))
        .collect();
    for (name, outcome) in &outcomes {
        println!("{name}: {outcome:?}");
    }
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "see above");
}
