//! The messages of the protocol, as far as the double speaks it. Written from the published field numbers; what is
//! left out here is skipped when it arrives.

mod batch;
mod node;
mod streams;

use bytes::Bytes;

pub use batch::{
    BatchAppendReq, BatchAppendResp, BatchExpected, BatchResult, BatchSuccess, Detail, Status,
    WrongExpectedVersion,
};
pub use node::{ClusterInfo, EndPoint, LEADER, MemberInfo, SupportedMethod, SupportedMethods};
pub use streams::*;

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Id {
    #[prost(oneof = "IdForm", tags = "1, 2")]
    pub form: Option<IdForm>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum IdForm {
    #[prost(message, tag = "1")]
    Structured(IdHalves),
    #[prost(string, tag = "2")]
    Text(String),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct IdHalves {
    #[prost(int64, tag = "1")]
    pub most_significant: i64,
    #[prost(int64, tag = "2")]
    pub least_significant: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamIdentifier {
    #[prost(bytes = "bytes", tag = "3")]
    pub stream_name: Bytes,
}

/// A position in `$all`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Position {
    #[prost(uint64, tag = "1")]
    pub commit_position: u64,
    #[prost(uint64, tag = "2")]
    pub prepare_position: u64,
}

impl Position {
    pub const fn at(position: u64) -> Self {
        Self {
            commit_position: position,
            prepare_position: position,
        }
    }
}

impl StreamIdentifier {
    pub fn new(name: &str) -> Self {
        Self {
            stream_name: Bytes::copy_from_slice(name.as_bytes()),
        }
    }

    pub fn name(&self) -> Option<String> {
        String::from_utf8(self.stream_name.to_vec()).ok()
    }
}

impl Id {
    pub fn text(id: uuid::Uuid) -> Self {
        Self {
            form: Some(IdForm::Text(id.to_string())),
        }
    }

    pub fn halves(id: uuid::Uuid) -> Self {
        let (most, least) = id.as_u64_pair();
        Self {
            form: Some(IdForm::Structured(IdHalves {
                most_significant: most.cast_signed(),
                least_significant: least.cast_signed(),
            })),
        }
    }

    pub fn value(&self) -> Option<uuid::Uuid> {
        match self.form.as_ref()? {
            IdForm::Text(text) => text.parse().ok(),
            IdForm::Structured(halves) => Some(uuid::Uuid::from_u64_pair(
                halves.most_significant.cast_unsigned(),
                halves.least_significant.cast_unsigned(),
            )),
        }
    }
}
