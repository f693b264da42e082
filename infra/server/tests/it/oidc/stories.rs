//! What comes of a sign-in by a provider, and of tricks with it.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};

use super::browser::{Browser, in_fragment, in_query, problem_in, with_query};
use super::{World, provider};
use crate::account::{Account, reason_of};
use crate::mail::{arrived, mails_in, token};
use crate::server::Setup;

/// What a person signs in by: the names of the providers.
async fn identities(base: &str, token: &str) -> Result<Vec<Value>> {
    let url = format!("{base}/api/auth/identities");
    let page: Value = Client::new()
        .get(url)
        .bearer_auth(token)
        .send()
        .await?
        .json()
        .await?;
    page["items"]
        .as_array()
        .cloned()
        .with_context(|| page.to_string())
}

async fn unlink(base: &str, token: &str, identity: &Value) -> Result<StatusCode> {
    let id = identity["id"].as_str().context("an identity has an id")?;
    let url = format!("{base}/api/auth/identities/{id}");
    Ok(Client::new()
        .delete(url)
        .bearer_auth(token)
        .send()
        .await?
        .status())
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("no {pointer} in {value}"))
}

#[tokio::test]
async fn who_is_new_gets_an_account_and_is_known_the_next_time_by_every_provider_that_vouches_for_the_address()
-> Result<()> {
    let oidc = provider().await?;
    let world = World::start(oidc, |setup| setup).await?;
    let base = &world.base;
    let listed: Value = reqwest::get(format!("{base}/api/auth/oidc/providers"))
        .await?
        .json()
        .await?;
    let shown = |index: usize, field: &str| listed["items"][index][field].clone();
    assert_eq!(
        [shown(0, "name"), shown(1, "name"), shown(2, "name")],
        ["hub", "second", "test"]
    );
    assert_eq!(shown(2, "label"), "The provider of the tests");

    let mut ada = Browser::new(base)?;
    let there = ada.begin("test").await?;
    let asked = |name: &str| in_query(&there, name).unwrap_or_default();
    assert_eq!(
        (
            asked("code_challenge_method").as_str(),
            asked("response_type").as_str()
        ),
        ("S256", "code")
    );
    assert!(asked("state").len() >= 32 && asked("nonce").len() >= 32 && asked("scope").contains("openid"));
    let back = ada.log_in(there, "ada").await?;
    let end = ada.come_back(&back).await?;
    assert_eq!((end.path(), end.query()), ("/login", None));
    assert_eq!(in_fragment(&end, "return_to").as_deref(), Some("/my"));
    let mut thief = Browser::new(base)?;
    assert_eq!(
        thief.exchange(&end).await?.status(),
        401,
        "a code without its cookie"
    );
    let cookies = ada.cookies.clone();
    let first: Value = ada.exchange(&end).await?.error_for_status()?.json().await?;
    assert_eq!(text(&first, "/user/email")?, "ada@example.org");
    assert_eq!(text(&first, "/user/username")?, "ada");
    assert_eq!(text(&first, "/user/first_name")?, "ada");
    ada.cookies = cookies;
    let again = reason_of(ada.exchange(&end).await?).await?;
    assert_eq!(again.0, 401, "the code is good once: {}", again.1);
    let access_token = text(&first, "/access_token")?;
    let id = text(&first, "/user/id")?;
    let profile = world.whose(access_token).await?;
    assert_eq!(
        profile.map(|user| user["id"].clone()),
        Ok(json!(id)),
        "what was used twice harms nobody"
    );
    let refresh = json!({ "refresh_token": first["refresh_token"] });
    let renewed = ada.post_json("/api/auth/refresh-token", &refresh).await?;
    assert_eq!(renewed.status(), 200, "the usual tokens");

    for (provider, login) in [
        ("test", "ada"),
        ("second", "ada"),
        ("hub", "ada"),
        ("test", "ada~2"),
    ] {
        let known = Browser::new(base)?.signed_in(provider, login).await?;
        assert_eq!(text(&known, "/user/id")?, id, "{login} by {provider}");
    }
    let all = identities(base, access_token).await?;
    let mut by: Vec<_> = all
        .iter()
        .map(|identity| identity["provider"].as_str().unwrap_or_default())
        .collect();
    by.sort_unstable();
    assert_eq!(by, ["hub", "test", "test"]);

    let namesake = Browser::new(base)?.signed_in("test", "ada~other").await?;
    assert_ne!(text(&namesake, "/user/id")?, id);
    assert_eq!(text(&namesake, "/user/username")?, "ada-2");
    let token = text(&namesake, "/access_token")?;
    let only = identities(base, token).await?;
    assert_eq!(unlink(base, token, &only[0]).await?, 409, "the last way in");
    assert_eq!(unlink(base, access_token, &all[0]).await?, 204);
    assert_eq!(identities(base, access_token).await?.len(), 2);
    a_library_of_others_believes_our_tokens(oidc.plain(), base, access_token, id).await?;
    world.server.stop().await
}

/// `jose` in Node.js, from our key set.
async fn a_library_of_others_believes_our_tokens(
    plain: &str,
    base: &str,
    token: &str,
    id: &str,
) -> Result<()> {
    let asked = json!({ "token": token, "jwks": format!("{base}/.well-known/jwks.json"), "issuer": "spool" });
    let answer = Client::new()
        .post(format!("{plain}/verify"))
        .json(&asked)
        .send()
        .await?;
    let verified: Value = answer.json().await?;
    ensure!(
        verified["payload"]["sub"] == id && verified["header"]["alg"] == "EdDSA",
        "{verified}"
    );
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_not_proved_on_both_sides_links_nothing_but_who_is_signed_in_may() -> Result<()> {
    let oidc = provider().await?;
    let world = World::start(oidc, |setup| setup).await?;
    let base = &world.base;
    let eve = Account::register(base.clone(), "eve").await?;
    assert_eq!(
        Browser::new(base)?.problem("test", "eve~unverified").await?,
        "email-unverified"
    );
    assert_eq!(
        Browser::new(base)?.problem("hub", "eve~unverified").await?,
        "email-unverified"
    );
    assert_eq!(
        Browser::new(base)?.problem("test", "eve").await?,
        "email-unconfirmed"
    );
    assert_eq!(
        Browser::new(base)?.problem("test", "zoe~nomail").await?,
        "no-email"
    );
    assert!(identities(base, &eve.token).await?.is_empty());

    let mut browser = Browser::new(base)?;
    let path = "/api/auth/oidc/test/login?link=true&return_to=/profile";
    assert_eq!(
        browser.get_json(path, None).await?.status(),
        401,
        "linking is for whoever is signed in"
    );
    let there = browser
        .get_json(path, Some(&eve.token))
        .await?
        .error_for_status()?;
    let there: Value = there.json().await?;
    let back = browser.log_in(text(&there, "/location")?.parse()?, "eve").await?;
    let end = browser.come_back(&back).await?;
    assert_eq!((end.path(), end.fragment()), ("/profile", None));
    let linked = identities(base, &eve.token).await?;
    assert_eq!(
        (linked.len(), &linked[0]["email"]),
        (1, &json!("eve@example.org"))
    );
    assert_eq!(linked[0]["label"], "The provider of the tests");
    let signed_in = Browser::new(base)?.signed_in("test", "eve").await?;
    assert_eq!(text(&signed_in, "/user/username")?, "eve");

    let bob = Account::register(base.clone(), "bob").await?;
    let there: Value = browser.get_json(path, Some(&bob.token)).await?.json().await?;
    let back = browser.log_in(text(&there, "/location")?.parse()?, "eve").await?;
    assert_eq!(problem_in(&browser.come_back(&back).await?)?, "identity-taken");

    assert_eq!(unlink(base, &eve.token, &linked[0]).await?, 204);
    assert!(identities(base, &eve.token).await?.is_empty());
    world.server.stop().await
}

#[tokio::test]
async fn what_was_not_begun_here_or_was_tampered_with_signs_nobody_in() -> Result<()> {
    let oidc = provider().await?;
    let world = World::start(oidc, |setup| setup.with("AUTH_OPEN_REGISTRATION", "false")).await?;
    let base = &world.base;
    assert_eq!(
        Browser::new(base)?.problem("test", "ada").await?,
        "registration-closed"
    );
    world.server.stop().await?;

    let world = World::start(oidc, |setup| setup).await?;
    let base = &world.base;
    let mut ada = Browser::new(base)?;
    let there = ada.begin("test").await?;
    let attempt = ada.cookies.clone();
    let back = ada.log_in(there.clone(), "ada").await?;
    let other_state = with_query(&back, "state", &"x".repeat(43));
    assert_eq!(problem_in(&ada.come_back(&other_state).await?)?, "start-again");
    let mut other = Browser::new(base)?;
    assert_eq!(
        problem_in(&other.come_back(&back).await?)?,
        "start-again",
        "no cookie"
    );
    other.cookies = attempt.clone();
    let value = &mut other.cookies[0].value;
    let last = if value.ends_with('A') { 'B' } else { 'A' };
    value.replace_range(value.len() - 1.., &last.to_string());
    assert_eq!(
        problem_in(&other.come_back(&back).await?)?,
        "start-again",
        "a changed cookie"
    );
    other.cookies.clear();
    other.begin("test").await?;
    assert_eq!(
        problem_in(&other.come_back(&back).await?)?,
        "start-again",
        "another attempt's cookie"
    );
    let elsewhere: Url = back.as_str().replace("/oidc/test/", "/oidc/second/").parse()?;
    assert_eq!(
        problem_in(&ada.come_back(&elsewhere).await?)?,
        "start-again",
        "another provider"
    );
    let mixed_up = with_query(&back, "iss", "https://elsewhere.example");
    let mut mixed = Browser::new(base)?;
    mixed.cookies = attempt.clone();
    assert_eq!(
        problem_in(&mixed.come_back(&mixed_up).await?)?,
        "not-believed",
        "another issuer"
    );

    let end = ada.come_back(&back).await?;
    assert!(in_fragment(&end, "code").is_some(), "{end}");
    assert_eq!(
        problem_in(&ada.come_back(&back).await?)?,
        "start-again",
        "the same once more"
    );
    ada.cookies = attempt;
    let replayed = ada.get_json(back.as_str(), None).await?;
    assert_eq!(reason_of(replayed).await?.0, 401, "and with the cookie put back");

    for name in ["nonce", "code_challenge"] {
        let mut browser = Browser::new(base)?;
        let there = browser.begin("test").await?;
        let changed = with_query(&there, name, &"x".repeat(43));
        let back = browser.log_in(changed, "ada").await?;
        assert_eq!(
            problem_in(&browser.come_back(&back).await?)?,
            "not-believed",
            "{name}"
        );
    }
    let mut browser = Browser::new(base)?;
    browser.begin("test").await?;
    let denied = with_query(&with_query(&back, "code", ""), "state", "");
    let refused = reason_of(browser.get_json(denied.as_str(), None).await?).await?;
    assert_eq!(refused.0, 400, "{}", refused.1);
    let answer = browser
        .get_json("/api/auth/oidc/test/login?return_to=//elsewhere.example", None)
        .await?;
    assert_eq!(reason_of(answer).await?.0, 422);
    let answer = browser.get_json("/api/auth/oidc/none/login", None).await?;
    assert_eq!(reason_of(answer).await?.0, 404);
    let unknown = browser.begin("none").await?;
    assert_eq!(problem_in(&unknown)?, "unknown-provider");
    world.server.stop().await
}

#[tokio::test]
async fn where_addresses_are_confirmed_first_only_who_comes_with_a_verified_one_is_in_at_once() -> Result<()>
{
    let oidc = provider().await?;
    let mail = tempfile::NamedTempFile::new()?;
    let file = mail.path().display().to_string();
    let confirming = |setup: Setup| {
        setup
            .with("AUTH_CONFIRM_EMAIL_FIRST", "true")
            .with("MAIL_FILE", &file)
    };
    let world = World::start(oidc, confirming).await?;
    let base = &world.base;
    assert_eq!(
        Browser::new(base)?.problem("test", "eve~unverified").await?,
        "confirm-email"
    );
    Browser::new(base)?.signed_in("test", "ada").await?;
    world.server.stop().await
}

#[tokio::test]
async fn a_provider_that_verified_the_address_is_linked_to_the_account_that_confirmed_it() -> Result<()> {
    let oidc = provider().await?;
    let mail = tempfile::NamedTempFile::new()?;
    let file = mail.path().display().to_string();
    let world = World::start(oidc, |setup| setup.with("MAIL_FILE", &file)).await?;
    let base = &world.base;
    let mia = Account::register(base.clone(), "mia").await?;
    assert_eq!(
        Browser::new(base)?.problem("test", "mia").await?,
        "email-unconfirmed"
    );
    let confirmation = arrived(|| mails_in(mail.path()), "mia@example.org", "confirm-email").await?;
    let confirm = json!({ "token": token(&confirmation, "confirm-email") });
    let url = format!("{base}/api/auth/confirm-email");
    let confirmed = Client::new().post(url).json(&confirm).send().await?;
    assert_eq!(confirmed.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        Browser::new(base)?.problem("test", "mia~unverified").await?,
        "email-unverified"
    );
    let signed_in = Browser::new(base)?.signed_in("test", "mia").await?;
    let own = world.whose(&mia.token).await?;
    assert_eq!(
        own.map(|user| user["id"].clone()),
        Ok(signed_in["user"]["id"].clone())
    );
    assert_eq!(identities(base, &mia.token).await?.len(), 1);
    world.server.stop().await
}

#[tokio::test]
async fn who_breaks_off_at_the_provider_is_told_so() -> Result<()> {
    let oidc = provider().await?;
    let world = World::start(oidc, |setup| setup).await?;
    let mut ada = Browser::new(&world.base)?;
    let there = ada.begin("test").await?;
    let form = super::browser::location(&there, &ada.get(&there).await?)?;
    let abort: Url = format!("{form}/abort").parse()?;
    let back = ada.log_in(abort, "ada").await?;
    assert_eq!(problem_in(&ada.come_back(&back).await?)?, "refused-there");
    world.server.stop().await
}
