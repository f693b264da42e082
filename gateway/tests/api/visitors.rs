//! Bearer tokens of others: what their words for roles mean, and that they stop with the account.

use crate::world::{START_MS, World, check};
use reqwest::Client;
use serde_json::{Value, json};
use spool_domain::accounts::Command;
use spool_domain::actors::Actor;
use spool_domain::ids::AccountId;
use spool_platform::config::{Config, ExternalIssuer};
use spool_services::Oidc;
use tokio::task::block_in_place;

fn trusting(config: &mut Config) {
    let text = |text: &str| Some(text.to_owned());
    let corp = ExternalIssuer {
        issuer: text(block_in_place(Oidc::shared).issuer()),
        audience: text("films"),
        create_accounts: true,
        role_claim: text("realm.roles"),
        roles: text("ops=admin, staff=creator, guests = viewer"),
    };
    config.auth.external_issuers.insert("corp".to_owned(), corp);
}

/// A good token of `subject` with these roles.
async fn token(subject: &str, roles: Value) -> String {
    let (now, plain) = (START_MS / 1000, block_in_place(Oidc::shared).plain());
    let claims = json!({ "sub": subject, "iat": now, "exp": now + 600, "realm": { "roles": roles } });
    let asking = Client::new().post(format!("{plain}/forge"));
    let answer = asking
        .json(&json!({ "alg": "ES256", "claims": claims }))
        .send()
        .await;
    let answer: Value = answer.expect("it answers").json().await.expect("JSON");
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greatest_role_that_the_token_has_a_word_for_counts() {
    let world = World::open_with(trusting).await;
    let owner = world.person("ada").await;
    let video = world.video(&owner, "Hers alone", "private").await;
    let path = format!("/api/videos/{}", video["id"].as_str().expect("an id"));
    let cases = [
        (json!(["guests", "ops", "staff"]), 200),
        (json!("ops"), 200),
        (json!(["guests", "staff"]), 404),
        (json!(["unknown"]), 404),
        (json!({ "ops": true }), 404),
        (Value::Null, 404),
    ];
    for (roles, expected) in cases {
        let token = token("robot", roles).await;
        check(&world.get(&path).token(&token).send().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_stops_with_its_time_and_with_the_account() {
    let world = World::open_with(trusting).await;
    let token = token("robot", Value::Null).await;
    let profile = async || world.get("/api/auth/profile").token(&token).send().await;
    let answer = profile().await;
    check(&answer, 200);
    let id = answer.json()["id"].as_str().and_then(|id| id.parse().ok());
    let account = AccountId(id.expect("an id"));
    let by = Actor::System;
    for (command, expected) in [
        (Command::Disable { account, by }, 401),
        (Command::Enable { account, by }, 200),
    ] {
        let ask = spool_commands::Ask::fresh(Actor::System);
        let given = world.commands.give(account.stream(), command, ask).await;
        given.expect("it is taken");
        // Nobody told this gateway.
        world.clock.advance(900);
        check(&profile().await, expected);
    }
    world.clock.advance(598_000);
    check(&profile().await, 200);
    world.clock.advance(1_000);
    check(&profile().await, 401);
}
