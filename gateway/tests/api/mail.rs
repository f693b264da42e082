//! A forgotten password and the confirmation of an e-mail address. Workers send the mails; here, the links in them are made
//! again from the facts that ask for them.

use crate::requests::Answer;
use crate::world::{Person, World, check, registration};
use serde_json::{Value, json};
use spool_commands::Ask;
use spool_commands::links::{ConfirmationLink, ResetLink};
use spool_domain::accounts::{Account, Command, Event};
use spool_domain::actors::Actor;
use spool_domain::ids::{AccountId, ReservationId};
use spool_platform::config::Config;
use spool_schemas::{AnyEvent, CommitRef};
use std::path::PathBuf;
use uuid::Uuid;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// An installation that sends mail.
pub fn with_mail(config: &mut Config) {
    config.mail.file = Some(PathBuf::from("mail"));
}

impl World {
    /// Waits for the `count`th link of its kind and returns its token.
    async fn token(
        &self,
        count: usize,
        token: impl Fn(&World, AccountId, &Event) -> Option<String>,
    ) -> String {
        let mut heads: Vec<_> = (0..self.log.partitions())
            .map(|partition| self.log.watch(partition))
            .collect();
        loop {
            for head in &mut heads {
                head.borrow_and_update();
            }
            let events = self.events();
            let mut tokens = events.iter().filter_map(|(stream, event)| match event {
                AnyEvent::Accounts(event) => token(self, AccountId(*stream), event),
                _ => None,
            });
            if let Some(token) = tokens.nth(count - 1) {
                return token;
            }
            let moved = heads.iter_mut().map(|head| Box::pin(head.changed()));
            futures_util::future::select_all(moved)
                .await
                .0
                .expect("the log is open");
        }
    }

    async fn reset_token(&self, count: usize) -> String {
        self.token(count, |world, account, event| match event {
            Event::PasswordResetRequested(asked) => Some(
                ResetLink {
                    account,
                    number: asked.number,
                }
                .token(&world.keys),
            ),
            _ => None,
        })
        .await
    }

    async fn confirmation_token(&self, count: usize) -> String {
        self.token(count, |world, account, event| match event {
            Event::EmailConfirmationRequested(asked) => Some(
                ConfirmationLink {
                    account,
                    email: asked.email,
                }
                .token(&world.keys),
            ),
            _ => None,
        })
        .await
    }

    /// Every event with the id of its stream.
    fn events(&self) -> Vec<(Uuid, AnyEvent)> {
        let mut events = vec![];
        for partition in 0..self.log.partitions() {
            for record in self
                .log
                .read(partition, 0, usize::MAX)
                .expect("the log can be read")
            {
                let commit = CommitRef::decode(&record.payload).expect("the log has commits only");
                let decoded = commit
                    .versioned()
                    .map(|(_, event)| event.decode().expect("it can be read"));
                events.extend(decoded.map(|event| (commit.stream.id, event)));
            }
        }
        events
    }

    async fn forgot(&self, email: &str) -> Answer {
        self.post("/api/auth/forgot-password")
            .json(&json!({ "email": email }))
            .send()
            .await
    }

    async fn reset(&self, token: &str, password: &str) -> Answer {
        let body = json!({ "token": token, "password": password });
        self.post("/api/auth/reset-password").json(&body).send().await
    }

    async fn confirm(&self, token: &str) -> Answer {
        self.post("/api/auth/confirm-email")
            .json(&json!({ "token": token }))
            .send()
            .await
    }

    async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.post("/api/auth/login").json(&body).send().await
    }

    async fn is_confirmed(&self, account: AccountId) -> bool {
        let (state, _) = self
            .commands
            .state::<Account>(account.stream())
            .await
            .expect("readable");
        matches!(state, Account::Active(active) if active.email_confirmed)
    }
}

fn account(person: &Person) -> AccountId {
    AccountId(person.id.parse().expect("a UUID"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_once_and_all_sessions_end() {
    let world = World::open_with(with_mail).await;
    let ada = world.person("ada").await;
    let answer = world.forgot(" Ada@Example.org ").await;
    check(&answer, 202);
    insta::assert_json_snapshot!("forgot_password", answer.json());
    let token = world.reset_token(1).await;
    let short = world.reset(&token, "short").await;
    check(&short, 422);
    assert_eq!(short.json()["errors"][0]["pointer"], "/password");
    check(&world.get("/api/auth/profile").by(&ada).send().await, 200);
    assert!(!world.is_confirmed(account(&ada)).await);
    check(&world.reset(&token, "a new password").await, 204);
    // Whoever has the link reads what is sent there.
    assert!(world.is_confirmed(account(&ada)).await);
    check(&world.get("/api/auth/profile").by(&ada).send().await, 401);
    let renewal = json!({ "refresh_token": ada.refresh_token });
    check(
        &world.post("/api/auth/refresh-token").json(&renewal).send().await,
        401,
    );
    check(
        &world.login("ada@example.org", "correct horse battery").await,
        401,
    );
    check(&world.login("ada@example.org", "a new password").await, 200);
    let again = world.reset(&token, "another password").await;
    check(&again, 409);
    insta::assert_json_snapshot!("used_link", again.json()["detail"]);
    check(&world.login("ada@example.org", "a new password").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_we_did_not_send_is_no_link() {
    let world = World::open_with(with_mail).await;
    let ada = world.person("ada").await;
    check(&world.forgot("ada@example.org").await, 202);
    let token = world.reset_token(1).await;
    let confirmation = ConfirmationLink {
        account: account(&ada),
        email: ReservationId(Uuid::nil()),
    };
    for wrong in ["", "abc", &token[1..], &confirmation.token(&world.keys)] {
        let answer = world.reset(wrong, "a new password").await;
        check(&answer, 409);
        let detail = answer.json()["detail"].as_str().map(str::to_owned);
        assert!(
            detail.is_some_and(|detail| detail.starts_with("this is not a link")),
            "{wrong}"
        );
    }
    check(&world.confirm(&token).await, 409);
    check(
        &world.login("ada@example.org", "correct horse battery").await,
        200,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_link_makes_the_older_one_void_and_no_link_is_good_for_ever() {
    let world = World::open_with(with_mail).await;
    world.person("ada").await;
    check(&world.forgot("ada@example.org").await, 202);
    let older = world.reset_token(1).await;
    world.clock.advance(2 * MINUTE_MS);
    check(&world.forgot("ada@example.org").await, 202);
    let newer = world.reset_token(2).await;
    check(&world.reset(&older, "a new password").await, 409);
    world.clock.advance(HOUR_MS - 1);
    check(&world.reset(&newer, "a new password").await, 204);
    check(&world.forgot("ada@example.org").await, 202);
    let late = world.reset_token(3).await;
    world.clock.advance(HOUR_MS);
    check(&world.reset(&late, "another password").await, 409);
    check(&world.login("ada@example.org", "a new password").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_one_link_a_minute_however_often_it_is_asked_for() {
    let world = World::open_with(with_mail).await;
    world.person("ada").await;
    for _ in 0..5 {
        check(&world.forgot("ada@example.org").await, 202);
    }
    world.reset_token(1).await;
    world.clock.advance(2 * MINUTE_MS);
    check(&world.forgot("ada@example.org").await, 202);
    world.reset_token(2).await;
    let events = world.events();
    let asked = events
        .iter()
        .filter(|(_, event)| matches!(event, AnyEvent::Accounts(Event::PasswordResetRequested(_))));
    assert_eq!(asked.count(), 2);
}

/// What the request is seen to do is the same for every address: the answer, and what is written before it goes out.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_from_a_request_whether_there_is_an_account() {
    let world = World::open_with(with_mail).await;
    let ada = world.person("ada").await;
    let (unknown, known) = (
        world.forgot("eve@example.org").await,
        world.forgot("ada@example.org").await,
    );
    check(&known, 202);
    check(&unknown, 202);
    assert_eq!(known.body, unknown.body);
    let names = |answer: &Answer| {
        let mut names: Vec<_> = answer
            .headers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&known), names(&unknown));
    assert!(!names(&known).contains(&"consistency-token".to_owned()));
    world.reset_token(1).await;
    let mut sizes = vec![];
    for partition in 0..world.log.partitions() {
        for record in world
            .log
            .read(partition, 0, usize::MAX)
            .expect("the log can be read")
        {
            let commit = CommitRef::decode(&record.payload).expect("the log has commits only");
            let names: Vec<_> = commit
                .versioned()
                .map(|(_, event)| event.name.to_owned())
                .collect();
            if names == ["PasswordResetWanted"] {
                let text: Value = serde_json::from_slice(&record.payload).expect("a commit is JSON");
                sizes.push(shape(&text));
            }
        }
    }
    // They differ in the version of the stream: the known address has been reserved before, a username just as well.
    assert_eq!(sizes.len(), 2);
    assert_eq!(sizes[0], sizes[1]);
    let events = world.events();
    let asked = events
        .iter()
        .filter(|(_, event)| matches!(event, AnyEvent::Accounts(Event::PasswordResetRequested(_))));
    let of: Vec<Uuid> = asked.map(|(stream, _)| *stream).collect();
    assert_eq!(of, [account(&ada).0]);
}

/// The names of all fields, and nothing of what is in them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
        Value::Array(values) => values.iter().map(shape).collect(),
        _ => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_address_leads_to_a_link_and_not_the_name_of_a_person() {
    let world = World::open_with(with_mail).await;
    world.person("ada").await;
    let answer = world.forgot("ada").await;
    check(&answer, 422);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/email");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_account_stays_locked_whatever_link_there_is() {
    let world = World::open_with(with_mail).await;
    let ada = account(&world.person("ada").await);
    check(&world.forgot("ada@example.org").await, 202);
    let token = world.reset_token(1).await;
    let confirmation = world.confirmation_token(1).await;
    let give = |command: Command| {
        world
            .commands
            .give(ada.stream(), command, Ask::fresh(Actor::System))
    };
    let by = Actor::System;
    give(Command::Disable { account: ada, by }).await.expect("locked");
    check(&world.reset(&token, "a new password").await, 403);
    check(&world.confirm(&confirmation).await, 403);
    let erase_at = spool_domain::time::Timestamp::MIN;
    give(Command::Delete {
        account: ada,
        by,
        erase_at,
    })
    .await
    .expect("deleted");
    check(&world.reset(&token, "a new password").await, 409);
    check(&world.confirm(&confirmation).await, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_is_asked_to_confirm_the_address() {
    let world = World::open_with(with_mail).await;
    let ada = world.person("ada").await;
    let token = world.confirmation_token(1).await;
    assert!(!world.is_confirmed(account(&ada)).await);
    let other = ConfirmationLink {
        account: account(&ada),
        email: ReservationId(Uuid::nil()),
    };
    check(&world.confirm(&other.token(&world.keys)).await, 409);
    let resend = || world.post("/api/auth/resend-confirmation").by(&ada).send();
    check(&resend().await, 202);
    world.clock.advance(2 * MINUTE_MS);
    let answer = resend().await;
    check(&answer, 202);
    insta::assert_json_snapshot!("resend_confirmation", answer.json());
    // The address is the same, and so is the link.
    assert_eq!(world.confirmation_token(2).await, token);
    check(&world.confirm(&token).await, 204);
    assert!(world.is_confirmed(account(&ada)).await);
    check(&world.confirm(&token).await, 204);
    world.clock.advance(2 * MINUTE_MS);
    check(&resend().await, 202);
    let events = world.events();
    let asked = events
        .iter()
        .filter(|(_, event)| matches!(event, AnyEvent::Accounts(Event::EmailConfirmationRequested(_))));
    assert_eq!(asked.count(), 2);
    check(&world.post("/api/auth/resend-confirmation").send().await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_address_has_to_be_confirmed_first_nobody_is_in_before() {
    let world = World::open_with(|config| {
        with_mail(config);
        config.auth.confirm_email_first = true;
    })
    .await;
    let answer = world
        .post("/api/auth/register")
        .json(&registration("ada"))
        .send()
        .await;
    check(&answer, 202);
    insta::assert_json_snapshot!("registered_to_be_confirmed", answer.json());
    check(&world.login("ada@example.org", "wrong password").await, 401);
    let refused = world.login("ada@example.org", "correct horse battery").await;
    check(&refused, 403);
    insta::assert_json_snapshot!("login_before_confirmation", refused.json()["detail"]);
    let token = world.confirmation_token(1).await;
    world.clock.advance(2 * MINUTE_MS);
    check(
        &world.login("ada@example.org", "correct horse battery").await,
        403,
    );
    assert_eq!(world.confirmation_token(2).await, token);
    check(&world.confirm(&token).await, 204);
    check(
        &world.login("ada@example.org", "correct horse battery").await,
        200,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_mail_is_sent_none_is_promised() {
    let world = World::open().await;
    let ada = world.person("ada").await;
    let (unknown, known) = (
        world.forgot("eve@example.org").await,
        world.forgot("ada@example.org").await,
    );
    check(&known, 403);
    check(&unknown, 403);
    assert_eq!(known.json()["detail"], unknown.json()["detail"]);
    insta::assert_json_snapshot!("no_mail", known.json()["detail"]);
    check(
        &world.post("/api/auth/resend-confirmation").by(&ada).send().await,
        403,
    );
}
