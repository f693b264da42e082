//! Copies objects from one store to another under the same keys. They are written whole or not at all and never changed, so
//! one that is there with the same size was copied before.

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use spool_blobs::{BlobError, Blobs, Durability, Head};
use std::collections::HashMap;

const PAGE: usize = 1_000;
/// Objects on their way at once. Each has some megabytes in memory.
const TOGETHER: usize = 8;

/// A number of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub objects: u64,
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, head: &Head) {
        self.objects += 1;
        self.bytes += head.size;
    }
}

/// All objects of a store.
pub async fn count(from: &Blobs) -> anyhow::Result<Amount> {
    let mut all = Amount::default();
    let mut after: Option<String> = None;
    loop {
        let page = from.list("", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = Some(last.key.clone());
        page.iter().for_each(|head| all.add(head));
    }
}

/// Copies what is missing and says how much that was. Tells the bytes of each object once it is there, also if it was before.
pub async fn copy(from: &Blobs, to: &Blobs, told: &(dyn Fn(u64) + Sync)) -> anyhow::Result<Amount> {
    let mut copied = Amount::default();
    let mut after: Option<String> = None;
    loop {
        let page = from.list("", after.as_deref(), PAGE).await?;
        let Some(last) = page.last().map(|head| head.key.clone()) else {
            return Ok(copied);
        };
        let there = sizes(to, after.as_deref(), &last).await?;
        let mut missing = vec![];
        for head in page {
            match there.get(&head.key) {
                None => missing.push(head),
                Some(size) if *size == head.size => told(head.size),
                Some(size) => anyhow::bail!(
                    "the cluster has another object {} ({size} bytes, here {}); give it a bucket, or an s3.prefix, of its own",
                    head.key,
                    head.size
                ),
            }
        }
        missing.iter().for_each(|head| copied.add(head));
        stream::iter(missing)
            .map(|head| async move {
                copy_one(from, to, &head)
                    .await
                    .with_context(|| format!("copying the object {}", head.key))?;
                told(head.size);
                anyhow::Ok(())
            })
            .buffer_unordered(TOGETHER)
            .try_collect::<()>()
            .await?;
        after = Some(last);
    }
}

/// The sizes of all objects whose keys come after `after` and not after `last`, and perhaps of some more.
async fn sizes(to: &Blobs, after: Option<&str>, last: &str) -> Result<HashMap<String, u64>, BlobError> {
    let mut sizes = HashMap::new();
    let mut after = after.map(str::to_owned);
    loop {
        let page = to.list("", after.as_deref(), PAGE).await?;
        let Some(end) = page.last().map(|head| head.key.clone()) else {
            return Ok(sizes);
        };
        sizes.extend(page.into_iter().map(|head| (head.key, head.size)));
        if end.as_str() >= last {
            return Ok(sizes);
        }
        after = Some(end);
    }
}

async fn copy_one(from: &Blobs, to: &Blobs, head: &Head) -> anyhow::Result<()> {
    let mut reader = from.read_stream(&head.key, None).await?;
    let mut writer = to.put_stream(&head.key, Durability::Durable).await?;
    while let Some(chunk) = reader.next().await {
        writer.write(chunk?).await?;
    }
    // Never a part of it under its name: it could not be told from the whole any more.
    ensure!(
        writer.written() == head.size,
        "it has {} bytes, and {} could be read",
        head.size,
        writer.written()
    );
    writer.finish().await?;
    Ok(())
}
