//! The gRPC transport: each method decodes its message, calls the use case and encodes the result.

mod callers;
mod credentials;
mod decode;
mod directory;
mod errors;
mod health;
mod page;
mod page_token;
mod web;

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use futures::future::join_all;
use http::Response;
use prost::Message;
use tonic::Status;
use tonic::codec::CompressionEncoding;

use self::decode::Step;
use self::errors::CallError;
use crate::contract;
use crate::contract::v1;
use crate::contract::v1::batch_create_result::Result as MemberResult;
use crate::contract::v1::request_service_server::{RequestService, RequestServiceServer};
use crate::domain::{CorrelationId, Cursor, ErrorKind, Refusal, Request, UserId};
use crate::service::{Call, Error, Service};

pub use callers::Callers;
pub use credentials::Credentials;
pub use directory::Users;
pub use errors::rewrite_library_errors;
pub use health::{HealthService, Serving};
pub use web::{Browser, Origins};

/// Implements `cmgate.v1.RequestService` with the use cases.
#[derive(Clone)]
pub struct Requests {
    service: Service,
}

/// Sizes of messages that are compressed, in bytes. Below, gzip saves less than it costs; above, it would keep its thread from other
/// calls for more than about 20 ms.
const COMPRESSED_BYTES: std::ops::Range<usize> = 2 << 10..1 << 20;

type Answer<M> = Result<tonic::Response<M>, Status>;

impl Requests {
    /// The tonic service, which refuses messages longer than `max_message_bytes`.
    #[must_use]
    pub fn server(service: Service, max_message_bytes: usize) -> RequestServiceServer<Self> {
        RequestServiceServer::new(Self { service })
            .max_decoding_message_size(max_message_bytes)
            .send_compressed(CompressionEncoding::Gzip)
    }

    /// Creates one request. `path` is the path of `message` in the call: empty, or `requests[3].`.
    async fn create(
        &self,
        call: &Call,
        path: &str,
        message: v1::CreateRequestRequest,
    ) -> Result<Arc<Request>, CallError> {
        let creation = decode::creation(call.caller.user, path, message)?;
        // The domain names fields relative to the draft.
        let in_draft = |error| CallError::within(format!("{path}draft."), error);
        self.service.create(call, creation.draft, creation.key).await.map_err(in_draft)
    }

    /// Decodes and applies a step of a request.
    async fn act<M>(
        &self,
        request: tonic::Request<M>,
        decode: fn(UserId, M) -> Result<Step, Refusal>,
    ) -> Result<Option<v1::Request>, Status> {
        let (call, message) = split(request)?;
        let step = decode(call.caller.user, message).map_err(|refusal| refuse(&call, refusal))?;
        self.carry_out(&call, step).await.map(Some)
    }

    async fn carry_out(&self, call: &Call, step: Step) -> Result<v1::Request, Status> {
        let id = step.id;
        match self.service.act(call, id, step.action, step.expected, step.key).await {
            Ok(request) => Ok(contract::request(&request)),
            Err(error) => Err(CallError::about(id, error).status(call)),
        }
    }
}

#[async_trait]
impl RequestService for Requests {
    async fn create_request(
        &self,
        request: tonic::Request<v1::CreateRequestRequest>,
    ) -> Answer<v1::CreateRequestResponse> {
        let (call, message) = split(request)?;
        match self.create(&call, "", message).await {
            Ok(request) => answer(v1::CreateRequestResponse { request: Some(contract::request(&request)) }),
            Err(failure) => Err(failure.status(&call)),
        }
    }

    async fn batch_create_requests(
        &self,
        request: tonic::Request<v1::BatchCreateRequestsRequest>,
    ) -> Answer<v1::BatchCreateRequestsResponse> {
        let (call, message) = split(request)?;
        let members = decode::members(message).map_err(|refusal| refuse(&call, refusal))?;
        // Concurrently, so that the members share transactions of the writer.
        let results = members.into_iter().enumerate().map(async |(index, member)| {
            let result = match self.create(&call, &format!("requests[{index}]."), member).await {
                Ok(request) => MemberResult::Request(contract::request(&request)),
                Err(failure) => MemberResult::Error(failure.member()),
            };
            v1::BatchCreateResult { result: Some(result) }
        });
        answer(v1::BatchCreateRequestsResponse { results: join_all(results).await })
    }

    async fn get_request(&self, request: tonic::Request<v1::GetRequestRequest>) -> Answer<v1::GetRequestResponse> {
        let (call, message) = split(request)?;
        let id = decode::id(&message.id).map_err(|refusal| refuse(&call, refusal))?;
        match self.service.get(&call, id).await {
            Ok(request) => answer(v1::GetRequestResponse { request: Some(contract::request(&request)) }),
            Err(error) => Err(CallError::about(id, error).status(&call)),
        }
    }

    async fn get_requests(&self, request: tonic::Request<v1::GetRequestsRequest>) -> Answer<v1::GetRequestsResponse> {
        let (call, message) = split(request)?;
        let list = decode::list(&message).map_err(|refusal| refuse(&call, refusal))?;
        let found = self.service.list(&call, &list.query, list.page).await;
        let found = found.map_err(|error| CallError::from(error).status(&call))?;
        let (requests, has_more) =
            page::of(&call, &found, contract::request).map_err(|error| CallError::from(error).status(&call))?;
        let next = found.members[..requests.len()].last().filter(|_| has_more);
        let next_page_token = next.map(|last| page_token::format(cursor(last), &list.query)).unwrap_or_default();
        answer(v1::GetRequestsResponse { requests, next_page_token })
    }

    async fn approve_request(
        &self,
        request: tonic::Request<v1::ApproveRequestRequest>,
    ) -> Answer<v1::ApproveRequestResponse> {
        answer(v1::ApproveRequestResponse { request: self.act(request, decode::approve).await? })
    }

    async fn deny_request(&self, request: tonic::Request<v1::DenyRequestRequest>) -> Answer<v1::DenyRequestResponse> {
        answer(v1::DenyRequestResponse { request: self.act(request, decode::deny).await? })
    }

    async fn start_request(
        &self,
        request: tonic::Request<v1::StartRequestRequest>,
    ) -> Answer<v1::StartRequestResponse> {
        answer(v1::StartRequestResponse { request: self.act(request, decode::start).await? })
    }

    async fn bind_smartcard(
        &self,
        request: tonic::Request<v1::BindSmartcardRequest>,
    ) -> Answer<v1::BindSmartcardResponse> {
        let (call, message) = split(request)?;
        let binding = decode::bind(call.caller.user, message).map_err(|refusal| refuse(&call, refusal))?;
        let step = Step {
            action: self.service.binding(binding.serial_number, binding.atr, binding.comment),
            id: binding.id,
            expected: binding.expected,
            key: binding.key,
        };
        answer(v1::BindSmartcardResponse { request: Some(self.carry_out(&call, step).await?) })
    }

    async fn change_smartcard(
        &self,
        request: tonic::Request<v1::ChangeSmartcardRequest>,
    ) -> Answer<v1::ChangeSmartcardResponse> {
        answer(v1::ChangeSmartcardResponse { request: self.act(request, decode::change_smartcard).await? })
    }

    async fn complete_request(
        &self,
        request: tonic::Request<v1::CompleteRequestRequest>,
    ) -> Answer<v1::CompleteRequestResponse> {
        answer(v1::CompleteRequestResponse { request: self.act(request, decode::complete).await? })
    }

    async fn fail_request(&self, request: tonic::Request<v1::FailRequestRequest>) -> Answer<v1::FailRequestResponse> {
        answer(v1::FailRequestResponse { request: self.act(request, decode::fail).await? })
    }

    async fn cancel_request(
        &self,
        request: tonic::Request<v1::CancelRequestRequest>,
    ) -> Answer<v1::CancelRequestResponse> {
        answer(v1::CancelRequestResponse { request: self.act(request, decode::cancel).await? })
    }

    async fn abandon_request(
        &self,
        request: tonic::Request<v1::AbandonRequestRequest>,
    ) -> Answer<v1::AbandonRequestResponse> {
        answer(v1::AbandonRequestResponse { request: self.act(request, decode::abandon).await? })
    }
}

/// A gRPC error response for a call that does not reach a handler.
#[must_use]
pub fn refusal(kind: ErrorKind, reason: &'static str, message: &str, correlation: &CorrelationId) -> Response<Body> {
    errors::plain(kind, reason, message, correlation).into_http()
}

/// The error of a call whose message does not fit into the memory budget.
#[must_use]
pub fn over_budget(correlation: &CorrelationId) -> Status {
    let error = Error::Overloaded;
    errors::plain(error.kind(), error.reason(), &error.to_string(), correlation)
}

/// The error of a call whose message cannot be decompressed.
#[must_use]
pub fn malformed(correlation: &CorrelationId) -> Status {
    let reason = v1::ErrorReason::MalformedMessage.as_str_name();
    errors::plain(ErrorKind::Invalid, reason, "the message is not valid gzip", correlation)
}

/// The error of a call whose message decompresses to more than `limit` bytes.
#[must_use]
pub fn too_large(limit: usize, correlation: &CorrelationId) -> Status {
    let message =
        format!("the message has more than {limit} bytes; limits.message_bytes of the service sets the limit");
    errors::plain(ErrorKind::TooLarge, v1::ErrorReason::MessageTooLarge.as_str_name(), &message, correlation)
}

/// The message, and the authenticated call that the layer around every call attached; without one the call is refused.
fn split<M>(request: tonic::Request<M>) -> Result<(Call, M), Status> {
    let (_metadata, mut extensions, message) = request.into_parts();
    match extensions.remove::<Call>() {
        Some(call) => Ok((call, message)),
        None => Err(Status::unauthenticated("the caller is unknown")),
    }
}

fn refuse(call: &Call, refusal: Refusal) -> Status {
    CallError::from(refusal).status(call)
}

/// The answer with a message. It is compressed if its size makes that worthwhile and the client accepts gzip.
#[expect(clippy::unnecessary_wraps, reason = "the last expression of methods that return a result")]
fn answer<M: Message>(message: M) -> Answer<M> {
    let pays = COMPRESSED_BYTES.contains(&message.encoded_len());
    let mut response = tonic::Response::new(message);
    if !pays {
        response.disable_compression();
    }
    Ok(response)
}

fn cursor(request: &Request) -> Cursor {
    Cursor { submitted_at: request.submitted_at, id: request.id }
}
