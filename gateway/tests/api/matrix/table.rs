//! Reads the table: one row a route and a kind of thing, one column a caller.

use super::cast::{Who, Whose};
use std::collections::BTreeMap;
use std::fmt;

pub const TABLE: &str = include_str!("table.txt");

pub struct Row {
    /// Method and path as the document has them: `get /api/videos/{id}`.
    pub route: String,
    pub whose: Whose,
    /// The status that each caller gets; who is not asked is not in it.
    pub expected: BTreeMap<Who, u16>,
}

impl Row {
    pub fn method(&self) -> &str {
        self.route.split(' ').next().unwrap_or_default()
    }

    pub fn path(&self) -> &str {
        self.route.split(' ').nth(1).unwrap_or_default()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({:?})", self.route, self.whose)
    }
}

/// A row as it stands in the table. Only the first of a route names it.
pub fn line(route: &str, whose: Whose, statuses: &[Option<u16>]) -> String {
    let (method, path) = route.split_once(' ').unwrap_or_default();
    let status = |status: &Option<u16>| status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let cells: String = statuses
        .iter()
        .map(|cell| format!("{:>9}", status(cell)))
        .collect();
    let whose = format!("{whose:?}").to_lowercase();
    format!("{method:<6} {path:<53}{whose:<9}{cells}")
}

/// Lines that begin with `#` are for people; the first other one names the columns.
pub fn read(text: &str) -> Vec<Row> {
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    let callers: Vec<Who> = head[2..].iter().map(|name| Who::named(name)).collect();
    let mut route = String::new();
    lines
        .map(|line| {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            // A row without a route goes on with the one above.
            if words[1].starts_with('/') {
                route = words.drain(..2).collect::<Vec<_>>().join(" ");
            }
            assert_eq!(words.len(), callers.len() + 1, "columns of: {line}");
            let statuses = callers
                .iter()
                .zip(&words[1..])
                .filter(|(_, status)| **status != "-");
            Row {
                route: route.clone(),
                whose: Whose::named(words[0]),
                expected: statuses
                    .map(|(who, status)| {
                        (
                            *who,
                            status.parse().unwrap_or_else(|_| panic!("statuses of: {line}")),
                        )
                    })
                    .collect(),
            }
        })
        .collect()
}
