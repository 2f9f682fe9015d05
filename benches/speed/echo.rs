//! The yardstick of the transport: the same server with an empty handler, in its own process.

use std::convert::Infallible;
use std::env;
use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};

use cmgate::cli::Settings;
use cmgate::contract::v1::{CreateRequestRequest, CreateRequestResponse};
use cmgate::http::server::{self, Security};
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::Routes;
use tonic_prost::ProstCodec;

use crate::service::Process;

/// The argument that makes this program run as that server.
pub(crate) const ROLE: &str = "serve-nothing";

/// Starts the server in a new process.
pub(crate) fn start() -> Process {
    let mut program = Command::new(env::current_exe().unwrap());
    program.arg(ROLE);
    Process::start(program)
}

/// Runs the server until the process is killed.
pub(crate) async fn serve() {
    let stop = CancellationToken::new();
    let router = Routes::new(Nothing).into_axum_router().with_state::<()>(());
    let address = "127.0.0.1:0".parse().unwrap();
    let server = server::serve(address, router, Settings::default().server, Security::Plain, stop).await.unwrap();
    println!("gRPC and REST: http://{}", server.address());
    server.ended().await;
}

/// Stands in for `cmgate.v1.RequestService`; clients call only `CreateRequest`.
#[derive(Clone)]
struct Nothing;

struct CreateNothing;

impl NamedService for Nothing {
    const NAME: &'static str = "cmgate.v1.RequestService";
}

impl tower::Service<Request<Body>> for Nothing {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<CreateRequestResponse, CreateRequestRequest>::default();
            Ok(Grpc::new(codec).unary(CreateNothing, request).await)
        })
    }
}

impl UnaryService<CreateRequestRequest> for CreateNothing {
    type Response = CreateRequestResponse;
    type Future = std::future::Ready<Result<tonic::Response<Self::Response>, tonic::Status>>;

    fn call(&mut self, _request: tonic::Request<CreateRequestRequest>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new(CreateRequestResponse::default())))
    }
}
