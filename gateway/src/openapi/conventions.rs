//! What holds for all operations, added to the document in one place: their headers, and the problems they answer with.

use super::headers::{headers, parameters};
use super::problems;
use crate::auth::scopes::{Need, needed, word};
use crate::problem::Kind;
use axum::http::Method;
use serde_json::{Value, json};

/// Commands that take no version: what they end cannot be changed by anybody else.
const WITHOUT_VERSION: &[(&str, &str)] = &[("delete", "/api/auth/logout")];

/// What is asked by POST because an address is no place for a secret.
const QUESTIONS: &[&str] = &["/api/auth/verify"];

/// Who asks is not told where that was written: it would help to watch what else is.
const WITHOUT_PLACE: &[&str] = &["/api/auth/forgot-password"];

pub fn add(document: &mut Value) {
    let usual = document["security"].clone();
    super::for_each_operation(document, |path, method, operation| {
        name_keys(path, method, operation, &usual);
        let seen = Seen::of(path, method, operation);
        seen.name_parameters(operation);
        seen.name_problems(operation);
        seen.name_headers(operation);
    });
    let components = &mut document["components"];
    components["responses"] = Value::Object(problems::components());
    components["parameters"] = parameters();
    components["headers"] = headers();
    for answer in components["responses"]
        .as_object_mut()
        .into_iter()
        .flat_map(|all| all.values_mut())
    {
        name_header(answer, "X-Request-Id");
        name_limits(answer);
    }
}

/// One operation, as far as the conventions look at it.
struct Seen {
    /// It reads who asks and how; what is there for machines alone does not.
    asks: bool,
    /// Requests are counted: all but those of whoever watches over the node.
    is_limited: bool,
    is_command: bool,
    /// Its answer says where in the log it was written.
    tells_place: bool,
    takes_version: bool,
    revalidates: bool,
    sends_parts: bool,
    /// An address that is signed can expire.
    is_signed: bool,
    has_id: bool,
    has_body: bool,
    has_query: bool,
}

impl Seen {
    fn of(path: &str, method: &str, operation: &Value) -> Self {
        let asks = path.starts_with("/api/");
        let is_command = asks && method != "get" && !QUESTIONS.contains(&path);
        let parameters = operation["parameters"].as_array();
        let ways = operation["security"].as_array();
        Self {
            asks,
            is_limited: path != "/metrics" && !path.starts_with("/health"),
            is_command,
            tells_place: is_command && !WITHOUT_PLACE.contains(&path),
            takes_version: is_command && method != "post" && !WITHOUT_VERSION.contains(&(method, path)),
            revalidates: operation["responses"].get("304").is_some(),
            sends_parts: operation["responses"].get("206").is_some(),
            is_signed: ways.is_some_and(|ways| ways.iter().any(|way| way.get("signature").is_some())),
            has_id: path.contains('{'),
            has_body: operation.get("requestBody").is_some(),
            has_query: parameters.is_some_and(|all| all.iter().any(|one| one["in"] == "query")),
        }
    }

    /// Whether it may be answered with this kind, whatever it does.
    fn may_answer(&self, kind: Kind) -> bool {
        match kind {
            Kind::Malformed | Kind::SignInNeeded | Kind::Defect | Kind::Unavailable | Kind::NoRoom => {
                self.asks
            }
            Kind::AddressTooLong | Kind::HeadersTooLarge => true,
            Kind::Limited => self.is_limited,
            Kind::NotFound => self.has_id,
            Kind::TookTooLong | Kind::TooLarge | Kind::WrongType => self.has_body,
            Kind::Stale => self.takes_version,
            Kind::Invalid => self.asks && (self.has_body || self.has_query),
            Kind::KeyUsedBefore => self.is_command,
            // An API key may not be for that.
            Kind::NotAllowed => self.is_signed || self.asks,
            // What only some do, they say themselves; another method is another operation.
            Kind::Conflict | Kind::RangeNotSatisfiable | Kind::MethodNotAllowed => false,
        }
    }

    fn name_problems(&self, operation: &mut Value) {
        let common = problems::components();
        let Some(answers) = operation["responses"].as_object_mut() else {
            return;
        };
        for kind in Kind::ALL {
            let status = kind.status().as_str().to_owned();
            let name = problems::name_of(kind);
            if self.may_answer(kind) {
                let reference = json!({ "$ref": format!("#/components/responses/{name}") });
                answers.entry(status.clone()).or_insert(reference);
            }
            // Whoever says when a problem is answered need not say again what every such answer has.
            let said = answers.get_mut(&status).and_then(Value::as_object_mut);
            if let Some(said) = said.filter(|said| said.get("content").is_some_and(is_problem)) {
                said.extend(
                    common[&name]
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter(|(field, _)| *field != "description")
                        .map(|(field, value)| (field.clone(), value.clone())),
                );
            }
        }
    }

    fn name_parameters(&self, operation: &mut Value) {
        let given = operation["parameters"].as_array().cloned().unwrap_or_default();
        let is_own = |parameter: &Value| {
            let known = parameters();
            let header = parameter["name"]
                .as_str()
                .filter(|_| parameter["in"] == "header")
                .unwrap_or_default();
            known.get(header).is_none()
        };
        let common = [
            ("Idempotency-Key", self.is_command),
            ("If-Match", self.takes_version),
            ("If-None-Match", self.revalidates),
            ("Range", self.sends_parts),
            ("Consistency-Token", self.asks && !self.is_command),
        ];
        let common = common.into_iter().filter(|(_, applies)| *applies);
        let common = common.map(|(name, _)| json!({ "$ref": format!("#/components/parameters/{name}") }));
        let all: Vec<Value> = given.into_iter().filter(is_own).chain(common).collect();
        if !all.is_empty() {
            operation["parameters"] = Value::Array(all);
        }
    }

    fn name_headers(&self, operation: &mut Value) {
        let known = headers();
        let content = operation["responses"]["200"]["content"].clone();
        for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
            if answer.get("$ref").is_some() {
                continue;
            }
            for (name, said) in answer["headers"].as_object_mut().into_iter().flatten() {
                if known.get(name).is_some() {
                    *said = json!({ "$ref": format!("#/components/headers/{name}") });
                }
            }
            name_header(answer, "X-Request-Id");
            if self.is_limited {
                name_limits(answer);
            }
            if self.tells_place && status.starts_with('2') {
                name_header(answer, "Consistency-Token");
            }
            if self.revalidates && matches!(status.as_str(), "200" | "206" | "304") {
                name_header(answer, "ETag");
            }
            if status == "206" {
                name_header(answer, "Content-Range");
                answer["content"] = content.clone();
            }
        }
    }
}

/// Where an access token is taken an API key is as well, if it has the scope that is needed, unless it is for persons only.
fn name_keys(path: &str, method: &str, operation: &mut Value, usual: &Value) {
    let ways = operation.get("security").unwrap_or(usual).as_array().cloned();
    let mut ways = ways.unwrap_or_default();
    let verb = Method::from_bytes(method.to_uppercase().as_bytes());
    let scopes = match needed(&verb.expect("a document has the methods of HTTP"), path) {
        Need::Nothing => json!([]),
        Need::Scope(scope) => json!([word(scope)]),
        Need::Person => return,
    };
    if ways.iter().any(|way| way.get("bearer").is_some()) {
        ways.push(json!({ "api_key": scopes }));
        operation["security"] = Value::Array(ways);
    }
}

fn is_problem(content: &Value) -> bool {
    content.get("application/problem+json").is_some()
}

fn name_limits(answer: &mut Value) {
    name_header(answer, "RateLimit");
    name_header(answer, "RateLimit-Policy");
}

/// Names a header that is described once, in place of what was said of it here.
fn name_header(answer: &mut Value, name: &str) {
    answer["headers"][name] = json!({ "$ref": format!("#/components/headers/{name}") });
}
