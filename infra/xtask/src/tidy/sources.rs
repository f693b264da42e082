//! What every source file keeps to: its job in the first line, a readable size, nothing left open.

use super::Finding;
use super::tree::Tree;

const MOST_LINES: usize = 500;

/// Files that may be longer, each with its reason.
const LONGER: &[(&str, &str)] = &[];

/// Words that mean something was left open, in two parts so that this file keeps the rule.
const LEFT_OPEN: &[(&str, &str)] = &[("todo", "!("), ("unimplemented", "!("), ("#[igno", "re")];

const BROKEN_MARK: (&str, &str) = ("FIX", "ME");

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_source(path)) {
        if path.ends_with(".rs") {
            findings.extend(first_line(path, text));
            findings.extend(left_open(path, text));
        }
        findings.extend(too_long(path, text));
    }
    findings
}

fn is_source(path: &str) -> bool {
    let generated = path.contains("generated");
    !generated
        && [".rs", ".ts", ".css", ".js", ".mjs"]
            .iter()
            .any(|end| path.ends_with(end))
}

fn first_line(path: &str, text: &str) -> Option<Finding> {
    let says_its_job = text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("//! ") && line.len() > 8);
    (!says_its_job).then(|| Finding::new(path, "the first line must say the file's job: //! …"))
}

fn too_long(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let excused = LONGER.iter().any(|(longer, _reason)| *longer == path);
    (lines > MOST_LINES && !excused).then(|| {
        Finding::new(
            path,
            format!("{lines} lines; split it by job, or list it with a reason in tidy/sources.rs"),
        )
    })
}

fn left_open(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let place = format!("{path}:{}", index + 1);
        for (start, end) in LEFT_OPEN {
            if line.contains(&format!("{start}{end}")) {
                findings.push(Finding::new(
                    &place,
                    format!("{start}{end} leaves something open; finish it"),
                ));
            }
        }
        let near = &lines[index..lines.len().min(index + 4)];
        let asserts_it = near.iter().any(|line| line.contains("assert"));
        if line.contains(&format!("{}{}", BROKEN_MARK.0, BROKEN_MARK.1)) && !asserts_it {
            findings.push(Finding::new(
                place,
                "a mark without an assertion of today's wrong answer right below it",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str, broken: bool) {
        let findings = check(&Tree::with(&[("domain/src/a.rs", text)]));
        assert_eq!(!findings.is_empty(), broken, "{findings:?}");
    }

    #[test]
    fn the_first_line_says_the_job() {
        check_one("//! Counts things.\n", false);
        check_one("use std::fs;\n", true);
        check_one("//! \n", true);
    }

    #[test]
    fn long_files_are_found() {
        check_one(&format!("//! Counts things.\n{}", "\n".repeat(499)), false);
        check_one(&format!("//! Counts things.\n{}", "\n".repeat(500)), true);
    }

    #[test]
    fn what_was_left_open_is_found() {
        for (start, end) in LEFT_OPEN {
            check_one(&format!("//! Counts things.\n{start}{end}"), true);
        }
    }

    #[test]
    fn a_broken_case_asserts_todays_answer() {
        let mark = format!(
            "//! Counts things.\n// {}{}: should be 2\n",
            BROKEN_MARK.0, BROKEN_MARK.1
        );
        check_one(&mark, true);
        check_one(&format!("{mark}assert_eq!(count(), 1);\n"), false);
    }
}
