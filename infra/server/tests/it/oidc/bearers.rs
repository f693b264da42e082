//! Bearer tokens of an issuer that is configured: which are believed, and as whom.

use anyhow::{Context, Result};
use reqwest::Client;
use serde_json::{Value, json};

use super::browser::{Browser, with_form};
use super::{World, provider};
use crate::server::Setup;

fn trusting(setup: Setup, issuer: &str) -> Setup {
    setup
        .with("AUTH_EXTERNAL_ISSUERS_CORP_ISSUER", issuer)
        .with("AUTH_EXTERNAL_ISSUERS_CORP_AUDIENCE", "films")
}

/// A token of the provider's keys, or one that only looks so.
async fn forged(plain: &str, asked: Value) -> Result<String> {
    let answer = Client::new()
        .post(format!("{plain}/forge"))
        .json(&asked)
        .send()
        .await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["token"].as_str().context("a token")?.to_owned())
}

#[tokio::test]
async fn tokens_of_a_known_issuer_are_those_of_the_account_with_that_identity_and_no_others_are() -> Result<()>
{
    let oidc = provider().await?;
    let world = World::start(oidc, |setup| trusting(setup, oidc.issuer())).await?;
    let signed_in = Browser::new(&world.base)?.signed_in("test", "ada").await?;
    for alg in ["RS256", "ES256", "EdDSA"] {
        let token = forged(oidc.plain(), json!({ "alg": alg, "claims": { "sub": "ada" } })).await?;
        for round in ["the first time", "from then on"] {
            let whose = world.whose(&token).await?;
            assert_eq!(
                whose.map(|user| user["id"].clone()),
                Ok(signed_in["user"]["id"].clone()),
                "{alg} {round}"
            );
        }
    }
    let listed = json!({ "alg": "RS256", "claims": { "sub": "ada", "aud": ["films", "others"] } });
    let refused = [
        json!({ "alg": "none", "claims": { "sub": "ada" } }),
        json!({ "alg": "HS256", "claims": { "sub": "ada" } }),
        json!({ "alg": "stranger", "claims": { "sub": "ada" } }),
        json!({ "alg": "RS256", "kid": "ES256", "claims": { "sub": "ada" } }),
        json!({ "alg": "RS256", "kid": "unknown", "claims": { "sub": "ada" } }),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "aud": "others" } }),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "aud": [] } }),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "iss": "https://elsewhere.example" } }),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "iss": "spool" } }),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "exp": 1_000_000_000 } }),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "nbf": 9_999_999_999_u64 } }),
        json!({ "alg": "RS256", "claims": { "sub": 7 } }),
        json!({ "alg": "RS256", "claims": { "sub": "nobody known" } }),
    ];
    assert!(
        world.whose(&forged(oidc.plain(), listed).await?).await?.is_ok(),
        "one of several audiences"
    );
    for asked in refused {
        let token = forged(oidc.plain(), asked.clone()).await?;
        assert_eq!(world.whose(&token).await?, Err(401), "{asked}");
    }
    world.server.stop().await
}

#[tokio::test]
async fn a_program_that_the_provider_knows_gets_an_account_with_its_first_token_where_that_is_configured()
-> Result<()> {
    let oidc = provider().await?;
    let trusting =
        |setup| trusting(setup, oidc.issuer()).with("AUTH_EXTERNAL_ISSUERS_CORP_CREATE_ACCOUNTS", "true");
    let world = World::start(oidc, trusting).await?;
    let mut ids = Vec::new();
    for alg in ["ES256", "RS256"] {
        let resource = format!("urn:films:{alg}");
        let asked = [("grant_type", "client_credentials"), ("resource", &resource)];
        let asking = Client::new().post(format!("{}/token", oidc.issuer()));
        let asking = with_form(asking, &asked)?;
        let answer = asking.basic_auth("robot", Some("secret")).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["access_token"].as_str().context("an access token")?;
        let user = world.whose(token).await?;
        let user = user.map_err(|status| anyhow::anyhow!("refused with {status}"))?;
        assert!(
            user["email"]
                .as_str()
                .is_some_and(|email| email.ends_with("@corp.invalid")),
            "{user}"
        );
        ids.push(user["id"].clone());
    }
    assert_eq!(ids[0], ids[1], "the same subject is the same account");
    let other = forged(
        oidc.plain(),
        json!({ "alg": "RS256", "claims": { "sub": "ada", "email": "ada@example.org" } }),
    )
    .await?;
    let other = world
        .whose(&other)
        .await?
        .map_err(|status| anyhow::anyhow!("refused with {status}"))?;
    assert_eq!(other["email"], "ada@example.org");
    world.server.stop().await
}
