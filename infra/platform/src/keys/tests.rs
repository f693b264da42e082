//! Keys over restarts, erasures, rotations and mistakes of the operator: what holds wherever they are kept.
mod folder;
mod shared;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

use super::*;

/// What every place for keys must keep. `open` gives a handle as a new process has it; what it makes is there for the next.
fn keep_all(open: &dyn Fn() -> Keys) {
    everything_is_the_same_after_a_restart(open);
    a_sealed_text_opens_only_for_its_person_and_purpose(&open());
    an_erased_person_is_erased_for_ever(open);
    many_threads_agree_on_one_new_key(&open());
    tokens_signed_before_a_rotation_are_still_accepted(open);
    what_a_browser_keeps_opens_for_its_purpose_also_after_a_restart(open);
}

fn what_a_browser_keeps_opens_for_its_purpose_also_after_a_restart(open: &dyn Fn() -> Keys) {
    let sealed = open().seal_for("attempt", b"state");
    assert_eq!(
        open().open_for("attempt", &sealed).as_deref(),
        Some(&b"state"[..])
    );
    assert_eq!(open().open_for("code", &sealed), None);
    assert_eq!(open().open_for("attempt", &sealed[1..]), None);
    assert_eq!(open().open_for("attempt", "no such text!"), None);
}

fn everything_is_the_same_after_a_restart(open: &dyn Fn() -> Keys) {
    let person = Uuid::now_v7();
    let keys = open();
    let sealed = keys
        .seal(person, b"ada@example.org", b"email")
        .expect("a new person gets a key");
    let (cursor, kid) = (keys.derive("cursor"), keys.signing().kid.clone());
    drop(keys);
    let keys = open();
    assert_eq!(
        keys.open_sealed(person, &sealed, b"email")
            .expect("it was sealed here"),
        b"ada@example.org"
    );
    assert_eq!(keys.derive("cursor"), cursor);
    assert_eq!(keys.signing().kid, kid);
    assert_ne!(keys.derive("urls"), cursor);
    assert_ne!(keys.mac("cursor", b"a"), keys.mac("urls", b"a"));
}

fn a_sealed_text_opens_only_for_its_person_and_purpose(keys: &Keys) {
    let (ada, bob) = (Uuid::now_v7(), Uuid::now_v7());
    let sealed = keys.seal(ada, b"secret", b"email").expect("sealed");
    keys.seal(bob, b"other", b"email").expect("sealed");
    let same = |text: &[u8], aad: &[u8]| {
        let mut sealed = String::new();
        let key = keys.at_hand(ada).expect("it was used just now");
        key.seal_same_onto(&mut sealed, text, aad);
        sealed
    };
    assert_eq!(same(b"secret", b"email"), same(b"secret", b"email"));
    assert_ne!(same(b"secret", b"email"), same(b"secrets", b"email"));
    assert_ne!(same(b"secret", b"email")[..12], same(b"secret", b"name")[..12]);
    let opened = keys.open_sealed(ada, &same(b"secret", b"email"), b"email");
    assert_eq!(opened.expect("it was sealed here"), b"secret");
    assert_ne!(sealed, keys.seal(ada, b"secret", b"email").expect("sealed"));
    assert!(matches!(
        keys.open_sealed(bob, &sealed, b"email"),
        Err(KeysError::Damaged)
    ));
    assert!(matches!(
        keys.open_sealed(ada, &sealed, b"name"),
        Err(KeysError::Damaged)
    ));
    let mut altered = sealed.into_bytes();
    altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("base64 is text");
    for bad in [altered.as_str(), "", "short", "not base64 !"] {
        assert!(
            matches!(keys.open_sealed(ada, bad, b"email"), Err(KeysError::Damaged)),
            "{bad:?}"
        );
    }
}

fn an_erased_person_is_erased_for_ever(open: &dyn Fn() -> Keys) {
    let keys = open();
    let (ada, bob, nobody) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let sealed = keys.seal(ada, b"secret", b"").expect("sealed");
    let of_bob = keys.seal(bob, b"kept", b"").expect("sealed");
    keys.erase(ada).expect("erased");
    keys.erase(ada).expect("twice is quiet");
    // Who had no key can be erased as well, and never gets one.
    keys.erase(nobody).expect("erased");
    for keys in [keys, open()] {
        assert!(matches!(
            keys.open_sealed(ada, &sealed, b""),
            Err(KeysError::Erased)
        ));
        for erased in [ada, nobody] {
            assert!(matches!(keys.seal(erased, b"again", b""), Err(KeysError::Erased)));
        }
        assert!(keys.is_erased(ada).expect("readable") && !keys.is_erased(bob).expect("readable"));
        assert_eq!(
            keys.open_sealed(bob, &of_bob, b"").expect("bob is still there"),
            b"kept"
        );
    }
}

fn many_threads_agree_on_one_new_key(keys: &Keys) {
    let person = Uuid::now_v7();
    let sealed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| keys.seal(person, b"x", b"").expect("sealed")))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert!(
        sealed
            .iter()
            .all(|sealed| keys.open_sealed(person, sealed, b"").is_ok())
    );
}

fn tokens_signed_before_a_rotation_are_still_accepted(open: &dyn Fn() -> Keys) {
    let keys = open();
    let sign = |keys: &Keys| {
        let key = keys.signing();
        let header = Header {
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let claims = std::collections::BTreeMap::from([("exp", 4_102_444_800_u64)]);
        encode(&header, &claims, &EncodingKey::from_ed_der(key.pkcs8_der())).expect("the key signs")
    };
    let accepted = |keys: &Keys, token: &str| {
        let kid = jsonwebtoken::decode_header(token)
            .expect("a token")
            .kid
            .expect("it names its key");
        let verifying = keys.verifying();
        let key = verifying
            .iter()
            .find(|key| key.kid == kid)
            .expect("the key is known");
        let key = DecodingKey::from_ed_der(&key.public);
        decode::<serde::de::IgnoredAny>(token, &key, &Validation::new(Algorithm::EdDSA)).is_ok()
    };
    let before = sign(&keys);
    keys.rotate_signing().expect("rotated");
    let between = sign(&keys);
    keys.rotate_signing().expect("rotated");
    let after = sign(&keys);
    for keys in [keys, open()] {
        assert_eq!(keys.verifying().len(), 3);
        assert_eq!(keys.verifying()[0].kid, keys.signing().kid);
        for token in [&before, &between, &after] {
            assert!(accepted(&keys, token));
        }
    }
}

#[test]
fn tokens_are_random_and_their_hash_is_stable() {
    let token = secret_token();
    assert_eq!(token.len(), 43);
    assert_ne!(token, secret_token());
    assert_eq!(hash_token(&token), hash_token(&token));
    assert_eq!(hash_token("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

#[test]
fn the_signing_key_is_changed_when_it_has_signed_for_long_enough() {
    let dir = tempfile::tempdir().expect("a folder");
    let keys = Keys::open(dir.path()).expect("opened");
    let kid = keys.signing().kid.clone();
    let day = std::time::Duration::from_secs(86_400);
    assert!(!keys.rotate_signing_when_older(day).expect("looked"));
    assert_eq!(keys.signing().kid, kid);
    let path = dir.path().join("signing/current.key");
    let file = std::fs::File::options()
        .write(true)
        .open(path)
        .expect("it is there");
    file.set_modified(std::time::SystemTime::now() - 2 * day)
        .expect("it is ours");
    assert!(keys.rotate_signing_when_older(day).expect("rotated"));
    assert_ne!(keys.signing().kid, kid);
    assert!(!keys.rotate_signing_when_older(day).expect("looked"));
}
