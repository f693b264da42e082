//! Who may do what: every route of the document by every caller, on what is their own, somebody else's, or private, held
//! against `matrix/table.txt`.

mod asked;
mod cast;
mod table;

use crate::requests::Answer;
use cast::{Cast, Who, Whose};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use table::{Row, TABLE};

/// What is served beside the document's routes, in files that are known here: documents, their page, and what nodes
/// say to each other on an address of their own.
const BESIDE_THE_DOCUMENT: &[&str] = &["asyncapi.rs", "docs.rs", "internal.rs", "openapi.rs"];

/// Of an answer that is not as it should be.
const SHOWN_CHARS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_caller_as_the_table_says() {
    let rows = table::read(TABLE);
    let mut cast = Cast::assembled().await;
    every_route_has_its_rows(&rows, &mut cast).await;
    let mut wrong = vec![];
    for row in &rows {
        for (who, expected) in &row.expected {
            let answer = asked::ask(&mut cast, row, *who).await;
            if answer.status.as_u16() != *expected {
                let status = answer.status.as_u16();
                let said: String = answer.text().chars().take(SHOWN_CHARS).collect();
                wrong.push(format!("{row} by {who:?}: {status}, not {expected}: {said}"));
            } else if row.whose == Whose::Private && *expected == 404 {
                let missing = asked::ask_for_what_is_not_there(&mut cast, row, *who).await;
                if told(&missing) != told(&answer) {
                    wrong.push(format!(
                        "{row} by {who:?} differs from what is not there: {}",
                        answer.text()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a problem gives away: all of it but the request's id.
fn told(answer: &Answer) -> (u16, Value) {
    let mut problem = answer.json();
    problem["instance"] = Value::Null;
    (answer.status.as_u16(), problem)
}

/// The routes of the document and of the table are the same, and each route that names something is asked for one's own
/// and for somebody else's, and for private ones where there are such.
async fn every_route_has_its_rows(rows: &[Row], cast: &mut Cast) {
    let document = cast.world.get("/api/openapi.json").send().await.json();
    let paths = document["paths"].as_object().expect("paths");
    let routes: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    let mut missing = vec![];
    for route in &routes {
        let listed = rows.iter().filter(|row| row.route == *route);
        let listed: BTreeSet<Whose> = listed.map(|row| row.whose).collect();
        for whose in asked::whose(route).difference(&listed) {
            missing.push(seen(cast, route, *whose).await);
        }
    }
    let superfluous = rows
        .iter()
        .filter(|row| !routes.contains(&row.route) || !asked::whose(&row.route).contains(&row.whose));
    let superfluous: Vec<String> = superfluous.map(Row::to_string).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "rows without a route: {superfluous:?}; these are missing, and are so today, which may be wrong:\n{}",
        missing.join("\n")
    );
    for row in rows {
        let left_out = Who::ALL
            .into_iter()
            .filter(|who| !row.expected.contains_key(who) && !has_nothing(*who, row.whose));
        let left_out: Vec<Who> = left_out.collect();
        assert!(left_out.is_empty(), "{row} is not asked by {left_out:?}");
    }
}

fn has_nothing(who: Who, whose: Whose) -> bool {
    who == Who::Nobody && whose == Whose::Own
}

/// The row that would say what is so today.
async fn seen(cast: &mut Cast, route: &str, whose: Whose) -> String {
    let row = Row {
        route: route.to_owned(),
        whose,
        expected: BTreeMap::new(),
    };
    let mut statuses = vec![];
    for who in Who::ALL {
        let status = match has_nothing(who, whose) {
            true => None,
            false => Some(asked::ask(cast, &row, who).await.status.as_u16()),
        };
        statuses.push(status);
    }
    table::line(route, whose, &statuses)
}

#[test]
fn no_route_is_outside_the_document_but_those_that_are_known() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut outside = BTreeSet::new();
    routed_in(&sources, &mut outside);
    let known: BTreeSet<String> = BESIDE_THE_DOCUMENT
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(
        outside, known,
        "routes are given by routes!(…), which puts them into the document"
    );
}

fn routed_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            routed_in(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path)
            && [".route(", ".route_service(", ".nest("]
                .iter()
                .any(|call| text.contains(call))
        {
            let name = path.file_name().expect("it is a file").to_string_lossy();
            found.insert(name.into_owned());
        }
    }
}
