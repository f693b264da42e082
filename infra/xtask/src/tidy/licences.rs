//! That everything we borrow may be given on under Apache-2.0.

use anyhow::Result;

use super::Finding;
use crate::cargo;

/// Licences that ask for no more than a notice, and MPL-2.0, which asks only for the files it covers.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "WTFPL",
    "Zlib",
];

pub fn check() -> Result<Vec<Finding>> {
    let words = [
        "tree",
        "--workspace",
        "--quiet",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}\t{l}",
    ];
    let listed = cargo::output(&mut cargo::command(&words))?;
    let mut findings: Vec<Finding> = listed.lines().filter_map(refused).collect();
    findings.sort_by(|a, b| a.place.cmp(&b.place));
    findings.dedup();
    Ok(findings)
}

fn refused(line: &str) -> Option<Finding> {
    let (package, licence) = line.trim_end_matches(" (*)").split_once('\t')?;
    let licence = licence.trim_end_matches(" (*)").trim();
    let place = package.split(" (").next().unwrap_or(package);
    (!is_accepted(licence))
        .then(|| Finding::new(place, format!("its licence {licence:?} is not on the list")))
}

/// Reads an SPDX expression: any side of an OR will do, all sides of an AND must.
fn is_accepted(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_side(&mut rest) && rest.is_empty()
}

fn any_side(words: &mut &[&str]) -> bool {
    let mut accepted = all_sides(words);
    while take(words, "OR") {
        accepted |= all_sides(words);
    }
    accepted
}

fn all_sides(words: &mut &[&str]) -> bool {
    let mut accepted = one(words);
    while take(words, "AND") {
        accepted &= one(words);
    }
    accepted
}

fn one(words: &mut &[&str]) -> bool {
    if take(words, "(") {
        let accepted = any_side(words);
        return take(words, ")") && accepted;
    }
    let Some((name, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    // An exception only ever allows more.
    if take(words, "WITH") {
        *words = words.get(1..).unwrap_or_default();
    }
    ACCEPTED.contains(name)
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let next = words.first() == Some(&word);
    if next {
        *words = &words[1..];
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(expression: &str, accepted: bool) {
        assert_eq!(is_accepted(expression), accepted, "{expression}");
    }

    #[test]
    fn expressions_are_read_as_they_are_meant() {
        check_one("MIT", true);
        check_one("MIT/Apache-2.0", true);
        check_one("GPL-3.0 OR MIT", true);
        check_one("GPL-3.0 AND MIT", false);
        check_one("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check_one("ISC AND (Apache-2.0 OR GPL-2.0) AND OpenSSL", true);
        check_one("Apache-2.0 WITH LLVM-exception OR MIT", true);
    }

    #[test]
    fn a_package_without_a_licence_is_refused() {
        check_one("", false);
        assert_eq!(
            refused("odd v1.0.0\t").map(|finding| finding.place),
            Some("odd v1.0.0".into())
        );
    }
}
