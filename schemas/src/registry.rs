//! Every event type there is: its outside name, version, and Rust form. A new event is one line here.

use crate::DecodeError;
use crate::upcasts::upcast;
use serde::Serialize;
use spool_domain::{accounts, ids::Feature, jobs, reservations, uploads, videos, views};

/// One kind of event as others see it.
pub struct EventType {
    /// The name that other teams read: `VideoUploaded`.
    pub name: &'static str,
    /// The version this program writes; older ones are upcast when read.
    pub version: u16,
    /// Whose streams have it.
    pub feature: Feature,
    /// The JSON Schema of its `data`.
    pub schema: fn() -> schemars::Schema,
    /// Reads `data` and writes it again, to prove that a sample survives.
    pub rewrite: fn(&str) -> Result<String, serde_json::Error>,
}

fn rewrite<T: Serialize + serde::de::DeserializeOwned>(data: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(&serde_json::from_str::<T>(data)?)
}

macro_rules! events {
    ($($feature:ident => $module:ident { $($variant:ident $name:literal $version:literal,)* })*) => {
        /// An event of any feature.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyEvent {
            $(#[doc = concat!("Of the feature `", stringify!($module), "`.")] $feature($module::Event),)*
        }

        $(impl From<$module::Event> for AnyEvent {
            fn from(event: $module::Event) -> Self {
                Self::$feature(event)
            }
        })*

        impl AnyEvent {
            /// Its outside name and the version it is written in.
            pub const fn name_and_version(&self) -> (&'static str, u16) {
                match self {
                    $(Self::$feature(event) => match event {
                        $($module::Event::$variant(_) => ($name, $version),)*
                    },)*
                }
            }

            /// Writes its `data`.
            pub fn serialize_data<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$feature(event) => match event {
                        $($module::Event::$variant(data) => data.serialize(serializer),)*
                    },)*
                }
            }

            /// Reads `data` as event type `name`, of any version that was ever written.
            pub fn decode(name: &str, version: u16, data: &str) -> Result<Self, DecodeError> {
                let wrong = |source| DecodeError::Event { name: name.to_owned(), version, source };
                match (name, version) {
                    $($(($name, $version) => serde_json::from_str(data)
                        .map(|data| Self::$feature($module::Event::$variant(data)))
                        .map_err(wrong),)*)*
                    _ => {
                        let (version, data) = upcast(name, version, data)?;
                        Self::decode(name, version, data.get())
                    }
                }
            }
        }

        /// Every event type, in the order of the features.
        pub fn event_types() -> Vec<EventType> {
            vec![$($(EventType {
                name: $name,
                version: $version,
                feature: Feature::$feature,
                schema: || schemars::schema_for!($module::$variant),
                rewrite: rewrite::<$module::$variant>,
            },)*)*]
        }
    };
}

events! {
    Accounts => accounts {
        Registered "UserRegistered" 1,
        RegistrationVoided "RegistrationVoided" 1,
        SessionStarted "SessionStarted" 1,
        SessionRefreshed "SessionRefreshed" 1,
        SessionEnded "SessionEnded" 2,
        PasswordChanged "PasswordChanged" 1,
        PasswordResetRequested "PasswordResetRequested" 1,
        EmailConfirmationRequested "EmailConfirmationRequested" 1,
        EmailConfirmed "EmailConfirmed" 1,
        ProfileChanged "ProfileChanged" 1,
        NameGivenUp "NameGivenUp" 1,
        PreferencesChanged "PreferencesChanged" 1,
        AvatarChanged "AvatarChanged" 1,
        AvatarRemoved "AvatarRemoved" 1,
        RoleChanged "RoleChanged" 1,
        Disabled "UserDisabled" 1,
        Enabled "UserEnabled" 1,
        Deleted "UserDeleted" 1,
        Restored "UserRestored" 1,
        Erased "UserErased" 1,
        ApiKeyCreated "ApiKeyCreated" 1,
        ApiKeyRevoked "ApiKeyRevoked" 1,
        IdentityLinked "IdentityLinked" 1,
        IdentityUnlinked "IdentityUnlinked" 1,
    }
    Reservations => reservations {
        Reserved "NameReserved" 1,
        Confirmed "NameConfirmed" 1,
        Lapsed "NameReservationLapsed" 1,
        Released "NameReleased" 1,
        PasswordResetWanted "PasswordResetWanted" 1,
    }
    Uploads => uploads {
        Received "UploadReceived" 1,
    }
    Videos => videos {
        Created "VideoCreated" 1,
        Uploaded "VideoUploaded" 1,
        Described "VideoDescribed" 1,
        Deleted "VideoDeleted" 1,
    }
    Jobs => jobs {
        Requested "TranscodeRequested" 1,
        Claimed "JobClaimed" 1,
        LeaseRenewed "JobLeaseRenewed" 1,
        Probed "JobProbed" 1,
        RenditionStarted "RenditionStarted" 1,
        SegmentsPublished "SegmentsPublished" 1,
        RenditionFinished "RenditionFinished" 1,
        ThumbnailMade "ThumbnailMade" 1,
        Completed "TranscodeCompleted" 1,
        AttemptEnded "JobAttemptEnded" 1,
        Failed "TranscodeFailed" 1,
        Cancelled "JobCancelled" 1,
        Restarted "JobRestarted" 1,
    }
    Views => views {
        Switched "ViewSwitched" 1,
    }
}
