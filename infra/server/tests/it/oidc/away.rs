//! A provider that is away, and comes back.

use std::time::{Duration, Instant};

use anyhow::Result;
use spool_services::Oidc;

use super::World;
use super::browser::{Browser, problem_in};
use crate::account::reason_of;
use crate::waiting::within;

#[tokio::test]
async fn a_provider_that_is_away_is_said_so_and_nobody_has_to_restart_anything_when_it_is_back() -> Result<()>
{
    let mut oidc = tokio::task::spawn_blocking(Oidc::start).await??;
    oidc.kill()?;
    let world = World::start(&oidc, |setup| setup).await?;
    let mut ada = Browser::new(&world.base)?;
    let answer = ada.get_json("/api/auth/oidc/test/login", None).await?;
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(reason_of(answer).await?.0, 503);
    assert_eq!(problem_in(&ada.begin("test").await?)?, "provider-away");

    let mut oidc = tokio::task::spawn_blocking(move || oidc.restart().map(|()| oidc)).await??;
    let there = within(Duration::from_secs(10), "the provider's return", async || {
        let there = ada.begin("test").await?;
        Ok(match there.as_str().starts_with(oidc.issuer()) {
            true => Ok(there),
            false => Err(there.to_string()),
        })
    })
    .await?;
    let back = ada.log_in(there, "ada").await?;

    // It takes the connection and says nothing.
    oidc.pause()?;
    let asked = Instant::now();
    assert_eq!(problem_in(&ada.come_back(&back).await?)?, "provider-away");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let there = ada.begin("test").await?;
    assert!(
        there.as_str().starts_with(oidc.issuer()),
        "what it published is kept"
    );
    oidc.resume()?;
    let back = ada.log_in(there, "ada").await?;
    let end = ada.come_back(&back).await?;
    assert_eq!(ada.exchange(&end).await?.status(), 200);
    world.server.stop().await
}
