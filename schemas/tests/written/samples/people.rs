//! What happens to accounts, as samples.

use super::{EMAIL, Sample, at, owner};
use spool_domain::accounts;
use spool_domain::actors::{Actor, Role};
use spool_domain::ids::{AccountId, ApiKeyId, ReservationId, SessionId};
use spool_domain::sealed::Sealed;
use uuid::uuid;

const USERNAME: ReservationId = ReservationId(uuid!("3d813cbb-47fb-82ba-91df-831e1593ac29"));
const IDENTITY: ReservationId = ReservationId(uuid!("5b7f0a52-2f0e-8c7d-9a41-77c0de0f1e63"));
const BOOTSTRAP: ReservationId = ReservationId(uuid!("0d9c1f7e-61b3-8a52-b6c4-2f3e4d5c6b7a"));
const API_KEY: ApiKeyId = ApiKeyId(uuid!("01982f3c-4f10-7a3b-9c1d-6e5f4a3b2c1d"));
const ADMIN: AccountId = AccountId(uuid!("01982f39-0000-7d10-a5c3-0d1f7c55e902"));
const PHONE: SessionId = SessionId(uuid!("01982f3b-10aa-7e0f-8a3d-c2f4b1d09e55"));

pub fn admin() -> Actor {
    Actor::Person {
        account: ADMIN,
        role: Role::Admin,
    }
}

pub fn registered(role: Role) -> accounts::Registered {
    accounts::Registered {
        personal: Sealed("AXd1Zk0ySmVwQ0l3b2c4T2hYb3VtUT09Lg3uV5bqkW2c7dJt8yq0mQ".into()),
        password_hash: Sealed("AVJ5bE9pWm5zN2tQcE1hUTJmTzR3PT0uQpX1v0bT3sYk9cLr6uNw".into()),
        email: EMAIL,
        username: USERNAME,
        role,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    }
}

pub fn accounts() -> Vec<Sample> {
    use accounts::*;
    let ended = |reason| {
        Event::SessionEnded(SessionEnded {
            session: PHONE,
            reason,
        })
    };
    vec![
        ("", Event::Registered(registered(Role::Creator)).into()),
        ("viewer", Event::Registered(registered(Role::Viewer)).into()),
        ("admin", Event::Registered(registered(Role::Admin)).into()),
        ("service", Event::Registered(registered(Role::Service)).into()),
        ("", Event::RegistrationVoided(RegistrationVoided {}).into()),
        (
            "",
            Event::SessionStarted(SessionStarted {
                session: PHONE,
                expires_at: at("23:59:59.999"),
                at: None,
                client: None,
            })
            .into(),
        ),
        (
            "client",
            Event::SessionStarted(SessionStarted {
                session: PHONE,
                expires_at: at("23:59:59.999"),
                at: Some(at("08:00:00.125")),
                client: Some(sealed()),
            })
            .into(),
        ),
        (
            "",
            Event::SessionRefreshed(SessionRefreshed {
                session: PHONE,
                counter: 4,
                at: at("08:15:00.250"),
                expires_at: at("23:59:59.999"),
            })
            .into(),
        ),
        ("", ended(SessionEnd::LoggedOut).into()),
        ("reused", ended(SessionEnd::RefreshTokenReused).into()),
        ("displaced", ended(SessionEnd::Displaced).into()),
        ("revoked", ended(SessionEnd::Revoked).into()),
        ("password", ended(SessionEnd::PasswordChanged).into()),
        ("disabled", ended(SessionEnd::Disabled).into()),
        ("deleted", ended(SessionEnd::Deleted).into()),
    ]
}

fn sealed() -> Sealed {
    Sealed("AW1vZGVzdGx5IHNlYWxlZCBub3RoaW5nIGluIHBhcnRpY3VsYXI".into())
}

fn identity() -> accounts::Identity {
    accounts::Identity {
        place: IDENTITY,
        provider: "keycloak".into(),
        shown: sealed(),
    }
}

pub fn ways_in() -> Vec<Sample> {
    use accounts::*;
    let by_provider = Registered {
        identity: Some(identity()),
        email_confirmed: true,
        ..registered(Role::Creator)
    };
    let first_admin = Registered {
        bootstrap: Some(BOOTSTRAP),
        ..registered(Role::Admin)
    };
    let password = |how| {
        Event::PasswordChanged(PasswordChanged {
            password_hash: sealed(),
            how,
        })
    };
    let key = |scopes: &[Scope], expires_at| {
        Event::ApiKeyCreated(ApiKeyCreated {
            key: API_KEY,
            name: sealed(),
            hash: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg".into(),
            scopes: scopes.to_vec(),
            at: at("08:20:00.000"),
            expires_at,
        })
    };
    let reset = PasswordResetRequested {
        number: 3,
        at: at("08:30:00.000"),
        expires_at: at("09:30:00.000"),
    };
    let asked = EmailConfirmationRequested {
        email: EMAIL,
        at: at("08:00:01.000"),
    };
    let linked = IdentityLinked {
        identity: identity(),
        at: at("08:40:00.000"),
    };
    let all = [
        Scope::VideosRead,
        Scope::VideosWrite,
        Scope::AccountRead,
        Scope::AccountWrite,
        Scope::Admin,
    ];
    vec![
        ("by-provider", Event::Registered(by_provider).into()),
        ("first-admin", Event::Registered(first_admin).into()),
        ("", password(PasswordChange::ByOwner).into()),
        ("link", password(PasswordChange::ByLink).into()),
        ("", Event::PasswordResetRequested(reset).into()),
        ("", Event::EmailConfirmationRequested(asked).into()),
        ("", Event::EmailConfirmed(EmailConfirmed { email: EMAIL }).into()),
        ("", key(&[Scope::VideosRead], Some(at("23:00:00.000"))).into()),
        ("all", key(&all, None).into()),
        ("", Event::ApiKeyRevoked(ApiKeyRevoked { key: API_KEY }).into()),
        ("", Event::IdentityLinked(linked).into()),
        (
            "",
            Event::IdentityUnlinked(IdentityUnlinked { place: IDENTITY }).into(),
        ),
    ]
}

pub fn lives_of_accounts() -> Vec<Sample> {
    use accounts::*;
    let changed = |given_up| {
        Event::ProfileChanged(ProfileChanged {
            personal: sealed(),
            email: EMAIL,
            username: USERNAME,
            given_up,
        })
    };
    let preferences = PreferencesChanged {
        preferences: sealed(),
    };
    let avatar = AvatarChanged {
        version: "5f1d7a84e2b9c036".to_owned(),
        image: sealed(),
    };
    let role = RoleChanged {
        role: Role::Admin,
        by: admin(),
    };
    let deleted = Deleted {
        by: owner(),
        erase_at: at("08:50:00.000"),
    };
    let erased = Erased {
        places: vec![EMAIL, USERNAME, IDENTITY],
    };
    vec![
        ("", changed(vec![]).into()),
        ("moved", changed(vec![IDENTITY]).into()),
        ("", Event::NameGivenUp(NameGivenUp { place: USERNAME }).into()),
        ("", Event::PreferencesChanged(preferences).into()),
        ("", Event::AvatarChanged(avatar).into()),
        ("", Event::AvatarRemoved(AvatarRemoved {}).into()),
        ("", Event::RoleChanged(role).into()),
        ("", Event::Disabled(Disabled { by: admin() }).into()),
        ("", Event::Enabled(Enabled { by: Actor::System }).into()),
        ("", Event::Deleted(deleted).into()),
        ("", Event::Restored(Restored { by: admin() }).into()),
        ("", Event::Erased(erased).into()),
    ]
}
