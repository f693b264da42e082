//! What becomes of an account after it came to be: passwords, names, keys, other ways in, locks, and its end.

use spool_domain::accounts::*;
use spool_domain::actors::{Actor, Role};
use spool_domain::decider::{Decider, refold, scenario::given};
use spool_domain::ids::{AccountId, ApiKeyId, ReservationId, SessionId};
use spool_domain::sealed::Sealed;
use spool_domain::time::{Millis, Timestamp};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Millis = Millis(3_600_000);
const ANNA: AccountId = AccountId(Uuid::from_u128(1));
const ROOT: AccountId = AccountId(Uuid::from_u128(2));
const PHONE: SessionId = SessionId(Uuid::from_u128(3));
const DESK: SessionId = SessionId(Uuid::from_u128(4));
const EMAIL: ReservationId = ReservationId(Uuid::from_u128(11));
const NAME: ReservationId = ReservationId(Uuid::from_u128(12));
const OTHER: ReservationId = ReservationId(Uuid::from_u128(13));
const KEY: ApiKeyId = ApiKeyId(Uuid::from_u128(21));

fn person(account: AccountId, role: Role) -> Actor {
    Actor::Person { account, role }
}

fn root() -> Actor {
    person(ROOT, Role::Admin)
}

fn sealed(text: &str) -> Sealed {
    Sealed(text.to_owned())
}

fn registered() -> Event {
    Event::Registered(Registered {
        personal: sealed("anna"),
        password_hash: sealed("first"),
        email: EMAIL,
        username: NAME,
        role: Role::Creator,
        identity: None,
        bootstrap: None,
        email_confirmed: false,
    })
}

fn started(session: SessionId) -> Event {
    Event::SessionStarted(SessionStarted {
        session,
        expires_at: NOW + HOUR,
        at: Some(NOW),
        client: None,
    })
}

fn ended(session: SessionId, reason: SessionEnd) -> Event {
    Event::SessionEnded(SessionEnded { session, reason })
}

fn with_password(how: PasswordChange) -> Event {
    Event::PasswordChanged(PasswordChanged {
        password_hash: sealed("second"),
        how,
    })
}

fn identity(place: ReservationId) -> Identity {
    Identity {
        place,
        provider: "test".to_owned(),
        shown: sealed("shown"),
    }
}

fn deleted(by: Actor, erase_at: Timestamp) -> Event {
    Event::Deleted(Deleted { by, erase_at })
}

fn delete(by: Actor, erase_at: Timestamp) -> Command {
    Command::Delete {
        account: ANNA,
        by,
        erase_at,
    }
}

fn restore() -> Command {
    Command::Restore {
        account: ANNA,
        by: root(),
    }
}

#[test]
fn a_new_password_ends_all_sessions_but_the_one_that_asks() {
    let change = |seen| Command::ChangePassword {
        seen: sealed(seen),
        password_hash: sealed("second"),
        keep: Some(DESK),
    };
    let past = [registered(), started(PHONE), started(DESK)];
    given::<Account>(&past).when(change("first"), NOW).then(&[
        with_password(PasswordChange::ByOwner),
        ended(PHONE, SessionEnd::PasswordChanged),
    ]);
    given::<Account>(&past)
        .when(change("another"), NOW)
        .then_refused(Refusal::PasswordChangedMeanwhile);
}

#[test]
fn a_link_for_a_new_password_is_good_once_for_a_while_and_until_the_next() {
    let asked = |number, at: Timestamp| {
        Event::PasswordResetRequested(PasswordResetRequested {
            number,
            at,
            expires_at: at + HOUR,
        })
    };
    let ask = |at: Timestamp| Command::RequestPasswordReset {
        expires_at: at + HOUR,
    };
    let reset = |number| Command::ResetPassword {
        number,
        password_hash: sealed("second"),
    };
    let (soon, later) = (NOW + Millis(59_999), NOW + MAIL_PAUSE);
    given::<Account>(&[registered()])
        .when(ask(NOW), NOW)
        .then(&[asked(1, NOW)]);
    let once = [registered(), started(PHONE), asked(1, NOW)];
    given::<Account>(&once).when(ask(soon), soon).then_nothing();
    given::<Account>(&once)
        .when(ask(later), later)
        .then(&[asked(2, later)]);
    let confirmed = Event::EmailConfirmed(EmailConfirmed { email: EMAIL });
    let signed_out = ended(PHONE, SessionEnd::PasswordChanged);
    given::<Account>(&once).when(reset(1), soon).then(&[
        with_password(PasswordChange::ByLink),
        signed_out.clone(),
        confirmed.clone(),
    ]);
    given::<Account>(&[&once[..], &[confirmed]].concat())
        .when(reset(1), soon)
        .then(&[with_password(PasswordChange::ByLink), signed_out]);
    given::<Account>(&once)
        .when(reset(1), NOW + HOUR)
        .then_refused(Refusal::LinkOver);
    let twice = [registered(), asked(1, NOW), asked(2, later)];
    given::<Account>(&twice)
        .when(reset(1), later)
        .then_refused(Refusal::LinkOver);
    let used = [registered(), asked(1, NOW), with_password(PasswordChange::ByLink)];
    given::<Account>(&used)
        .when(reset(1), soon)
        .then_refused(Refusal::LinkOver);
}

#[test]
fn an_address_is_confirmed_until_it_is_another() {
    let confirm = |email| Command::ConfirmEmail { email };
    let confirmed = Event::EmailConfirmed(EmailConfirmed { email: EMAIL });
    given::<Account>(&[registered()])
        .when(confirm(EMAIL), NOW)
        .then(std::slice::from_ref(&confirmed));
    given::<Account>(&[registered()])
        .when(confirm(OTHER), NOW)
        .then_refused(Refusal::OtherAddress);
    let moved = Event::ProfileChanged(ProfileChanged {
        personal: sealed("anna"),
        email: OTHER,
        username: NAME,
        given_up: vec![EMAIL],
    });
    let Account::Active(active) = refold::<Account>(&[registered(), confirmed, moved]) else {
        panic!("it is registered");
    };
    assert!(!active.email_confirmed);
}

#[test]
fn a_place_that_was_given_up_meanwhile_is_not_taken() {
    let rename = |given_up| Command::ChangeProfile {
        personal: sealed("other"),
        email: EMAIL,
        username: OTHER,
        given_up,
    };
    let changed = Event::ProfileChanged(ProfileChanged {
        personal: sealed("other"),
        email: EMAIL,
        username: OTHER,
        given_up: vec![NAME],
    });
    let given_up = Event::NameGivenUp(NameGivenUp { place: OTHER });
    given::<Account>(&[registered()])
        .when(rename(0), NOW)
        .then(std::slice::from_ref(&changed));
    given::<Account>(&[registered(), given_up.clone()])
        .when(rename(0), NOW)
        .then_refused(Refusal::NameGivenUp);
    let give_up = Command::GiveUpName { place: OTHER };
    given::<Account>(&[registered()])
        .when(give_up.clone(), NOW)
        .then(&[given_up]);
    given::<Account>(&[registered(), changed])
        .when(give_up, NOW)
        .then_nothing();
}

#[test]
fn the_last_way_in_stays() {
    let by_provider = Event::Registered(Registered {
        identity: Some(identity(OTHER)),
        personal: sealed("anna"),
        password_hash: sealed(""),
        email: EMAIL,
        username: NAME,
        role: Role::Creator,
        bootstrap: None,
        email_confirmed: true,
    });
    let unlink = || Command::UnlinkIdentity { place: OTHER };
    let unlinked = Event::IdentityUnlinked(IdentityUnlinked { place: OTHER });
    given::<Account>(std::slice::from_ref(&by_provider))
        .when(unlink(), NOW)
        .then_refused(Refusal::LastWayIn);
    given::<Account>(&[by_provider, with_password(PasswordChange::ByOwner)])
        .when(unlink(), NOW)
        .then(&[unlinked]);
}

#[test]
fn a_picture_is_the_one_that_was_set_last_until_it_is_removed() {
    let change = |version: &str| Command::ChangeAvatar {
        version: version.to_owned(),
        image: sealed("picture"),
    };
    let changed = |version: &str| {
        Event::AvatarChanged(AvatarChanged {
            version: version.to_owned(),
            image: sealed("picture"),
        })
    };
    let removed = || Event::AvatarRemoved(AvatarRemoved {});
    let given = |more: &[Event]| given::<Account>(&[&[registered()], more].concat());
    given(&[]).when(Command::RemoveAvatar, NOW).then(&[]);
    given(&[]).when(change("one"), NOW).then(&[changed("one")]);
    let set = [changed("one")];
    given(&set).when(change("one"), NOW).then(&[]);
    given(&set).when(change("two"), NOW).then(&[changed("two")]);
    given(&set).when(Command::RemoveAvatar, NOW).then(&[removed()]);
    let gone = [changed("one"), removed()];
    given(&gone).when(Command::RemoveAvatar, NOW).then(&[]);
    given(&gone).when(change("one"), NOW).then(&[changed("one")]);
    given(&[Event::Disabled(Disabled { by: root() })])
        .when(change("one"), NOW)
        .then_refused(Refusal::Disabled);
}

#[test]
fn a_key_is_good_until_its_time_its_end_and_the_lock_of_its_account() {
    let made = Event::ApiKeyCreated(ApiKeyCreated {
        key: KEY,
        name: sealed("key"),
        hash: "hash".to_owned(),
        scopes: vec![Scope::VideosRead],
        at: NOW,
        expires_at: Some(NOW + HOUR),
    });
    let good = |events: &[Event], now| refold::<Account>(events).usable_key(KEY, now).is_some();
    assert!(good(&[registered(), made.clone()], NOW));
    assert!(!good(&[registered(), made.clone()], NOW + HOUR));
    let revoked = Event::ApiKeyRevoked(ApiKeyRevoked { key: KEY });
    assert!(!good(&[registered(), made.clone(), revoked], NOW));
    let locked = Event::Disabled(Disabled { by: root() });
    assert!(!good(&[registered(), made, locked], NOW));
}

#[test]
fn administrators_decide_about_others_only() {
    let role = |by| Command::ChangeRole {
        account: ANNA,
        role: Role::Admin,
        by,
    };
    let changed = Event::RoleChanged(RoleChanged {
        role: Role::Admin,
        by: root(),
    });
    given::<Account>(&[registered()])
        .when(role(root()), NOW)
        .then(std::slice::from_ref(&changed));
    for by in [
        Actor::Anonymous,
        person(ANNA, Role::Creator),
        person(ROOT, Role::Service),
    ] {
        given::<Account>(&[registered()])
            .when(role(by), NOW)
            .then_refused(Refusal::NotAllowed);
    }
    let herself = person(ANNA, Role::Admin);
    let disable = Command::Disable {
        account: ANNA,
        by: herself,
    };
    given::<Account>(&[registered(), changed.clone()])
        .when(disable, NOW)
        .then_refused(Refusal::OwnAdministrator);
    given::<Account>(&[registered(), changed])
        .when(delete(herself, NOW), NOW)
        .then_refused(Refusal::OwnAdministrator);
}

#[test]
fn who_is_locked_is_out_until_unlocked() {
    let locked = Event::Disabled(Disabled { by: root() });
    let disable = Command::Disable {
        account: ANNA,
        by: root(),
    };
    let past = [registered(), started(PHONE)];
    given::<Account>(&past)
        .when(disable, NOW)
        .then(&[locked.clone(), ended(PHONE, SessionEnd::Disabled)]);
    let start = Command::StartSession {
        session: DESK,
        expires_at: NOW + HOUR,
        client: None,
    };
    given::<Account>(&[registered(), locked])
        .when(start, NOW)
        .then_refused(Refusal::Disabled);
}

#[test]
fn a_deleted_account_comes_back_in_its_days_of_grace_and_as_it_was() {
    let (grace, over) = (NOW + HOUR, NOW + HOUR + Millis(1));
    let herself = person(ANNA, Role::Creator);
    given::<Account>(&[registered(), started(PHONE)])
        .when(delete(herself, grace), NOW)
        .then(&[deleted(herself, grace), ended(PHONE, SessionEnd::Deleted)]);
    let restored = Event::Restored(Restored { by: root() });
    let gone = [registered(), deleted(herself, grace)];
    given::<Account>(&gone)
        .when(restore(), NOW)
        .then(std::slice::from_ref(&restored));
    given::<Account>(&gone)
        .when(restore(), over)
        .then_refused(Refusal::NotRestorable);
    let lock = Event::Disabled(Disabled { by: root() });
    let locked_before = [registered(), lock, deleted(root(), grace), restored];
    let Account::Active(active) = refold::<Account>(&locked_before) else {
        panic!("it is back");
    };
    assert_eq!(
        active.standing,
        Standing::Disabled,
        "the lock is not taken off by that"
    );
}

#[test]
fn what_is_erased_is_erased_by_the_timer_or_at_once_and_gives_its_places_back() {
    let erased = Event::Erased(Erased {
        places: vec![EMAIL, NAME],
    });
    let grace = NOW + HOUR;
    let gone = [registered(), deleted(root(), grace)];
    assert_eq!(refold::<Account>(&gone).due(), Some((grace, Command::Erase)));
    given::<Account>(&gone).when(Command::Erase, NOW).then_nothing();
    given::<Account>(&gone)
        .when(Command::Erase, grace)
        .then(std::slice::from_ref(&erased));
    given::<Account>(&gone)
        .when(delete(root(), NOW), NOW)
        .then(&[deleted(root(), NOW), erased.clone()]);
    let nothing = [registered(), deleted(root(), NOW), erased];
    assert_eq!(refold::<Account>(&nothing), Account::Erased);
    given::<Account>(&nothing)
        .when(restore(), NOW)
        .then_refused(Refusal::NoSuchAccount);
}
