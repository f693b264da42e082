//! Method `BatchAppend` of service `Streams`: many appends over one call, each answered on its own.

use bytes::Bytes;

use super::{Empty, Id, Position, ProposedMessage, StreamIdentifier};

#[derive(Clone, PartialEq, prost::Message)]
pub struct BatchAppendReq {
    #[prost(message, optional, tag = "1")]
    pub correlation_id: Option<Id>,
    #[prost(message, optional, tag = "2")]
    pub options: Option<BatchOptions>,
    #[prost(message, repeated, tag = "3")]
    pub proposed_messages: Vec<ProposedMessage>,
    #[prost(bool, tag = "4")]
    pub is_final: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct BatchOptions {
    #[prost(message, optional, tag = "1")]
    pub stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "BatchExpected", tags = "2, 3, 4, 5")]
    pub expected: Option<BatchExpected>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum BatchExpected {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(Empty),
    #[prost(message, tag = "4")]
    Any(Empty),
    #[prost(message, tag = "5")]
    Exists(Empty),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct BatchAppendResp {
    #[prost(message, optional, tag = "1")]
    pub correlation_id: Option<Id>,
    #[prost(oneof = "BatchResult", tags = "2, 3")]
    pub result: Option<BatchResult>,
    #[prost(message, optional, tag = "4")]
    pub stream_identifier: Option<StreamIdentifier>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum BatchResult {
    #[prost(message, tag = "2")]
    Error(Status),
    #[prost(message, tag = "3")]
    Success(BatchSuccess),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct BatchSuccess {
    #[prost(uint64, optional, tag = "1")]
    pub current_revision: Option<u64>,
    #[prost(message, optional, tag = "2")]
    pub no_stream: Option<Empty>,
    #[prost(message, optional, tag = "3")]
    pub position: Option<Position>,
    #[prost(message, optional, tag = "4")]
    pub no_position: Option<Empty>,
}

/// `google.rpc.Status`, with its one detail as this protocol has it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, optional, tag = "3")]
    pub detail: Option<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Detail {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// The detail of a refused append.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct WrongExpectedVersion {
    #[prost(uint64, optional, tag = "1")]
    pub current_revision: Option<u64>,
    #[prost(message, optional, tag = "2")]
    pub current_no_stream: Option<Empty>,
    #[prost(uint64, optional, tag = "3")]
    pub expected_revision: Option<u64>,
    #[prost(message, optional, tag = "4")]
    pub expected_any: Option<Empty>,
    #[prost(message, optional, tag = "5")]
    pub expected_exists: Option<Empty>,
    #[prost(message, optional, tag = "6")]
    pub expected_no_stream: Option<Empty>,
}
