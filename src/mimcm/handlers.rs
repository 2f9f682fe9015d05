//! Handlers: map an HTTP request to a use case, and its result to the documented answer.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use super::answer::{answer_with, created, no_content, no_content_if_not_found};
use super::body::{BODY, draft};
use super::error::{HttpError, JSON};
use super::headers::Expected;
use super::incoming::Incoming;
use super::text::Encoding;
use super::value::Value;
use super::view::View;
use super::{FacadeSettings, change, headers, json, list, text};
use crate::domain::{self, IdempotencyKey, Refusal, RequestId};
use crate::runtime::gzip::Malformed;
use crate::runtime::telemetry::is_caused_by;
use crate::service::{Call, Error, OverBudget, Service, Violations};

/// The state of the handlers.
#[derive(Clone)]
pub(super) struct Facade {
    pub(super) service: Arc<Service>,
    pub(super) settings: FacadeSettings,
}

/// The parts of a write call. Violations in its headers are reported together with those in its body.
pub(super) struct Received {
    pub(super) body: Value,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) violations: Violations,
    headers: HeaderMap,
}

impl Received {
    /// Reads the preconditions of a change: `If-Match`, and the absence of `If-None-Match`.
    pub(super) fn expected(&mut self) -> Expected {
        self.violations.keep(headers::no_if_none_match(&self.headers));
        self.violations.keep(headers::if_match(&self.headers)).unwrap_or(Expected::Any)
    }
}

/// `GET /openapi.json`, which MIM CM did not have.
pub(super) fn description() -> Response {
    ([(CONTENT_TYPE, JSON)], include_str!("openapi.json")).into_response()
}

impl Facade {
    /// `POST /requests`
    pub(super) async fn create(self, Incoming { call, request, .. }: Incoming<()>) -> Result<Response, HttpError> {
        let Received { body, key, violations, .. } = self.receive(&call, request).await?;
        let draft = draft(&body, violations)?;
        let request = self.service.create(&call, draft, key).await?;
        Ok(created(&format!("api/v1.0/requests/{}", request.id)))
    }

    /// `GET /requests/{id}`
    pub(super) async fn get(self, Incoming { call, path: id, .. }: Incoming<RequestId>) -> Result<Response, HttpError> {
        self.answer_with_request(&call, self.service.get(&call, id).await)
    }

    /// `PUT /requests/{id}`: sets the status of the request and answers with the request.
    pub(super) async fn change(
        self,
        Incoming { call, path: id, request }: Incoming<RequestId>,
    ) -> Result<Response, HttpError> {
        let mut received = self.receive(&call, request).await?;
        let expected = received.expected();
        let action = change::action(&received.body, received.violations)?;
        self.answer_with_request(&call, self.service.act(&call, id, action, expected.version()?, received.key).await)
    }

    /// Answers with one request and the entity tag of its version.
    fn answer_with_request(
        &self,
        call: &Call,
        result: Result<Arc<domain::Request>, Error>,
    ) -> Result<Response, HttpError> {
        match result {
            Ok(request) => {
                let mut response = answer_with(StatusCode::OK, &View::of(&request, self.settings.descriptor_nul_tail));
                call.memory.hold_anyway(usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX));
                if let Ok(tag) = format!("\"{}\"", request.etag()).try_into() {
                    response.headers_mut().insert(ETAG, tag);
                }
                Ok(response)
            }
            Err(error) => no_content_if_not_found(error),
        }
    }

    /// `GET /requests`
    pub(super) async fn list(self, Incoming { call, request, .. }: Incoming<()>) -> Result<Response, HttpError> {
        let Some(query) = list::query(request.uri(), &call)? else {
            return Ok(no_content());
        };
        let nul_tail = self.settings.descriptor_nul_tail;
        list::answer(list::Requests { service: self.service, call, query, nul_tail }).await
    }

    /// Reads the body and the headers of a write call.
    pub(super) async fn receive(&self, call: &Call, request: Request<Body>) -> Result<Received, HttpError> {
        let (Parts { headers, .. }, body) = request.into_parts();
        let body = self.read(&headers, body).await?;
        let mut violations = Violations::default();
        let key = violations.keep(headers::idempotency_key(&headers, call)).flatten();
        Ok(Received { body, key, violations, headers })
    }

    /// Decodes and parses a JSON body.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Value, HttpError> {
        text::check_uncompressed(headers).map_err(HttpError::Compressed)?;
        let encoding = text::encoding(headers).map_err(HttpError::WrongMediaType)?;
        let body = self.collect(body).await?;
        let body = text::decode(&body, encoding).ok_or_else(|| match encoding {
            Encoding::Unknown => HttpError::WrongMediaType(text::media_type(headers)),
            Encoding::Utf8 | Encoding::Utf16Le | Encoding::Utf16Be => {
                Refusal::invalid(BODY, "is not valid in its encoding").into()
            }
        })?;
        Ok(json::read(&body).map_err(|error| Refusal::invalid(BODY, format!("is not JSON: {error}")))?)
    }

    async fn collect(&self, body: Body) -> Result<Bytes, HttpError> {
        let limit = self.settings.body_bytes;
        if body.size_hint().lower() > limit as u64 {
            return Err(HttpError::BodyTooLong(limit));
        }
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(HttpError::BodyTooLong(limit)),
            Err(error) if is_caused_by::<OverBudget>(&*error) => Err(Error::Overloaded.into()),
            Err(error) if is_caused_by::<Malformed>(&*error) => Err(Refusal::invalid(BODY, "is not valid gzip").into()),
            Err(_) => Err(Refusal::invalid(BODY, "ended before it was complete").into()),
        }
    }
}
