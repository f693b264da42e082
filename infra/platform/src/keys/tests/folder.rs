//! In a folder of one node: what is in its files, and a master key that is not the one.
use std::os::unix::fs::PermissionsExt;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary folder can be written")
}

fn open(dir: &tempfile::TempDir) -> Keys {
    Keys::open(&dir.path().join("keys")).expect("the keys can be opened")
}

#[test]
fn a_folder_keeps_all_promises() {
    let dir = folder();
    keep_all(&|| open(&dir));
}

#[test]
fn an_erased_key_is_gone_from_the_files() {
    let dir = folder();
    let keys = open(&dir);
    let ada = Uuid::now_v7();
    keys.seal(ada, b"secret", b"").expect("sealed");
    let wrapped: Vec<u8> = persons_row(&dir, ada).expect("there is a key");
    assert!(in_files(&dir, &wrapped));
    keys.erase(ada).expect("erased");
    assert!(!in_files(&dir, &wrapped));
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
fn a_master_key_is_given_once_and_replaces_none() {
    let dir = folder();
    let (ours, theirs) = (dir.path().join("keys"), dir.path().join("cluster/keys"));
    let refused = Keys::give_master(&ours, &theirs).expect_err("there is none to give");
    assert!(matches!(refused, KeysError::MasterMissing(_)), "{refused}");
    let secret = open(&dir).derive("x");
    let give = || Keys::give_master(&ours, &theirs);
    assert_eq!(give().expect("given"), Given::Copied);
    assert_eq!(give().expect("given again"), Given::WasThere);
    assert_eq!(Keys::open(&theirs).expect("it is a key").derive("x"), secret);
    let file = theirs.join("master.key");
    let mode = |path: &Path| {
        let found = std::fs::metadata(path).expect("it is there");
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode(&file), mode(&theirs)), (0o600, 0o700));

    std::fs::write(&file, [7; 32]).expect("writable");
    let refused = give().expect_err("it is another");
    assert!(matches!(refused, KeysError::OtherMaster(_)), "{refused}");
    assert_eq!(std::fs::read(&file).expect("it is there"), [7; 32]);
}
