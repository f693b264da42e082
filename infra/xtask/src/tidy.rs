//! `cargo xtask tidy`: holds the tree against its own rules.

mod layers;
mod licences;
mod pages;
mod places;
mod sources;
mod tree;

use anyhow::{Result, bail};

use crate::flags::Flags;
use crate::say;
use tree::Tree;

pub const HELP: &str = "
cargo xtask tidy

Holds the tree against its own rules: which crate may depend on which, one job a file with its first line saying so,
file sizes, top-level names, no paths or registries of one machine, nothing left open, only spool-media links FFmpeg,
licences of all dependencies, and the commands and links of the README.
";

/// Something that breaks a rule: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

pub fn run(flags: Flags) -> Result<()> {
    flags.finish()?;
    check_tree()
}

pub fn check_tree() -> Result<()> {
    let step = say::step("holding the tree against its rules");
    let findings = findings()?;
    for finding in &findings {
        say::line(&format!("  {}: {}", finding.place, finding.what));
    }
    if !findings.is_empty() {
        bail!("{} places break a rule", findings.len());
    }
    step.done();
    Ok(())
}

fn findings() -> Result<Vec<Finding>> {
    let tree = Tree::of_this_project()?;
    let mut findings = Vec::new();
    findings.extend(places::check(&tree));
    findings.extend(sources::check(&tree));
    findings.extend(layers::check(&tree));
    findings.extend(pages::check(&tree));
    findings.extend(licences::check()?);
    Ok(findings)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_keeps_its_own_rules() {
        let findings = super::findings().expect("git and cargo can be asked");
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
