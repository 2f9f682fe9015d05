//! Handlers: map an HTTP request to a use case, and its result to the documented answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use super::answer::{answer_with, answer_with_list, created, no_content, no_content_if_not_found};
use super::body::{BODY, draft};
use super::caching::IfNoneMatch;
use super::error::{HttpError, JSON};
use super::headers::Expected;
use super::path::{Resource, address, resource};
use super::query::Parameters;
use super::template_view::{CardView, PolicyView, TemplateView};
use super::text::Encoding;
use super::value::Value;
use super::view::View;
use super::{FacadeSettings, change, headers, json, list, text};
use crate::domain::{self, ErrorKind, IdempotencyKey, Medium, ProfileTemplate, Refusal, RequestId, TemplateId};
use crate::service::{Call, Error, OverBudget, Service, Violations};

/// The description of the API, which `/openapi.json` serves.
const OPENAPI: &str = include_str!("openapi.json");

/// The state of the handlers.
#[derive(Clone)]
pub(super) struct Facade {
    pub(super) service: Service,
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

/// Answers every call that is not gRPC.
pub(super) async fn answer(State(facade): State<Facade>, mut request: Request<Body>) -> Response {
    let Some(call) = request.extensions_mut().remove::<Call>() else {
        let message = "authorization has been denied for this request".to_owned();
        return HttpError::Refused(ErrorKind::Unauthenticated, message).respond(None);
    };
    let correlation = call.correlation;
    let if_none_match = IfNoneMatch::of(&request);
    let answered = facade.dispatch(call, request).await;
    answered.map_or_else(|failure| failure.respond(Some(correlation)), |response| if_none_match.apply(response))
}

impl Facade {
    async fn dispatch(self, call: Call, request: Request<Body>) -> Result<Response, HttpError> {
        let Some(resource) = resource(request.uri().path()) else {
            return Err(HttpError::UnknownAddress(address(request.uri(), request.headers())));
        };
        match (resource, request.method()) {
            (Resource::Requests, &Method::POST) => self.create(&call, request).await,
            (Resource::Requests, &Method::GET) => self.list(call, request).await,
            (Resource::Request(id), &Method::GET) => self.get(&call, id).await,
            (Resource::Request(id), &Method::PUT) => self.change(&call, id, request).await,
            (Resource::Templates, &Method::GET) => self.templates(&call, &request),
            (Resource::Template(id), &Method::GET) => {
                self.template(&call, id, |template| answer_with(StatusCode::OK, &TemplateView::of(template)))
            }
            (Resource::Policy(id, kind), &Method::GET) => self.template(&call, id, |template| {
                let policy = template.policies.get(&kind).map(|policy| PolicyView::of(kind, policy));
                policy.map_or_else(no_content, |policy| answer_with(StatusCode::OK, &policy))
            }),
            (Resource::SmartcardConfiguration(id), &Method::GET) => {
                self.template(&call, id, |template| match template.medium {
                    Medium::Smartcard => answer_with(StatusCode::OK, &CardView::of(&template.smartcard)),
                    Medium::Software => no_content(),
                })
            }
            (Resource::Description, &Method::GET) => Ok(([(CONTENT_TYPE, JSON)], OPENAPI).into_response()),
            (Resource::Smartcards, &Method::POST) => self.bind(&call, request).await,
            (Resource::Smartcards, &Method::GET) => self.smartcards(call, request.uri()).await,
            (Resource::Smartcard(id), &Method::GET) => self.smartcard(id).await,
            (Resource::SmartcardOf(request, id), &Method::GET) => self.smartcard_of(&call, request, id).await,
            (Resource::SmartcardOf(of, id), &Method::PUT) => self.change_smartcard(&call, (of, id), request).await,
            (Resource::Profiles, &Method::GET) => self.profiles(call, request.uri()).await,
            (Resource::Profile(id), &Method::GET) => self.profile(&call, id).await,
            (Resource::ProfilesOf(id), &Method::GET) => self.profiles_of(&call, id).await,
            (Resource::Operations(credential), &Method::GET) => self.operations(&call, credential).await,
            (Resource::Unsupported(unsupported), method) if method == unsupported.method() => {
                Err(HttpError::Unsupported(unsupported))
            }
            (resource, other) => Err(HttpError::WrongMethod(other.clone(), resource.methods())),
        }
    }

    async fn create(self, call: &Call, request: Request<Body>) -> Result<Response, HttpError> {
        let Received { body, key, violations, .. } = self.receive(call, request).await?;
        let draft = draft(&body, violations)?;
        let request = self.service.create(call, draft, key).await?;
        Ok(created(&format!("api/v1.0/requests/{}", request.id)))
    }

    async fn get(self, call: &Call, id: RequestId) -> Result<Response, HttpError> {
        self.answer_with_request(call, self.service.get(call, id).await)
    }

    async fn change(self, call: &Call, id: RequestId, request: Request<Body>) -> Result<Response, HttpError> {
        let mut received = self.receive(call, request).await?;
        let expected = received.expected();
        let action = change::action(&received.body, received.violations)?;
        self.answer_with_request(call, self.service.act(call, id, action, expected.version()?, received.key).await)
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

    async fn list(self, call: Call, request: Request<Body>) -> Result<Response, HttpError> {
        let Some(query) = list::query(request.uri(), &call)? else {
            return Ok(no_content());
        };
        let nul_tail = self.settings.descriptor_nul_tail;
        list::answer(list::Requests { service: self.service, call, query, nul_tail }).await
    }

    fn templates(&self, call: &Call, request: &Request<Body>) -> Result<Response, HttpError> {
        let mut violations = Violations::default();
        // With or without the filter, the list has the templates of the caller.
        Parameters::of(request.uri())?.is_about_caller(&mut violations);
        if !violations.is_empty() {
            return Err(violations.refusal().into());
        }
        let templates: Vec<TemplateView<'_>> = self.service.templates(call).into_iter().map(TemplateView::of).collect();
        Ok(answer_with_list(&templates))
    }

    /// Answers with a view of one template; 204 if there is no such template.
    fn template(
        &self,
        call: &Call,
        id: TemplateId,
        answer: impl FnOnce(&ProfileTemplate) -> Response,
    ) -> Result<Response, HttpError> {
        match self.service.template(call, id) {
            Ok(template) => Ok(answer(template)),
            Err(Error::Refused(Refusal::TemplateNotFound(_))) => Ok(no_content()),
            Err(error) => Err(error.into()),
        }
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
            Err(error) if OverBudget::caused(&*error) => Err(Error::Overloaded.into()),
            Err(_) => Err(Refusal::invalid(BODY, "ended before it was complete").into()),
        }
    }
}
