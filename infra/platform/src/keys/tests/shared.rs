//! In registers of a CQL server, by several nodes at once.
use std::time::{Duration, Instant};

use spool_services::{Cassandra, fresh_name};
use spool_tables::{CqlSettings, Credentials};

use super::*;

/// A cluster that nobody has started yet.
struct Cluster {
    settings: CqlSettings,
    dir: tempfile::TempDir,
}

impl Cluster {
    fn new() -> Self {
        let cassandra = Cassandra::shared();
        let mut settings = CqlSettings::new([cassandra.contact_point()]);
        settings.credentials = Some(Credentials::new(cassandra.user(), cassandra.password()));
        settings.keyspace = fresh_name("keys_");
        // All tests load one small server at once.
        settings.request_timeout = Duration::from_secs(30);
        let dir = tempfile::tempdir().expect("the temporary folder can be written");
        give_master(&dir, 7);
        Self { settings, dir }
    }

    fn registers(&self) -> Registers {
        Registers::cql(self.settings.clone()).expect("the server answers")
    }

    /// As another node, or the same one after a restart.
    fn node(&self) -> Keys {
        Keys::shared(self.dir.path(), &self.registers()).expect("the keys can be opened")
    }
}

fn give_master(dir: &tempfile::TempDir, byte: u8) {
    std::fs::write(dir.path().join("master.key"), [byte; 32]).expect("writable");
}

#[test]
fn shared_keys_keep_all_promises() {
    let cluster = Cluster::new();
    keep_all(&|| cluster.node());
}

#[test]
fn nodes_that_start_at_once_make_one_signing_key_and_one_key_for_a_new_person() {
    let cluster = Cluster::new();
    let person = Uuid::now_v7();
    let nodes: Vec<(Keys, String)> = std::thread::scope(|scope| {
        let start = || {
            let keys = cluster.node();
            let sealed = keys.seal(person, b"x", b"").expect("sealed");
            (keys, sealed)
        };
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        starting
            .into_iter()
            .map(|node| node.join().expect("no panic"))
            .collect()
    });
    let kid = nodes[0].0.signing().kid.clone();
    for (keys, _) in &nodes {
        assert_eq!((&keys.signing().kid, keys.verifying().len()), (&kid, 1));
        for (_, sealed) in &nodes {
            assert_eq!(
                keys.open_sealed(person, sealed, b"").expect("one key sealed all"),
                b"x"
            );
        }
    }
}

#[test]
fn a_key_is_used_nowhere_a_second_after_its_erasure() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node(), cluster.node());
    let person = Uuid::now_v7();
    let sealed = one.seal(person, b"secret", b"").expect("sealed");
    let reads = || other.open_sealed(person, &sealed, b"");
    assert_eq!(reads().expect("it has the key"), b"secret");
    one.erase(person).expect("erased");
    let erased_at = Instant::now();
    assert!(matches!(
        one.open_sealed(person, &sealed, b""),
        Err(KeysError::Erased)
    ));
    loop {
        let asked_at = Instant::now();
        match reads() {
            Ok(_) => assert!(asked_at - erased_at < Duration::from_secs(1)),
            Err(KeysError::Erased) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(matches!(other.seal(person, b"new", b""), Err(KeysError::Erased)));
}

#[test]
fn a_rotation_is_seen_by_all_nodes_and_no_token_is_refused_meanwhile() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node(), cluster.node());
    let before = one.signing().kid.clone();
    let accepts = |keys: &Keys, kid: &str| keys.verifying().iter().any(|key| key.kid == kid);
    std::thread::scope(|scope| {
        let rotating = scope.spawn(|| one.rotate_signing().expect("rotated"));
        while !rotating.is_finished() {
            // What one node signs now, the other accepts.
            assert!(accepts(&other, &one.signing().kid));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let after = one.signing().kid.clone();
    assert_ne!(after, before);
    let deadline = Instant::now() + Duration::from_secs(30);
    while other.signing().kid != after {
        assert!(Instant::now() < deadline, "the other node never signs with it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(accepts(&other, &before) && accepts(&one, &before));
}

#[test]
fn of_two_nodes_that_find_the_key_old_one_makes_the_next() {
    let cluster = Cluster::new();
    let nodes = [cluster.node(), cluster.node()];
    let rotated = |age| {
        std::thread::scope(|scope| {
            let asking = nodes
                .each_ref()
                .map(|node| scope.spawn(move || node.rotate_signing_when_older(age).expect("looked")));
            asking.map(|asked| asked.join().expect("it does not panic"))
        })
    };
    let hour = Duration::from_secs(3_600);
    assert_eq!(rotated(hour), [false, false], "the time begins to be counted");
    let registers = cluster.registers();
    let since = registers.get("signing-since").expect("it can be read");
    let long_ago = registers.swap("signing-since", since.as_deref(), b"0");
    long_ago.expect("it can be written");
    let made = rotated(hour);
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
    assert_eq!(rotated(hour), [false, false]);
}

#[test]
fn a_single_nodes_keys_become_those_of_a_cluster_whether_at_once_or_in_pieces() {
    let cluster = Cluster::new();
    let single = || Keys::open(cluster.dir.path()).expect("the keys can be opened");
    let (ada, bob, later) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let keys = single();
    let before = keys.signing().kid.clone();
    keys.rotate_signing().expect("rotated");
    let seal = |person| single().seal(person, b"x", b"").expect("sealed");
    let (of_ada, of_bob) = (seal(ada), seal(bob));
    keys.erase(bob).expect("erased");
    let registers = cluster.registers();
    let promote = || Keys::promote(cluster.dir.path(), &registers, |_| {});
    assert_eq!(promote().expect("promoted"), 2);
    // A person came after it was cut short; what is there is left alone.
    let of_later = seal(later);
    assert_eq!(promote().expect("promoted again"), 3);

    let shared = cluster.node();
    for (person, sealed) in [(ada, &of_ada), (later, &of_later)] {
        assert_eq!(shared.open_sealed(person, sealed, b"").expect("it opens"), b"x");
    }
    assert!(matches!(
        shared.open_sealed(bob, &of_bob, b""),
        Err(KeysError::Erased)
    ));
    assert!(shared.is_erased(bob).expect("readable"));
    assert_eq!(shared.signing().kid, keys.signing().kid);
    assert_eq!(shared.verifying()[1].kid, before);
    assert_eq!(shared.derive("cursor"), keys.derive("cursor"));

    // Another installation with the same master key is another one all the same.
    let foreign = tempfile::tempdir().expect("the temporary folder can be written");
    give_master(&foreign, 7);
    let keys = Keys::open(foreign.path()).expect("the keys can be opened");
    keys.seal(ada, b"y", b"").expect("sealed");
    drop(keys);
    assert!(matches!(
        Keys::promote(foreign.path(), &registers, |_| {}),
        Err(KeysError::Foreign(_))
    ));
}

#[test]
fn a_missing_or_wrong_master_key_is_refused_loudly() {
    let cluster = Cluster::new();
    let registers = cluster.registers();
    let open = || Keys::shared(cluster.dir.path(), &registers).map(drop);
    open().expect("the first node decides");
    give_master(&cluster.dir, 8);
    let wrong = open().expect_err("it is another");
    assert_eq!(
        wrong.to_string(),
        "the master key is not the one that wraps the shared keys"
    );
    let path = cluster.dir.path().join("master.key");
    std::fs::write(&path, b"short").expect("writable");
    assert!(matches!(open(), Err(KeysError::BadFile(_))));
    std::fs::remove_file(&path).expect("removable");
    let missing = open().expect_err("there is none").to_string();
    assert!(
        missing.contains("master.key is missing") && missing.contains("every node"),
        "{missing}"
    );
    give_master(&cluster.dir, 7);
    open().expect("it is back");
}
