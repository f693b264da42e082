//! Where things may lie, how large they may be, and that nothing of one machine gets in.

use super::Finding;
use super::tree::{SourceFile, Tree};

const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "NOTICE",
    "README.md",
    "commands",
    "domain",
    "gateway",
    "infra",
    "projections",
    "schemas",
    "workers",
];

const LARGEST_BYTES: u64 = 5_000_000;

/// Folders of a machine, in two parts so that this file keeps the rule.
const MACHINE_PATHS: &[(&str, &str)] = &[("/wo", "rk/"), ("/ho", "me/"), ("/ro", "ot/")];

/// Where packages come from is the reader's own setting.
const REGISTRIES: &[(&str, &str)] = &[
    ("registry.np", "mjs.org"),
    ("static.crate", "s.io"),
    ("index.crate", "s.io"),
    ("pypi.or", "g/simple"),
    ("files.pythonho", "sted.org"),
    ("proxy.gola", "ng.org"),
    ("repo1.mave", "n.org"),
    ("\"resolved\": \"htt", "p"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        findings.extend(at_the_top(file));
        findings.extend(too_large(file));
    }
    for (path, text) in tree.texts() {
        findings.extend(machine_words(path, text));
    }
    findings
}

fn at_the_top(file: &SourceFile) -> Option<Finding> {
    let top = file.path.split('/').next().unwrap_or_default();
    let agreed = TOP_LEVEL.contains(&top) || top.starts_with('.');
    (!agreed).then(|| {
        Finding::new(
            &file.path,
            "nothing new at the top level; give it a place in one of its folders",
        )
    })
}

fn too_large(file: &SourceFile) -> Option<Finding> {
    (file.bytes > LARGEST_BYTES)
        .then(|| Finding::new(&file.path, "over 5 MB; make it when it is needed instead"))
}

fn machine_words(path: &str, text: &str) -> Vec<Finding> {
    let find = |words: &'static [(&str, &str)], what: &'static str| {
        words.iter().filter_map(move |(start, end)| {
            let word = format!("{start}{end}");
            let line = text.lines().position(|line| holds(line, &word))? + 1;
            Some(Finding::new(format!("{path}:{line}"), format!("{word:?} {what}")))
        })
    };
    find(MACHINE_PATHS, "is a folder of one machine")
        .chain(find(
            REGISTRIES,
            "is a registry's address; leave it to the reader's own settings",
        ))
        .collect()
}

/// Whether the line holds the word, and not as the tail of a longer path such as `tests/work/`.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/')
            || !before.is_some_and(|letter| letter.is_alphanumeric() || "._-}".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, broken: bool) {
        let findings = check(&Tree::with(&[(path, text)]));
        assert_eq!(!findings.is_empty(), broken, "{path}: {findings:?}");
    }

    #[test]
    fn only_agreed_names_lie_at_the_top() {
        check_one("domain/src/lib.rs", "", false);
        check_one(".ci/run", "", false);
        check_one("notes.md", "", true);
        check_one("src/main.rs", "", true);
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        for (start, end) in MACHINE_PATHS {
            check_one("infra/docs/a.md", &format!("look in {start}{end}x"), true);
        }
        check_one(
            "infra/docs/a.md",
            &format!("look in tests{}{}x", "/wo", "rk/"),
            false,
        );
    }

    #[test]
    fn a_lock_file_that_names_its_registry_is_found() {
        let text = format!("{}{}s://mirror.example/x.tgz\"", "\"resolved\": \"htt", "p");
        check_one("gateway/web/package-lock.json", &text, true);
    }

    #[test]
    fn large_files_are_found() {
        check_one("infra/demo/film.mp4", &"x".repeat(5_000_001), true);
    }
}
