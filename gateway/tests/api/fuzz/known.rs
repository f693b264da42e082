//! What an asker has heard of: ids, tokens, tags and whatever else answers named.

use crate::requests::Answer;
use crate::world::{World, registration};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use std::collections::BTreeMap;

/// Of each name; later ones take the place of any before.
const KEPT: usize = 48;
const LONGEST: usize = 4_096;
/// Answers' headers that are sent back under this or another name.
const HEADERS: &[&str] = &["etag", "consistency-token", "x-request-id", "location"];

#[derive(Default)]
pub struct Known(BTreeMap<String, Vec<String>>);

impl Known {
    /// A person who is signed in and has two films.
    pub async fn begin(&mut self, world: &World, name: &str) {
        let person = world.person(name).await;
        self.0
            .insert("access_token".to_owned(), vec![person.access_token.clone()]);
        for visibility in ["public", "private"] {
            let film = world.video(&person, "One", visibility).await;
            let shown = world
                .get(&format!("/api/videos/{}", film["id"].as_str().expect("an id")))
                .by(&person)
                .send()
                .await;
            let known = self.0.entry("id".to_owned()).or_default();
            known.extend(film["id"].as_str().map(str::to_owned));
            known.extend(shown.json()["job_id"].as_str().map(str::to_owned));
        }
        let known = [
            ("email", &person.email),
            ("refresh_token", &person.refresh_token),
            ("user_id", &person.id),
            ("id", &person.id),
        ];
        for (name, value) in known {
            self.0.entry(name.to_owned()).or_default().push(value.clone());
        }
        let passwords = self.0.entry("password".to_owned()).or_default();
        *passwords = registration(name)["password"]
            .as_str()
            .map(str::to_owned)
            .into_iter()
            .collect();
    }

    /// What answers called so.
    pub fn of(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn learn(&mut self, answer: &Answer, choices: &mut StdRng) {
        for name in HEADERS {
            if let Some(value) = answer.headers.get(*name).and_then(|value| value.to_str().ok()) {
                self.keep(name, value, choices);
            }
        }
        if !answer.status.is_success() {
            return;
        }
        if let Ok(body) = serde_json::from_slice(&answer.body) {
            self.walk("", &body, choices);
        }
    }

    fn walk(&mut self, name: &str, value: &Value, choices: &mut StdRng) {
        match value {
            Value::String(text) => self.keep(name, text, choices),
            Value::Array(values) => values.iter().for_each(|value| self.walk(name, value, choices)),
            // The document itself is no news.
            Value::Object(fields) if !fields.contains_key("openapi") => {
                fields
                    .iter()
                    .for_each(|(name, value)| self.walk(name, value, choices));
            }
            _ => {}
        }
    }

    fn keep(&mut self, name: &str, text: &str, choices: &mut StdRng) {
        if text.len() > LONGEST {
            return;
        }
        let known = self.0.entry(name.to_owned()).or_default();
        if known.len() < KEPT {
            known.push(text.to_owned());
        } else {
            known[choices.random_range(0..KEPT)] = text.to_owned();
        }
    }
}
