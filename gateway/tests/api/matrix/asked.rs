//! How each route is asked: what its path names, and a body that could not be refused for itself.

use super::cast::{Cast, Who, Whose, by, text};
use super::table::Row;
use crate::forms::{film, picture, upload_form, written};
use crate::requests::{Answer, Asking};
use crate::world::{Person, World, check, registration};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use image::ImageFormat;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What the `{id}` of a path is the id of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    Film,
    /// Of a film whose job was cancelled, so that it can be started.
    Cancelled,
    Job,
    Account,
    /// One that was deleted and can be restored.
    Deleted,
    Session,
    Key,
    /// Something that only a provider of accounts could give.
    Missing,
}

fn named(route: &str) -> Named {
    match route {
        "post /api/processing/videos/{id}/start" => Named::Cancelled,
        _ if route.contains("videos/{id}") => Named::Film,
        _ if route.contains("/api/jobs/{id}") => Named::Job,
        "post /api/users/{id}/restore" => Named::Deleted,
        _ if route.contains("/api/users/{id}") => Named::Account,
        _ if route.contains("/api/auth/sessions/{id}") => Named::Session,
        _ if route.contains("/api/auth/api-keys/{id}") => Named::Key,
        _ if route.contains("/api/auth/identities/{id}") => Named::Missing,
        _ => {
            assert!(!route.contains("{id}"), "say here what the id of {route} names");
            Named::Nothing
        }
    }
}

/// The rows that a route must have.
pub fn whose(route: &str) -> BTreeSet<Whose> {
    match named(route) {
        Named::Nothing | Named::Missing => BTreeSet::from([Whose::Nothing]),
        Named::Film | Named::Cancelled | Named::Job => {
            BTreeSet::from([Whose::Own, Whose::Other, Whose::Private])
        }
        Named::Account | Named::Deleted | Named::Session | Named::Key => {
            BTreeSet::from([Whose::Own, Whose::Other])
        }
    }
}

pub async fn ask(cast: &mut Cast, row: &Row, who: Who) -> Answer {
    let (caller, id) = match (named(&row.route), row.whose) {
        (Named::Nothing | Named::Missing, _) => (caller(cast, row, who).await, Uuid::now_v7().to_string()),
        (named @ (Named::Account | Named::Deleted | Named::Session), whose) => {
            let caller = caller(cast, row, who).await;
            let holder = match whose {
                Whose::Own => caller.clone().expect("nobody has nothing"),
                _ if changes_callers(row) => cast.fresh(Who::Creator).await,
                _ => cast.owner.clone(),
            };
            if named == Named::Deleted {
                cast.delete(&holder).await;
            }
            let id = match named {
                Named::Session => session_of(&holder),
                _ => holder.id,
            };
            (caller, id)
        }
        // Who may not upload any more has what was uploaded before.
        (named, Whose::Own) => {
            let holder = match cast.caller(who).filter(|_| who == Who::Creator) {
                Some(creator) => creator,
                None => cast.fresh(Who::Creator).await,
            };
            let id = thing(cast, named, &holder, Whose::Own).await;
            (Some(cast.become_one(holder, who).await), id)
        }
        (named, whose) => {
            let id = thing(cast, named, &cast.owner, whose).await;
            (caller(cast, row, who).await, id)
        }
    };
    send(cast, row, &id, caller.as_ref()).await
}

/// The same about an id that nothing has.
pub async fn ask_for_what_is_not_there(cast: &mut Cast, row: &Row, who: Who) -> Answer {
    let caller = caller(cast, row, who).await;
    send(cast, row, &Uuid::now_v7().to_string(), caller.as_ref()).await
}

/// What changes an account is asked by somebody, and about somebody, who is asked for nothing else.
fn changes_callers(row: &Row) -> bool {
    let is_about_callers = ["/api/auth/", "/api/users/"]
        .iter()
        .any(|start| row.path().starts_with(start));
    is_about_callers && row.method() != "get"
}

async fn caller(cast: &mut Cast, row: &Row, who: Who) -> Option<Person> {
    match who {
        Who::Nobody => None,
        _ if changes_callers(row) => Some(cast.fresh(who).await),
        _ => cast.caller(who),
    }
}

async fn thing(cast: &Cast, named: Named, holder: &Person, whose: Whose) -> String {
    if named == Named::Key {
        return text(&cast.key(holder, &["videos:read"]).await["id"]);
    }
    let film = cast.film(holder, whose).await;
    match named {
        Named::Film => film,
        Named::Job => cast.world.job_of(&film).await,
        Named::Cancelled => {
            let path = format!("/api/processing/videos/{film}/cancel");
            let cancelled = cast.world.post(&path).by(holder).send().await;
            check(&cancelled, 200);
            film
        }
        named => unreachable!("{named:?} is no film"),
    }
}

/// As the refresh token names it, behind the account.
fn session_of(person: &Person) -> String {
    let token = URL_SAFE_NO_PAD.decode(&person.refresh_token).expect("base64");
    Uuid::from_slice(&token[16..32]).expect("an id").to_string()
}

async fn send(cast: &mut Cast, row: &Row, id: &str, caller: Option<&Person>) -> Answer {
    let path = row
        .path()
        .replace("{id}", id)
        .replace("{rendition}", "360p")
        .replace("{file}", "index.m3u8")
        .replace("{provider}", "nowhere");
    let name = cast.name();
    let asking = Asking::new(&cast.world.router, &row.method().to_uppercase(), &path);
    let asking = with_body(&cast.world, by(asking, caller), &row.route, &name).await;
    asking.send().await
}

/// What the route needs besides its path. `name` is nobody's.
async fn with_body(world: &World, asking: Asking, route: &str, name: &str) -> Asking {
    match route {
        "post /api/auth/register" => asking.json(&registration(name)),
        "post /api/auth/login" => {
            let person = world.person(name).await;
            asking.json(&json!({"email": person.email, "password": registration(name)["password"]}))
        }
        "post /api/auth/refresh-token" => {
            let person = world.person(name).await;
            asking.json(&json!({"refresh_token": person.refresh_token}))
        }
        "post /api/auth/register-admin" => {
            let mut wanted = registration(name);
            wanted["role"] = json!("viewer");
            asking.json(&wanted)
        }
        "post /api/auth/verify" => {
            let person = world.person(name).await;
            asking.json(&json!({"token": person.access_token}))
        }
        "put /api/auth/change-password" => {
            asking.json(&json!({"current_password": registration(name)["password"], "new_password": "something else entirely"}))
        }
        "post /api/auth/forgot-password" => asking.json(&json!({"email": "ada@example.org"})),
        "post /api/auth/confirm-email" => asking.json(&json!({"token": "made-up"})),
        "post /api/auth/reset-password" => {
            asking.json(&json!({"token": "made-up", "password": registration(name)["password"]}))
        }
        "put /api/auth/profile" | "put /api/auth/user" | "put /api/users/{id}/profile" => asking.json(&json!({"first_name": "Grace"})),
        "put /api/auth/preferences" | "put /api/users/{id}/preferences" => asking.json(&json!({"theme": "dark", "autoplay": false})),
        "put /api/users/{id}/avatar" => {
            let file = written(&picture(16, 16, 0), ImageFormat::Png);
            asking.header("content-type", "image/png").body(file)
        }
        "post /api/auth/api-keys" => asking.json(&json!({"name": name, "scopes": ["videos:read"]})),
        "post /api/storage/upload/video" => asking.form(upload_form("One", "a.mp4", &film(2_000))),
        "put /api/videos/{id}" => asking.json(&json!({"title": "Two"})),
        "post /api/auth/oidc/exchange" => asking.json(&json!({"code": "made-up"})),
        "put /api/users/{id}" => asking.json(&json!({"role": "viewer"})),
        _ => asking,
    }
}
