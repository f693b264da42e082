//! Methods `Append` and `Read` of service `Streams`.

use std::collections::HashMap;

use bytes::Bytes;

use super::{Empty, Id, Position, StreamIdentifier};

#[derive(Clone, PartialEq, prost::Message)]
pub struct AppendReq {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum AppendContent {
    #[prost(message, tag = "1")]
    Options(AppendOptions),
    #[prost(message, tag = "2")]
    Proposed(ProposedMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AppendOptions {
    #[prost(message, optional, tag = "1")]
    pub stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "AppendExpected", tags = "2, 3, 4, 5")]
    pub expected: Option<AppendExpected>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum AppendExpected {
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
pub struct ProposedMessage {
    #[prost(message, optional, tag = "1")]
    pub id: Option<Id>,
    #[prost(map = "string, string", tag = "2")]
    pub metadata: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "3")]
    pub custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AppendResp {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub result: Option<AppendResult>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum AppendResult {
    #[prost(message, tag = "1")]
    Success(AppendSuccess),
    #[prost(message, tag = "2")]
    Wrong(WrongVersion),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AppendSuccess {
    #[prost(uint64, optional, tag = "1")]
    pub current_revision: Option<u64>,
    #[prost(message, optional, tag = "2")]
    pub no_stream: Option<Empty>,
    #[prost(message, optional, tag = "3")]
    pub position: Option<Position>,
    #[prost(message, optional, tag = "4")]
    pub no_position: Option<Empty>,
}

/// Each pair is a choice of one; the field numbers below 6 were used by servers of 2020.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct WrongVersion {
    #[prost(uint64, optional, tag = "6")]
    pub current_revision: Option<u64>,
    #[prost(message, optional, tag = "7")]
    pub current_no_stream: Option<Empty>,
    #[prost(uint64, optional, tag = "8")]
    pub expected_revision: Option<u64>,
    #[prost(message, optional, tag = "9")]
    pub expected_any: Option<Empty>,
    #[prost(message, optional, tag = "10")]
    pub expected_exists: Option<Empty>,
    #[prost(message, optional, tag = "11")]
    pub expected_no_stream: Option<Empty>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadReq {
    #[prost(message, optional, tag = "1")]
    pub options: Option<ReadOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadOptions {
    #[prost(oneof = "ReadFrom", tags = "1, 2")]
    pub from: Option<ReadFrom>,
    /// 0 is forwards, 1 backwards.
    #[prost(int32, tag = "3")]
    pub direction: i32,
    #[prost(oneof = "ReadCount", tags = "5, 6")]
    pub count: Option<ReadCount>,
    #[prost(message, optional, tag = "7")]
    pub filter: Option<FilterOptions>,
    #[prost(message, optional, tag = "9")]
    pub ids: Option<IdOption>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum ReadFrom {
    #[prost(message, tag = "1")]
    Stream(StreamOptions),
    #[prost(message, tag = "2")]
    All(AllOptions),
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum ReadCount {
    #[prost(uint64, tag = "5")]
    AtMost(u64),
    #[prost(message, tag = "6")]
    Subscription(Empty),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamOptions {
    #[prost(message, optional, tag = "1")]
    pub stream_identifier: Option<StreamIdentifier>,
    #[prost(oneof = "StreamFrom", tags = "2, 3, 4")]
    pub from: Option<StreamFrom>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum StreamFrom {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    Start(Empty),
    #[prost(message, tag = "4")]
    End(Empty),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AllOptions {
    #[prost(oneof = "AllFrom", tags = "1, 2, 3")]
    pub from: Option<AllFrom>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum AllFrom {
    #[prost(message, tag = "1")]
    Position(Position),
    #[prost(message, tag = "2")]
    Start(Empty),
    #[prost(message, tag = "3")]
    End(Empty),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterOptions {
    #[prost(oneof = "FilterBy", tags = "1, 2")]
    pub by: Option<FilterBy>,
    /// How many events are looked at for each checkpoint, times the multiplier; 32 when it is absent.
    #[prost(uint32, optional, tag = "3")]
    pub window: Option<u32>,
    #[prost(uint32, tag = "5")]
    pub checkpoint_interval_multiplier: u32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum FilterBy {
    #[prost(message, tag = "1")]
    StreamName(Expression),
    #[prost(message, tag = "2")]
    EventType(Expression),
}

/// Any of the prefixes, unless there is a regular expression.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Expression {
    #[prost(string, tag = "1")]
    pub regex: String,
    #[prost(string, repeated, tag = "2")]
    pub prefix: Vec<String>,
}

/// In which form ids are wanted; as text when the second is given.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct IdOption {
    #[prost(message, optional, tag = "1")]
    pub structured: Option<Empty>,
    #[prost(message, optional, tag = "2")]
    pub text: Option<Empty>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadResp {
    #[prost(oneof = "ReadContent", tags = "1, 2, 3, 4, 8")]
    pub content: Option<ReadContent>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum ReadContent {
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    #[prost(message, tag = "2")]
    Confirmation(Confirmation),
    #[prost(message, tag = "3")]
    Checkpoint(Position),
    #[prost(message, tag = "4")]
    StreamNotFound(StreamNotFound),
    #[prost(message, tag = "8")]
    CaughtUp(Empty),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadEvent {
    #[prost(message, optional, tag = "1")]
    pub event: Option<RecordedEvent>,
    #[prost(uint64, optional, tag = "3")]
    pub commit_position: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct RecordedEvent {
    #[prost(message, optional, tag = "1")]
    pub id: Option<Id>,
    #[prost(message, optional, tag = "2")]
    pub stream_identifier: Option<StreamIdentifier>,
    #[prost(uint64, tag = "3")]
    pub stream_revision: u64,
    #[prost(uint64, tag = "4")]
    pub prepare_position: u64,
    #[prost(uint64, tag = "5")]
    pub commit_position: u64,
    #[prost(map = "string, string", tag = "6")]
    pub metadata: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "7")]
    pub custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    pub data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Confirmation {
    #[prost(string, tag = "1")]
    pub subscription_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamNotFound {
    #[prost(message, optional, tag = "1")]
    pub stream_identifier: Option<StreamIdentifier>,
}
