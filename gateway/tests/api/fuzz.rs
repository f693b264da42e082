//! Strange requests, many of them: none panics, none is answered by a fault of ours, and every refusal is a problem.
//!
//! `cargo xtask campaign router --full` makes a million of them; the tests make a hundredth of that.

mod bodies;
mod headers;
mod judged;
mod known;
mod odd;
mod operations;
mod panics;
mod paths;

use crate::place::is_on_servers;
use crate::requests::Answer;
use crate::world::World;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use judged::Tally;
use known::Known;
use operations::{Operation, operations};
use panics::Panics;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

const FULL: u64 = 1_000_000;
/// So many askers at once, each with its own choices.
const ASKERS: u64 = 4;
/// An asker may have signed out, or been disabled, by what it asked.
const SIGN_IN_AGAIN_AFTER: u64 = 250;
/// The names of the threads that serve.
const THREADS: &str = "served";

#[test]
fn no_request_is_answered_by_a_fault_of_ours() {
    let seed = match std::env::var("CAMPAIGN_SEED") {
        Ok(seed) => seed.parse().expect("CAMPAIGN_SEED is a number"),
        Err(_) => rand::random(),
    };
    let requests = match std::env::var_os("CAMPAIGN_FULL") {
        Some(_) => FULL,
        None if is_on_servers() => FULL / 1_000,
        None => FULL / 100,
    };
    println!("seed {seed} ({requests} requests; repeat with: cargo xtask campaign router --seed {seed})");
    let panics = Panics::counted_in(THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name(THREADS)
        .enable_all()
        .build()
        .expect("a runtime");
    let tally = runtime.block_on(ask_all(seed, requests));
    println!("{tally}");
    assert_eq!(panics.seen(), Vec::<String>::new());
    tally.expect_variety();
}

async fn ask_all(seed: u64, requests: u64) -> Tally {
    let world = Arc::new(World::open_with(|config| config.uploads.max_bytes = 100_000).await);
    let document = world.get("/api/openapi.json").send().await.json();
    let operations = Arc::new(operations(&document));
    let ask = |asker: u64| {
        let asker = Asker {
            world: Arc::clone(&world),
            operations: Arc::clone(&operations),
            choices: StdRng::seed_from_u64(seed ^ asker.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            known: Known::default(),
            name: format!("asker{asker}"),
        };
        tokio::spawn(asker.ask(requests / ASKERS))
    };
    let asking: Vec<_> = (0..ASKERS).map(ask).collect();
    let mut tally = Tally::default();
    for asked in asking {
        let asked = asked.await.expect("an asker does not panic");
        tally.add(asked.unwrap_or_else(|complaint| panic!("seed {seed}: {complaint}")));
    }
    tally
}

struct Asker {
    world: Arc<World>,
    operations: Arc<Vec<Operation>>,
    choices: StdRng,
    known: Known,
    name: String,
}

impl Asker {
    async fn ask(mut self, requests: u64) -> Result<Tally, String> {
        let mut tally = Tally::default();
        for number in 0..requests {
            if number % SIGN_IN_AGAIN_AFTER == 0 {
                let round = number / SIGN_IN_AGAIN_AFTER;
                self.known
                    .begin(&self.world, &format!("{}.{round}", self.name))
                    .await;
            }
            let asked = self.made();
            let answer = sent(&self.world.router, &asked).await;
            judged::judge(&asked, &answer).map_err(|complaint| {
                format!(
                    "{} number {number}: {complaint}\n{asked}\n{}",
                    self.name,
                    answer.text()
                )
            })?;
            tally.count(&asked, &answer);
            self.known.learn(&answer, &mut self.choices);
        }
        Ok(tally)
    }

    /// The next request: what the document describes, mostly, with something or other wrong with it.
    fn made(&mut self) -> Asked {
        let choices = &mut self.choices;
        loop {
            let operation = operations::chosen(&self.operations, choices);
            let method = match choices.random_ratio(1, 16) {
                true => odd::method(choices),
                false => operation.method.clone(),
            };
            let uri = paths::made(operation, &self.known, choices);
            let (content_type, body) = bodies::made(operation, &self.known, choices);
            let headers = headers::made(operation, content_type, &self.known, choices);
            let asked = Asked {
                operation: operation.name.clone(),
                method,
                uri,
                headers,
                pieces: bodies::in_pieces(body, choices),
                breaks_off: choices.random_ratio(1, 64),
            };
            // What is no request at all does not come as far as the router.
            if asked.request().is_some() {
                return asked;
            }
        }
    }
}

/// A request that can be made again.
pub struct Asked {
    /// The operation that it began as.
    operation: String,
    method: Method,
    uri: String,
    headers: Vec<(String, Vec<u8>)>,
    pieces: Vec<Bytes>,
    breaks_off: bool,
}

impl Asked {
    fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(name, &value[..]);
        }
        let pieces = self.pieces.clone().into_iter().map(Ok);
        let broken = self
            .breaks_off
            .then(|| Err(std::io::Error::other("the client has gone")));
        let body = Body::from_stream(futures_util::stream::iter(pieces.chain(broken)));
        request.body(body).ok()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self
            .headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &value[..])
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 2_000;
        writeln!(
            out,
            "{} {} (as {})",
            self.method,
            shown(self.uri.as_bytes(), SHOWN),
            self.operation
        )?;
        for (name, value) in &self.headers {
            writeln!(out, "{name}: {}", shown(value, SHOWN))?;
        }
        let body = self.pieces.concat();
        write!(
            out,
            "{} bytes in {} pieces: {}",
            body.len(),
            self.pieces.len(),
            shown(&body, SHOWN)
        )?;
        if self.breaks_off {
            write!(out, " and broken off")?;
        }
        Ok(())
    }
}

fn shown(bytes: &[u8], most: usize) -> String {
    bytes[..bytes.len().min(most)].escape_ascii().to_string()
}

async fn sent(router: &Router, asked: &Asked) -> Answer {
    let request = asked.request().expect("it was looked at before");
    let response = router
        .clone()
        .oneshot(request)
        .await
        .expect("a router never fails");
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20)
        .await
        .expect("an answer is whole");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// One of the operation's own values for something that it calls `name`, or one that was heard of before.
fn likely(name: &str, schema: &Value, known: &Known, choices: &mut StdRng) -> String {
    let heard = known.of(name).choose(choices).cloned();
    let example = schema["example"].as_str().map(str::to_owned);
    match choices.random_range(0..10) {
        0..=5 => heard.or(example),
        6..=7 => example.or(heard),
        _ => None,
    }
    .unwrap_or_else(|| odd::text(choices))
}
