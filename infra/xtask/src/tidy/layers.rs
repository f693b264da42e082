//! Which crate may know which: read from every Cargo.toml.

use super::Finding;
use super::tree::Tree;

/// Every crate of ours with the crates of ours that it may know.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("spool-domain", &[]),
    ("spool-schemas", &["spool-domain"]),
    ("spool-kafka", &["spool-services"]),
    (
        "spool-log",
        // Itself for its tests, which turn on its features.
        &[
            "spool-kafka",
            "spool-services",
            "spool-eventstore-double",
            "spool-log",
        ],
    ),
    ("spool-tables", &["spool-services"]),
    ("spool-blobs", &["spool-services"]),
    (
        "spool-platform",
        &["spool-kafka", "spool-tables", "spool-services"],
    ),
    ("spool-services", &[]),
    ("spool-eventstore-double", &[]),
    ("spool-media-protocol", &[]),
    ("spool-media", &["spool-media-protocol"]),
    ("spool-commands", LOWER),
    ("spool-projections", LOWER),
    ("spool-workers", BESIDE),
    ("spool-gateway", BESIDE),
    ("spool-gateway-fuzz", ALL),
    ("spool", ALL),
    ("xtask", &[]),
];

const LOWER: &[&str] = &[
    "spool-domain",
    "spool-schemas",
    "spool-kafka",
    "spool-services",
    "spool-log",
    "spool-tables",
    "spool-blobs",
    "spool-platform",
];

/// The protocol is where a film's container is recognised by its first bytes, which uploads need as well.
const BESIDE: &[&str] = &[
    "spool-domain",
    "spool-schemas",
    "spool-kafka",
    "spool-services",
    "spool-log",
    "spool-tables",
    "spool-blobs",
    "spool-platform",
    "spool-commands",
    "spool-projections",
    "spool-media-protocol",
];

const ALL: &[&str] = &[
    "spool-domain",
    "spool-schemas",
    "spool-kafka",
    "spool-services",
    "spool-log",
    "spool-tables",
    "spool-blobs",
    "spool-platform",
    "spool-commands",
    "spool-projections",
    "spool-media-protocol",
    "spool-workers",
    "spool-gateway",
];

/// Crates that are held to a list of borrowed ones as well.
const MAY_BORROW: &[(&str, &[&str])] = &[
    ("spool-domain", &["schemars", "serde", "thiserror", "uuid"]),
    ("spool-media-protocol", &["serde", "serde_json"]),
    ("xtask", &["anyhow"]),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
        let manifest = Manifest::read(text);
        findings.extend(
            wrong_dependencies(&manifest)
                .into_iter()
                .map(|what| Finding::new(path, what)),
        );
    }
    findings
}

fn wrong_dependencies(manifest: &Manifest) -> Vec<String> {
    let name = manifest.name.as_str();
    let Some((_, allowed)) = MAY_KNOW.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "{name} has no place among the crates; give it one in tidy/layers.rs"
        )];
    };
    let mut wrong = Vec::new();
    for dependency in &manifest.dependencies {
        let ours = MAY_KNOW.iter().any(|(known, _)| *known == dependency.name);
        if ours && !allowed.contains(&dependency.name.as_str()) {
            wrong.push(format!("{name} must not know {}", dependency.name));
        }
        if dependency.name.starts_with("ffmpeg") && name != "spool-media" {
            wrong.push(format!("{name} links FFmpeg; only spool-media may"));
        }
        let borrowing = MAY_BORROW.iter().find(|(known, _)| *known == name);
        let refused = borrowing.is_some_and(|(_, list)| !list.contains(&dependency.name.as_str()));
        if refused && !ours && !dependency.only_for_tests {
            wrong.push(format!("{name} must not borrow {}", dependency.name));
        }
    }
    wrong
}

struct Manifest {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    only_for_tests: bool,
}

impl Manifest {
    /// Reads the lines that matter here; cargo has refused everything that is no TOML.
    fn read(text: &str) -> Self {
        let mut manifest = Self {
            name: String::new(),
            dependencies: Vec::new(),
        };
        let mut section = "";
        for line in text
            .lines()
            .map(|line| line.split('#').next().unwrap_or("").trim_end())
        {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').trim();
                // `[dependencies.serde]` names the dependency in the header.
                if let Some((table, name)) = section.rsplit_once("dependencies.") {
                    manifest.add(name, table.ends_with("dev-"));
                }
                continue;
            }
            let Some(key) = line
                .split(['=', '.'])
                .next()
                .map(str::trim)
                .filter(|_| line.contains('='))
            else {
                continue;
            };
            if section == "package" && key == "name" {
                manifest.name = line.split('"').nth(1).unwrap_or_default().to_owned();
            }
            if section.ends_with("dependencies") {
                manifest.add(key, section.ends_with("dev-dependencies"));
            }
        }
        manifest
    }

    fn add(&mut self, name: &str, only_for_tests: bool) {
        self.dependencies.push(Dependency {
            name: name.trim_matches('"').to_owned(),
            only_for_tests,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(name: &str, lines: &str, wanted: &[&str]) {
        let text = format!("[package]\nname = \"{name}\"\n\n{lines}");
        let found: Vec<String> = wrong_dependencies(&Manifest::read(&text));
        assert_eq!(found, wanted);
    }

    #[test]
    fn dependencies_point_one_way() {
        check_one(
            "spool-commands",
            "[dependencies]\nspool-log = { workspace = true }\n",
            &[],
        );
        check_one(
            "spool-log",
            "[dependencies]\nspool-domain.workspace = true\n",
            &["spool-log must not know spool-domain"],
        );
        check_one(
            "spool-projections",
            "[target.'cfg(unix)'.dependencies]\nspool-commands = { path = \"../commands\" }\n",
            &["spool-projections must not know spool-commands"],
        );
        check_one(
            "spool-workers",
            "[dependencies.spool-gateway]\nworkspace = true\n",
            &["spool-workers must not know spool-gateway"],
        );
    }

    #[test]
    fn the_domain_asks_for_nothing() {
        check_one(
            "spool-domain",
            "[dependencies]\ntokio = \"1\"\n",
            &["spool-domain must not borrow tokio"],
        );
        check_one(
            "spool-domain",
            "[dependencies]\nserde = \"1\"\n[dev-dependencies]\nproptest = \"1\"\n",
            &[],
        );
    }

    #[test]
    fn only_spool_media_links_ffmpeg() {
        let lines = "[dependencies]\nffmpeg-next = { workspace = true }\n";
        check_one(
            "spool-workers",
            lines,
            &["spool-workers links FFmpeg; only spool-media may"],
        );
        check_one("spool-media", lines, &[]);
    }

    #[test]
    fn a_crate_without_a_place_is_refused() {
        check_one(
            "spool-utils",
            "",
            &["spool-utils has no place among the crates; give it one in tidy/layers.rs"],
        );
    }
}
