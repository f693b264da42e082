//! All commits of a log, one after the other, whatever it is kept in.

#[cfg(feature = "eventstore")]
use crate::eventstore;
use crate::{ReadError, ScanRecord, embedded, kafka};

/// See [`crate::Log::scan`]. Ends after the first error.
pub struct Scan {
    backend: Backend,
}

enum Backend {
    Embedded(embedded::Scan),
    Kafka(kafka::Scan),
    #[cfg(feature = "eventstore")]
    EventStore(eventstore::Scan),
}

impl Scan {
    pub(crate) const fn embedded(scan: embedded::Scan) -> Self {
        Self {
            backend: Backend::Embedded(scan),
        }
    }

    #[cfg(feature = "eventstore")]
    pub(crate) const fn eventstore(scan: eventstore::Scan) -> Self {
        Self {
            backend: Backend::EventStore(scan),
        }
    }

    pub(crate) const fn kafka(scan: kafka::Scan) -> Self {
        Self {
            backend: Backend::Kafka(scan),
        }
    }

    /// Commits that are still to come.
    pub fn left(&self) -> u64 {
        match &self.backend {
            Backend::Embedded(scan) => scan.left(),
            Backend::Kafka(scan) => scan.left(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(scan) => scan.left(),
        }
    }
}

impl Iterator for Scan {
    type Item = Result<ScanRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.backend {
            Backend::Embedded(scan) => scan.next(),
            Backend::Kafka(scan) => scan.next(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(scan) => scan.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.backend {
            Backend::Embedded(scan) => scan.size_hint(),
            Backend::Kafka(scan) => scan.size_hint(),
            #[cfg(feature = "eventstore")]
            Backend::EventStore(scan) => scan.size_hint(),
        }
    }
}
