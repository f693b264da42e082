//! The suite every backend of the blobs must pass. Each check panics with what it found.
use bytes::Bytes;

use spool_blobs::{BlobError, Blobs, Durability, Head};

/// What is behind the handle, because an object store promises less in two things (see the crate's documentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Disk,
    S3,
}

/// Runs all checks; the store may hold other things, but nothing below `contract/`. Panics when a promise is broken.
pub async fn run(blobs: &Blobs, store: Store) {
    objects_are_read_back_whole_and_in_parts(blobs).await;
    large_objects_come_through_in_chunks(blobs).await;
    an_object_appears_only_when_finished(blobs).await;
    a_replaced_object_has_another_tag_and_old_readers_get_no_mix(blobs, store).await;
    copies_are_objects_of_their_own(blobs).await;
    absent_objects_are_not_found(blobs).await;
    bad_keys_are_refused(blobs).await;
    a_key_is_no_folder_of_another_or_leaves_it_alone(blobs, store).await;
    listing_goes_by_key_and_page(blobs).await;
    deleting_takes_exactly_what_was_named(blobs).await;
    blobs.ready().await.expect("it answers");
    assert!(blobs.free_bytes().expect("readable").is_none_or(|free| free > 0));
}

async fn put(blobs: &Blobs, key: &str, text: &str) {
    blobs
        .put(key, Bytes::copy_from_slice(text.as_bytes()), Durability::Lazy)
        .await
        .expect("stored");
}

async fn keys(blobs: &Blobs, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = blobs.list(prefix, after, limit).await.expect("listable");
    found.into_iter().map(|head| head.key).collect()
}

fn is_absent<T>(outcome: &Result<T, BlobError>) -> bool {
    matches!(outcome, Err(BlobError::NotFound { .. }))
}

async fn objects_are_read_back_whole_and_in_parts(blobs: &Blobs) {
    let key = "contract/read/hello.txt";
    let stored = blobs
        .put(key, Bytes::from("hello world"), Durability::Durable)
        .await
        .expect("stored");
    let sha256: String = stored.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        sha256,
        "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
    );
    assert_eq!((stored.key.as_str(), stored.size), (key, 11));
    for (range, expected) in [
        (None, "hello world"),
        (Some(0..5), "hello"),
        (Some(6..100), "world"),
        (Some(11..20), ""),
        (Some(50..60), ""),
        (Some(4..4), ""),
    ] {
        assert_eq!(
            blobs.read(key, range.clone()).await.expect("readable"),
            expected,
            "{range:?}"
        );
        let mut reader = blobs.read_stream(key, range.clone()).await.expect("readable");
        assert_eq!(reader.size, expected.len() as u64);
        let chunk = reader
            .next()
            .await
            .map(|chunk| chunk.expect("readable"))
            .unwrap_or_default();
        assert_eq!(chunk, expected, "{range:?}");
        assert!(reader.next().await.is_none());
    }
    let opened = blobs.open_file(key).await.expect("readable");
    let head = blobs.head(key).await.expect("readable");
    assert_eq!((opened.size, &opened.etag), (11, &head.etag));
    let file = opened.into_file().await.expect("readable");
    assert_eq!(std::io::read_to_string(file).expect("readable"), "hello world");
    blobs.sync(&[key.to_owned()]).await.expect("syncable");
    put(blobs, "contract/read/empty", "").await;
    assert_eq!(
        blobs.read("contract/read/empty", None).await.expect("readable"),
        ""
    );
}

async fn large_objects_come_through_in_chunks(blobs: &Blobs) {
    const CHUNK: usize = 70_000;
    let key = "contract/large";
    let mut writer = blobs.put_stream(key, Durability::Durable).await.expect("begun");
    for number in 0..60_u8 {
        writer
            .write(Bytes::from(vec![number; CHUNK]))
            .await
            .expect("written");
    }
    assert_eq!(writer.written(), 60 * CHUNK as u64);
    let stored = writer.finish().await.expect("stored");
    assert_eq!(stored.size, 60 * CHUNK as u64);
    let mut reader = blobs
        .read_stream(key, Some(CHUNK as u64 / 2..stored.size))
        .await
        .expect("readable");
    let mut position = CHUNK / 2;
    while let Some(chunk) = reader.next().await {
        for byte in chunk.expect("readable") {
            assert_eq!(usize::from(byte), position / CHUNK);
            position += 1;
        }
    }
    assert_eq!(position as u64, stored.size);
}

async fn an_object_appears_only_when_finished(blobs: &Blobs) {
    let key = "contract/unfinished/object";
    for abort in [false, true] {
        let mut writer = blobs.put_stream(key, Durability::Durable).await.expect("begun");
        writer
            .write(Bytes::from(vec![1; 3 << 20]))
            .await
            .expect("written");
        assert!(is_absent(&blobs.head(key).await));
        assert!(keys(blobs, "contract/unfinished", None, 10).await.is_empty());
        if abort {
            writer.abort().await;
        } else {
            drop(writer);
        }
        assert!(is_absent(&blobs.head(key).await));
    }
}

async fn a_replaced_object_has_another_tag_and_old_readers_get_no_mix(blobs: &Blobs, store: Store) {
    let key = "contract/replaced";
    put(blobs, key, "before").await;
    let before = blobs.head(key).await.expect("readable");
    let mut reader = blobs.read_stream(key, None).await.expect("readable");
    put(blobs, key, "after!").await;
    assert_eq!(blobs.read(key, None).await.expect("readable"), "after!");
    assert_ne!(blobs.head(key).await.expect("readable").etag, before.etag);
    blobs.delete(key).await.expect("deleted");
    match reader.next().await.expect("a chunk") {
        Err(_) if store == Store::S3 => {}
        chunk => assert_eq!(chunk.expect("readable"), "before"),
    }
}

async fn copies_are_objects_of_their_own(blobs: &Blobs) {
    let (from, to) = ("contract/copy/from", "contract/copy/further/to");
    put(blobs, from, "copied").await;
    put(blobs, to, "replaced").await;
    blobs.copy(from, from).await.expect("nothing to do");
    blobs.copy(from, to).await.expect("copied");
    blobs.delete(from).await.expect("deleted");
    assert_eq!(blobs.read(to, None).await.expect("readable"), "copied");
    assert!(is_absent(&blobs.copy(from, to).await));
}

async fn absent_objects_are_not_found(blobs: &Blobs) {
    put(blobs, "contract/absent/there", "x").await;
    for key in [
        "contract/nothing",
        "contract/absent",
        "contract/absent/there/below",
        "nowhere/at/all",
    ] {
        assert!(is_absent(&blobs.head(key).await), "{key}");
        assert!(is_absent(&blobs.read(key, None).await), "{key}");
        assert!(is_absent(&blobs.open_file(key).await), "{key}");
        assert!(
            is_absent(&blobs.sync(&[key.to_owned()]).await) || key == "contract/absent",
            "{key}"
        );
        blobs.delete(key).await.expect("deleting nothing is quiet");
    }
    blobs
        .delete_prefix("contract/nothing/")
        .await
        .expect("deleting nothing is quiet");
    assert_eq!(
        blobs.read("contract/absent/there", None).await.expect("readable"),
        "x"
    );
}

async fn bad_keys_are_refused(blobs: &Blobs) {
    let refused = |outcome: Result<(), BlobError>| matches!(outcome, Err(BlobError::InvalidKey { .. }));
    for key in ["", "../escape", "a/../b", "/etc/passwd", "A", "a//b", ".hidden"] {
        assert!(
            refused(blobs.put_stream(key, Durability::Lazy).await.map(drop)),
            "{key}"
        );
        assert!(
            refused(blobs.put(key, Bytes::new(), Durability::Lazy).await.map(drop)),
            "{key}"
        );
        assert!(refused(blobs.open_file(key).await.map(drop)), "{key}");
        assert!(refused(blobs.read(key, None).await.map(drop)), "{key}");
        assert!(refused(blobs.head(key).await.map(drop)), "{key}");
        assert!(refused(blobs.delete(key).await), "{key}");
        assert!(refused(blobs.delete_prefix(&format!("{key}/")).await), "{key}");
        assert!(refused(blobs.sync(&[key.to_owned()]).await), "{key}");
    }
    assert!(refused(blobs.delete_prefix("contract").await));
}

/// Stores that keep files cannot have both; others take the key, and what was there stays readable.
async fn a_key_is_no_folder_of_another_or_leaves_it_alone(blobs: &Blobs, store: Store) {
    let inside = "contract/folder/object";
    put(blobs, inside, "x").await;
    for key in ["contract/folder", "contract/folder/object/below"] {
        match blobs.put(key, Bytes::from("y"), Durability::Lazy).await {
            Err(BlobError::InvalidKey { .. }) => {}
            Ok(_) if store == Store::S3 => {
                assert_eq!(blobs.read(key, None).await.expect("readable"), "y");
                blobs.delete(key).await.expect("deleted");
            }
            other => panic!("{key}: {other:?}"),
        }
        assert_eq!(blobs.read(inside, None).await.expect("readable"), "x", "{key}");
    }
}

async fn listing_goes_by_key_and_page(blobs: &Blobs) {
    let all = [
        "a", "a-b", "a.b/c", "a/b", "a/c/1", "a/c/10", "a/c/2", "a0", "b/x",
    ]
    .map(|key| format!("contract/list/{key}"));
    for key in all.iter().rev().filter(|key| !key.ends_with("/a")) {
        put(blobs, key, key).await;
    }
    // "a" is a folder here, so it cannot be an object as well.
    let expected: Vec<&str> = all[1..].iter().map(String::as_str).collect();
    assert_eq!(keys(blobs, "contract/list/", None, 100).await, expected);
    for size in 1..5 {
        let mut paged: Vec<String> = Vec::new();
        loop {
            let page = keys(blobs, "contract/list/", paged.last().map(String::as_str), size).await;
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, expected, "in pages of {size}");
    }
    assert_eq!(
        keys(blobs, "contract/list/a/c/1", None, 100).await,
        expected[3..5]
    );
    assert_eq!(keys(blobs, "contract/list/a/", None, 2).await, expected[2..4]);
    assert_eq!(
        keys(blobs, "contract/list/a/", Some("contract/list/a/c/z"), 9).await,
        Vec::<String>::new()
    );
    assert!(keys(blobs, "contract/list/zzz", None, 100).await.is_empty());
    let heads = blobs.list("contract/list/b", None, 1).await.expect("listable");
    let Head {
        key,
        size,
        modified_ms,
        etag,
    } = &heads[0];
    assert_eq!((key.as_str(), *size), (expected[7], key.len() as u64));
    assert!(*modified_ms > 0 && etag.starts_with('"'));
    assert_eq!(&blobs.head(key).await.expect("readable"), &heads[0]);
}

async fn deleting_takes_exactly_what_was_named(blobs: &Blobs) {
    for key in ["a/1", "a/b/2", "ab", "b"] {
        put(blobs, &format!("contract/delete/{key}"), key).await;
    }
    blobs
        .delete_prefix("contract/delete/ab/")
        .await
        .expect("nothing is below an object");
    blobs.delete_prefix("contract/delete/a/").await.expect("deleted");
    blobs.delete("contract/delete/b").await.expect("deleted");
    assert_eq!(
        keys(blobs, "contract/delete/", None, 10).await,
        ["contract/delete/ab"]
    );
    put(blobs, "contract/delete/a", "an object where a folder was").await;
    assert_eq!(
        keys(blobs, "contract/delete/", None, 10).await,
        ["contract/delete/a", "contract/delete/ab"]
    );
}
