//! Reads all partitions, one after the other, in large pages.

use std::sync::Arc;
use std::vec::IntoIter;

use super::read::PAGE_BYTES;
use super::{Handle, wait};
use crate::{ReadError, Record, ScanRecord};

/// See [`crate::Log::scan`]. Ends after the first error.
pub struct Scan {
    /// The log stays open for as long as it is scanned.
    handle: Arc<Handle>,
    partition: u16,
    /// For each partition, what comes next and where it ends.
    next: Vec<u64>,
    heads: Vec<u64>,
    page: IntoIter<Record>,
    left: u64,
}

impl Scan {
    pub(super) fn new(handle: &Arc<Handle>, from: &[u64]) -> Result<Self, ReadError> {
        let heads = handle.shared.heads();
        assert_eq!(
            from.len(),
            heads.len(),
            "a scan needs one offset for each partition"
        );
        let mut left = 0;
        for (partition, (&from, &head)) in (0..).zip(from.iter().zip(&heads)) {
            if from > head {
                return Err(ReadError::BeyondHead {
                    partition,
                    from,
                    head,
                });
            }
            left += head - from;
        }
        Ok(Self {
            handle: Arc::clone(handle),
            partition: 0,
            next: from.to_vec(),
            heads,
            page: Vec::new().into_iter(),
            left,
        })
    }

    /// Commits that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    fn advance(&mut self) -> Result<Option<ScanRecord>, ReadError> {
        while self.left > 0 {
            let index = usize::from(self.partition);
            if let Some(Record { offset, payload }) = self.page.next() {
                self.next[index] = offset + 1;
                self.left -= 1;
                return Ok(Some(ScanRecord {
                    partition: self.partition,
                    offset,
                    payload,
                }));
            }
            let (partition, from, to) = (self.partition, self.next[index], self.heads[index]);
            if from == to {
                self.partition += 1;
                continue;
            }
            let shared = Arc::clone(&self.handle.shared);
            let reading = async move { shared.page(partition, from, to, PAGE_BYTES).await };
            let page = wait(&self.handle.shared.runtime, reading);
            self.page = self.handle.shared.finished(partition, page)?.into_iter();
        }
        Ok(None)
    }
}

impl Iterator for Scan {
    type Item = Result<ScanRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance();
        if result.is_err() {
            self.left = 0;
        }
        result.transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, usize::try_from(self.left).ok())
    }
}
