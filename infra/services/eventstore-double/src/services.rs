//! The services of a node, by the paths of their methods.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::BoxBody;
use tonic::codec::ProstCodec;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tower::{Service, service_fn};

use crate::faults::Faults;
use crate::store::Store;
use crate::wire::{
    AppendReq, BatchAppendReq, BatchAppendResp, ClusterInfo, Empty, EndPoint, Id, LEADER, MemberInfo,
    ReadReq, ReadResp, SupportedMethod, SupportedMethods,
};
use crate::{append, read};

/// A whole request's worth of bytes: larger appends are refused with the protocol's own words.
const MESSAGE_BYTES_MAX: usize = 17 << 20;

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<BoxBody>, Infallible>> + Send>>;

#[derive(Clone)]
pub struct Streams {
    pub store: Arc<Store>,
    pub faults: Arc<Faults>,
}

#[derive(Clone)]
pub struct ServerFeatures;

#[derive(Clone)]
pub struct Gossip {
    pub node: uuid::Uuid,
    pub port: u16,
}

impl NamedService for Streams {
    const NAME: &'static str = "event_store.client.streams.Streams";
}

impl NamedService for ServerFeatures {
    const NAME: &'static str = "event_store.client.server_features.ServerFeatures";
}

impl NamedService for Gossip {
    const NAME: &'static str = "event_store.client.gossip.Gossip";
}

impl Service<http::Request<BoxBody>> for Streams {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Answering {
        let Self { store, faults } = self.clone();
        Box::pin(async move {
            Ok(match method(&request) {
                "Append" => {
                    let handler = service_fn(move |request: Request<Streaming<AppendReq>>| {
                        append::append(Arc::clone(&store), Arc::clone(&faults), request)
                    });
                    grpc().client_streaming(handler, request).await
                }
                "BatchAppend" => {
                    let handler = service_fn(move |request: Request<Streaming<BatchAppendReq>>| {
                        let answers = append::batch_append(Arc::clone(&store), Arc::clone(&faults), request);
                        async move { Ok::<_, Status>(answers) }
                    });
                    grpc::<BatchAppendResp, _>().streaming(handler, request).await
                }
                "Read" => {
                    let handler = service_fn(move |request: Request<ReadReq>| {
                        let answers = read::read(&store, request.into_inner());
                        async move { answers }
                    });
                    grpc::<ReadResp, _>().server_streaming(handler, request).await
                }
                _ => unimplemented(),
            })
        })
    }
}

impl Service<http::Request<BoxBody>> for ServerFeatures {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Answering {
        Box::pin(async move {
            if method(&request) != "GetSupportedMethods" {
                return Ok(unimplemented());
            }
            let handler =
                service_fn(|_: Request<Empty>| async { Ok::<_, Status>(Response::new(features())) });
            Ok(grpc().unary(handler, request).await)
        })
    }
}

impl Service<http::Request<BoxBody>> for Gossip {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Answering {
        let gossip = self.clone();
        Box::pin(async move {
            if method(&request) != "Read" {
                return Ok(unimplemented());
            }
            let handler = service_fn(move |_: Request<Empty>| {
                let members = gossip.members();
                async move { Ok::<_, Status>(Response::new(members)) }
            });
            Ok(grpc().unary(handler, request).await)
        })
    }
}

impl Gossip {
    /// A cluster of one, which leads it.
    fn members(&self) -> ClusterInfo {
        ClusterInfo {
            members: vec![MemberInfo {
                instance_id: Some(Id::halves(self.node)),
                time_stamp: 0,
                state: LEADER,
                is_alive: true,
                http_end_point: Some(EndPoint {
                    address: "127.0.0.1".into(),
                    port: self.port.into(),
                }),
            }],
        }
    }
}

fn features() -> SupportedMethods {
    let streams = ["append", "batchappend", "read"].map(|method| SupportedMethod {
        method_name: method.into(),
        service_name: Streams::NAME.to_lowercase(),
        features: Vec::new(),
    });
    SupportedMethods {
        methods: streams.into(),
        event_store_server_version: "23.10.0".into(),
    }
}

fn method(request: &http::Request<BoxBody>) -> &str {
    request.uri().path().rsplit('/').next().unwrap_or_default()
}

fn grpc<Answer, Question>() -> Grpc<ProstCodec<Answer, Question>>
where
    Answer: prost::Message + Default + Send + 'static,
    Question: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

fn unimplemented() -> http::Response<BoxBody> {
    Status::unimplemented("the double does not speak this method").into_http()
}
