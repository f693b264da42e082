//! That what the written pages name exists: commands, linked files, and the tests that security rests on.

use super::Finding;
use super::tree::Tree;

const SECURITY: &str = "infra/docs/SECURITY.md";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        findings.extend(unknown_chores(path, text));
        findings.extend(dead_links(tree, path, text));
    }
    if let Some(text) = tree.text(SECURITY) {
        findings.extend(missing_tests(tree, text));
    }
    for page in ["README.md", "infra/docs/ARCHITECTURE.md"] {
        if tree.text(page).is_none() {
            findings.push(Finding::new(page, "is missing"));
        }
    }
    findings
}

fn unknown_chores(path: &str, text: &str) -> Vec<Finding> {
    let named = text.split("cargo xtask ").skip(1).map(|rest| {
        let end = rest
            .find(|letter: char| !letter.is_ascii_lowercase())
            .unwrap_or(rest.len());
        &rest[..end]
    });
    named
        .filter(|name| !name.is_empty() && !crate::CHORES.iter().any(|chore| chore.name == *name))
        .map(|name| Finding::new(path, format!("`cargo xtask {name}` does not exist")))
        .collect()
}

/// Whoever renames a test that a requirement is said to be met by is told so. They are written `module::name_of_the_test`.
fn missing_tests(tree: &Tree, text: &str) -> Vec<Finding> {
    let spans = text.split('`').skip(1).step_by(2);
    let names = spans
        .filter_map(|span| span.rsplit_once("::"))
        .map(|(_, name)| name);
    let exists = |name: &str| {
        let function = format!("fn {name}(");
        tree.texts()
            .any(|(path, source)| path.ends_with(".rs") && source.contains(&function))
    };
    names
        .filter(|name| !exists(name))
        .map(|name| Finding::new(SECURITY, format!("names the test {name}, which does not exist")))
        .collect()
}

fn dead_links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .filter(|target| !exists(tree, &resolved(folder, target)))
        .map(|target| Finding::new(path, format!("links to {target}, which does not exist")))
        .collect()
}

fn exists(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let below = format!("{path}/");
    tree.files
        .iter()
        .any(|file| file.path == path || file.path.starts_with(&below))
}

/// A link from a page in `folder`, as a path from the top.
fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str, wanted: &[&str]) {
        let tree = Tree::with(&[
            ("README.md", text),
            ("infra/docs/ARCHITECTURE.md", "[up](../../README.md)"),
        ]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn commands_in_the_readme_exist() {
        check_one("Run `cargo xtask demo` or `cargo xtask campaign kill`.", &[]);
        check_one("Run cargo xtask demmo.", &["`cargo xtask demmo` does not exist"]);
    }

    #[test]
    fn tests_that_security_rests_on_exist() {
        let check_one = |page: &str, wanted: usize| {
            let tree = Tree::with(&[
                ("README.md", ""),
                ("infra/docs/ARCHITECTURE.md", ""),
                (SECURITY, page),
                ("gateway/tests/api/a.rs", "async fn nobody_gets_in() {}"),
            ]);
            assert_eq!(check(&tree).len(), wanted, "{page}");
        };
        check_one("Met by `a::nobody_gets_in` and `a plain word`.", 0);
        check_one("Met by `a::nobody_gets_out`.", 1);
    }

    #[test]
    fn links_lead_somewhere() {
        check_one(
            "[map](infra/docs/ARCHITECTURE.md#map) [docs](infra/docs) [out](https://example.org/x)",
            &[],
        );
        check_one(
            "[gone](infra/docs/GONE.md)",
            &["links to infra/docs/GONE.md, which does not exist"],
        );
    }
}
