//! Keys over restarts, erasures, rotations and mistakes of the operator.
use std::os::unix::fs::PermissionsExt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary folder can be written")
}

fn open(dir: &tempfile::TempDir) -> Keys {
    Keys::open(&dir.path().join("keys")).expect("the keys can be opened")
}

#[test]
fn everything_is_the_same_after_a_restart() {
    let dir = folder();
    let person = Uuid::now_v7();
    let keys = open(&dir);
    let sealed = keys
        .seal(person, b"ada@example.org", b"email")
        .expect("a new person gets a key");
    let (cursor, kid) = (keys.derive("cursor"), keys.signing().kid.clone());
    drop(keys);
    let keys = open(&dir);
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

#[test]
fn a_sealed_text_opens_only_for_its_person_and_purpose() {
    let keys = open(&folder());
    let (ada, bob) = (Uuid::now_v7(), Uuid::now_v7());
    let sealed = keys.seal(ada, b"secret", b"email").expect("sealed");
    keys.seal(bob, b"other", b"email").expect("sealed");
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

#[test]
fn an_erased_person_is_erased_for_ever_and_the_key_is_gone_from_the_files() {
    let dir = folder();
    let keys = open(&dir);
    let (ada, bob) = (Uuid::now_v7(), Uuid::now_v7());
    let sealed = keys.seal(ada, b"secret", b"").expect("sealed");
    let of_bob = keys.seal(bob, b"kept", b"").expect("sealed");
    let wrapped: Vec<u8> = persons_row(&dir, ada).expect("there is a key");
    assert!(in_files(&dir, &wrapped));
    keys.erase(ada).expect("erased");
    keys.erase(ada).expect("twice is quiet");
    assert!(!in_files(&dir, &wrapped));
    for keys in [keys, open(&dir)] {
        assert!(matches!(
            keys.open_sealed(ada, &sealed, b""),
            Err(KeysError::Erased)
        ));
        assert!(matches!(keys.seal(ada, b"again", b""), Err(KeysError::Erased)));
        assert!(keys.is_erased(ada).expect("readable") && !keys.is_erased(bob).expect("readable"));
        assert_eq!(
            keys.open_sealed(bob, &of_bob, b"").expect("bob is still there"),
            b"kept"
        );
    }
}

fn persons_row(dir: &tempfile::TempDir, person: Uuid) -> Option<Vec<u8>> {
    let file = rusqlite::Connection::open(dir.path().join("keys/persons.db")).expect("the file is there");
    file.query_row(
        "SELECT wrapped FROM persons WHERE person = ?1",
        [person.as_bytes()],
        |row| row.get(0),
    )
    .expect("the row is there")
}

fn in_files(dir: &tempfile::TempDir, needle: &[u8]) -> bool {
    let entries = std::fs::read_dir(dir.path().join("keys")).expect("the folder is there");
    let files = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file());
    files
        .map(|path| std::fs::read(path).expect("readable"))
        .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}

#[test]
fn a_missing_or_wrong_master_key_is_refused_loudly() {
    let dir = folder();
    open(&dir).seal(Uuid::now_v7(), b"x", b"").expect("sealed");
    let master = dir.path().join("keys/master.key");
    let right = std::fs::read(&master).expect("it was made");
    std::fs::remove_file(&master).expect("removable");
    assert!(matches!(
        Keys::open(&dir.path().join("keys")),
        Err(KeysError::MasterMissing(_))
    ));
    std::fs::write(&master, [7; 32]).expect("writable");
    assert!(matches!(
        Keys::open(&dir.path().join("keys")),
        Err(KeysError::WrongMaster(_))
    ));
    std::fs::write(&master, b"short").expect("writable");
    assert!(matches!(
        Keys::open(&dir.path().join("keys")),
        Err(KeysError::BadFile(_))
    ));
    std::fs::write(&master, right).expect("writable");
    open(&dir);
    let mode = std::fs::metadata(&master)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn tokens_signed_before_a_rotation_are_still_accepted() {
    let dir = folder();
    let keys = open(&dir);
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
    for keys in [keys, open(&dir)] {
        assert_eq!(keys.verifying().len(), 3);
        assert_eq!(keys.verifying()[0].kid, keys.signing().kid);
        for token in [&before, &between, &after] {
            assert!(accepted(&keys, token));
        }
    }
}

#[test]
fn many_threads_agree_on_one_new_key() {
    let keys = open(&folder());
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

#[test]
fn tokens_are_random_and_their_hash_is_stable() {
    let token = secret_token();
    assert_eq!(token.len(), 43);
    assert_ne!(token, secret_token());
    assert_eq!(hash_token(&token), hash_token(&token));
    assert_eq!(hash_token("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}
