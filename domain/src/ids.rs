//! Names of things: one UUID newtype per kind, and the stream a thing's events are kept in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident => $feature:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The stream that keeps its events.
            pub const fn stream(self) -> StreamId {
                StreamId { feature: Feature::$feature, id: self.0 }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}

ids! {
    /// A person or program that can sign in.
    AccountId => Accounts;
    /// The place of one e-mail address or username, made from a keyed hash of the value.
    ReservationId => Reservations;
    /// A file on its way to being a video.
    UploadId => Uploads;
    /// A film with what is said about it.
    VideoId => Videos;
    /// Work on one video.
    JobId => Jobs;
    /// The stream about one view, made from its name.
    ViewId => Views;
}

/// A session of a signed-in person; lives inside the account's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SessionId(pub Uuid);

/// A key for programs; lives inside the account's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ApiKeyId(pub Uuid);

impl UploadId {
    /// The upload that brings a video's file; born beside it, so both share a partition.
    pub fn of(video: VideoId) -> Self {
        Self(beside("upload", video.0))
    }
}

impl JobId {
    /// The `ordinal`-th job of a video; born beside it, so all facts about one video are in one order.
    pub fn of(video: VideoId, ordinal: u32) -> Self {
        Self(beside(&format!("job/{ordinal}"), video.0))
    }
}

impl ViewId {
    /// The stream about the view called `name`.
    pub fn of(name: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }
}

/// An id that shares its last eight bytes with `other`, and with them its partition. The first eight
/// are derived from `seed`, so the same question gives the same id (UUID version 8, RFC 9562).
fn beside(seed: &str, other: Uuid) -> Uuid {
    let mut bytes = *other.as_bytes();
    bytes[..8].copy_from_slice(&Uuid::new_v5(&other, seed.as_bytes()).as_bytes()[..8]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    Uuid::from_bytes(bytes)
}

/// The features that keep streams; the word is the same in every folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// People.
    Accounts,
    /// E-mail addresses and usernames.
    Reservations,
    /// Files that arrived.
    Uploads,
    /// Films.
    Videos,
    /// Work on films.
    Jobs,
    /// Which version of a view answers.
    Views,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Self; 6] = [
        Self::Accounts,
        Self::Reservations,
        Self::Uploads,
        Self::Videos,
        Self::Jobs,
        Self::Views,
    ];

    /// The feature's word, as in stream names and folders.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Reservations => "reservations",
            Self::Uploads => "uploads",
            Self::Videos => "videos",
            Self::Jobs => "jobs",
            Self::Views => "views",
        }
    }
}

/// One aggregate's stream, written `feature-<uuid>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// What kind of thing it is about.
    pub feature: Feature,
    /// Which one.
    pub id: Uuid,
}

/// A text that names no stream, shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stream name (feature-uuid): {0:?}")]
pub struct NotAStream(String);

impl StreamId {
    /// The partition, of `partitions`, that keeps this stream. Depends on the id's last eight bytes
    /// only, mixed by the finaliser of MurmurHash3 (Appleby).
    pub fn partition(&self, partitions: u16) -> u16 {
        let (_, tail) = self.id.as_u64_pair();
        let mut mixed = tail ^ (tail >> 33);
        mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^= mixed >> 33;
        mixed = mixed.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^= mixed >> 33;
        u16::try_from(mixed % u64::from(partitions.max(1))).expect("a remainder of a u16 fits a u16")
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut id = Uuid::encode_buffer();
        out.write_str(self.feature.as_str())?;
        out.write_str("-")?;
        out.write_str(self.id.hyphenated().encode_lower(&mut id))
    }
}

impl FromStr for StreamId {
    type Err = NotAStream;

    fn from_str(text: &str) -> Result<Self, NotAStream> {
        let wrong = || NotAStream(text.chars().take(80).collect());
        let (word, id) = text.split_once('-').ok_or_else(wrong)?;
        let feature = Feature::ALL
            .into_iter()
            .find(|feature| feature.as_str() == word)
            .ok_or_else(wrong)?;
        let id = Uuid::try_parse(id).map_err(|_| wrong())?;
        Ok(Self { feature, id })
    }
}

impl Serialize for StreamId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_born_beside_a_video_shares_its_partition(bytes: [u8; 16], partitions in 1u16..512, ordinal: u32) {
            let video = VideoId(Uuid::from_bytes(bytes));
            let home = video.stream().partition(partitions);
            prop_assert!(home < partitions);
            prop_assert_eq!(JobId::of(video, ordinal).stream().partition(partitions), home);
            prop_assert_eq!(UploadId::of(video).stream().partition(partitions), home);
        }

        #[test]
        fn a_stream_name_is_read_back(bytes: [u8; 16], feature in 0usize..Feature::ALL.len()) {
            let stream = StreamId { feature: Feature::ALL[feature], id: Uuid::from_bytes(bytes) };
            prop_assert_eq!(stream.to_string().parse::<StreamId>(), Ok(stream));
        }
    }

    #[test]
    fn jobs_of_one_video_differ() {
        let video = VideoId(Uuid::from_u128(7));
        assert_ne!(JobId::of(video, 1), JobId::of(video, 2));
        assert_eq!(JobId::of(video, 1), JobId::of(video, 1));
    }
}
