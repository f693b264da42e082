//! What holds for every operation: the document that is written down, its names and examples, and the headers of commands and
//! queries, each seen to be read.

use crate::requests::{Answer, Asking};
use crate::world::{Person, World, check};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

const HOW_TO_UPDATE: &str = "run UPDATE=1 cargo test -p spool-gateway --test api conventions, then npm run client in \
    gateway/web, look at the differences and commit them";

/// Commands that do not look at what holds for all others, each with the reason.
const APART: &[(&str, &str)] = &[(
    "/api/auth/logout",
    "the end of a session is the same however often and by whom it is asked for",
)];

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    said: Value,
}

impl Operation {
    fn is_command(&self) -> bool {
        self.method != "GET" && self.path != "/api/auth/verify"
    }

    fn takes_version(&self) -> bool {
        matches!(self.method.as_str(), "PUT" | "PATCH" | "DELETE")
    }

    fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn has_parameter(&self, name: &str) -> bool {
        let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
        self.said["parameters"]
            .as_array()
            .is_some_and(|all| all.contains(&reference))
    }

    /// Asks as the document shows it, about things that do not exist.
    async fn ask(&self, world: &World, person: &Person, header: Option<(&str, &str)>) -> Answer {
        let path = self.path.split('/').map(|part| match part.starts_with('{') {
            true => "0192aaaa-0000-7000-8000-000000000000",
            false => part,
        });
        let path = path.collect::<Vec<_>>().join("/");
        let mut asking = Asking::new(&world.router, &self.method, &path).by(person);
        let example = &self.said["requestBody"]["content"]["application/json"]["example"];
        if !example.is_null() {
            asking = asking.json(example);
        }
        if let Some((name, value)) = header {
            asking = asking.header(name, value);
        }
        asking.send().await
    }
}

/// Those below `/api`, which all do as one.
fn operations(document: &Value) -> Vec<Operation> {
    let mut all = vec![];
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, said) in item.as_object().expect("methods") {
            let (method, path) = (method.to_uppercase(), path.clone());
            all.push(Operation {
                method,
                path,
                said: said.clone(),
            });
        }
    }
    all.retain(|operation| operation.path.starts_with("/api/"));
    all
}

async fn document(world: &World) -> Value {
    let answer = world.get("/api/openapi.json").send().await;
    check(&answer, 200);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_written_down_as_the_code_says_it() {
    let world = World::open().await;
    let said = serde_json::to_string_pretty(&document(&world).await).expect("it was JSON") + "\n";
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/openapi.json");
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&file, &said).expect("schemas/openapi.json can be written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == said,
        "schemas/openapi.json is not what the code says: {HOW_TO_UPDATE}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_have_names_of_their_own() {
    let world = World::open().await;
    let document = document(&world).await;
    let mut names = BTreeSet::new();
    for operation in operations(&document) {
        let name = operation.said["operationId"].as_str().expect("a name").to_owned();
        let is_snake_case = name
            .bytes()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
        assert!(is_snake_case, "{}: {name}", operation.shown());
        assert!(
            names.insert(name.clone()),
            "{}: {name} is another's name too",
            operation.shown()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_has_an_example_that_is_one() {
    let world = World::open().await;
    let document = document(&world).await;
    let mut examples = 0;
    for operation in operations(&document) {
        let answers = operation.said["responses"].as_object().expect("answers");
        let answers = answers
            .iter()
            .filter(|(status, _)| status.starts_with('2'))
            .map(|(_, answer)| answer);
        for content in answers
            .chain([&operation.said["requestBody"]])
            .map(|body| &body["content"])
        {
            let Some(media) = content
                .get("application/json")
                .or_else(|| content.get("multipart/form-data"))
            else {
                continue;
            };
            let mut schema = media["schema"].clone();
            schema["components"] = document["components"].clone();
            let validator = jsonschema::options()
                .should_validate_formats(true)
                .build(&schema)
                .expect("a schema");
            let example = media
                .get("example")
                .unwrap_or_else(|| panic!("{} has a body without an example", operation.shown()));
            let errors: Vec<String> = validator
                .iter_errors(example)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {example}: {errors:?}", operation.shown());
            examples += 1;
        }
    }
    assert!(examples > 10, "{examples}");
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_are_taken() {
    let world = World::open().await;
    let ada = world.person("somebody").await;
    let document = document(&world).await;
    for operation in operations(&document) {
        let said = &operation.said["requestBody"]["content"]["application/json"];
        if said.is_null() {
            continue;
        }
        let answer = operation.ask(&world, &ada, None).await;
        let status = answer.status.as_u16();
        // No example can have what only a mail or a provider has brought.
        if status == 422 && answer.json()["errors"][0]["pointer"] == "/token" {
            continue;
        }
        assert!(
            !matches!(status, 400 | 413 | 415 | 422 | 500..),
            "{}: {status} {}",
            operation.shown(),
            answer.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_and_query_reads_the_headers_that_it_is_said_to_take() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let document = document(&world).await;
    let too_long = "x".repeat(256);
    let apart = |operation: &Operation| APART.iter().any(|(path, _)| *path == operation.path);
    for operation in operations(&document)
        .into_iter()
        .filter(|operation| !apart(operation))
    {
        let headers = [
            ("Idempotency-Key", too_long.as_str(), operation.is_command()),
            ("If-Match", "three", operation.takes_version()),
            ("Consistency-Token", "three", !operation.is_command()),
        ];
        for (name, broken, takes) in headers {
            assert_eq!(
                operation.has_parameter(name),
                takes,
                "{}: {name}",
                operation.shown()
            );
            if takes {
                let answer = operation.ask(&world, &ada, Some((name, broken))).await;
                assert_eq!(
                    answer.status,
                    400,
                    "{} does not read {name}: {}",
                    operation.shown(),
                    answer.text()
                );
                assert!(
                    answer.text().contains(name),
                    "{}: {}",
                    operation.shown(),
                    answer.text()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_answers_with_where_it_is_in_the_log() {
    let world = World::open().await;
    let document = document(&world).await;
    for operation in operations(&document)
        .iter()
        .filter(|operation| operation.is_command())
    {
        let answers = operation.said["responses"].as_object().expect("answers");
        let done: Vec<&Value> = answers
            .iter()
            // Where it stands in the log that mail was asked for would help to find out who has an account.
            .filter(|(status, _)| {
                status.starts_with('2') && !(status.as_str() == "202" && asks_for_mail(operation))
            })
            .map(|(_, answer)| answer)
            .collect();
        let is_only_mail = done.is_empty() && asks_for_mail(operation);
        assert!(is_only_mail || !done.is_empty(), "{}", operation.shown());
        for answer in done {
            assert!(
                answer["headers"].get("Consistency-Token").is_some(),
                "{}",
                operation.shown()
            );
        }
    }
}

fn asks_for_mail(operation: &Operation) -> bool {
    matches!(
        operation.path.as_str(),
        "/api/auth/forgot-password" | "/api/auth/register" | "/api/auth/resend-confirmation"
    )
}
