//! The layer around every call of all transports. It determines the caller, the deadline and the correlation id, passes them to
//! the handlers as a [`Call`] in the request's extensions, and logs and counts the outcome.

mod body;
mod headers;
mod observed;
mod transport;

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, Version};
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};
use uuid::Uuid;

use self::body::Counted;
use self::observed::{Observed, Outcome};
use self::transport::Mismatch;
use super::rest::problem::Problem;
use super::server::{Answers, CertificateRefused, MayUseHttp1, NeedsHttp1};
use crate::contract::v1::ErrorReason;
use crate::domain::{CorrelationId, ErrorKind, Trace};
use crate::http::auth::{
    Admission, AdmissionError, Attempt, Audit, AuthError, AuthRefusal, Authenticated, Authentication, Tickets,
};
use crate::mimcm::RouteLabel;
use crate::service::{Budget, Call, CallFacts, CallerLimits, Error, InFlight, row};
use crate::{grpc, mimcm};

pub use headers::CORRELATION_HEADER;
pub use observed::{Sample, begin_counting};
pub use transport::Transport;

/// Settings of the layer.
#[derive(Debug)]
pub struct CallSettings {
    /// How callers are authenticated.
    pub authentication: Authentication,
    /// Admits authenticated callers.
    pub admission: Admission,
    /// The limits of each caller.
    pub limits: CallerLimits,
    /// Records refused calls.
    pub audit: Audit,
    /// Upper bound on the deadline of a call.
    pub max_duration: Duration,
    /// Memory that all calls may hold together.
    pub memory: Budget,
    /// Limit on what a compressed message or body decompresses to, in bytes.
    pub max_message_bytes: usize,
    /// Which successful calls are logged.
    pub sample: Sample,
}

/// Wraps services in the layer, all with the same settings and the same memory budget.
#[derive(Clone, Debug)]
pub struct CallLayer(Arc<CallSettings>);

/// The answer of a call.
pub type CallFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A service for either transport, wrapped in the layer.
#[derive(Clone, Debug)]
pub struct Calls<S> {
    inner: S,
    settings: Arc<CallSettings>,
}

/// An error that the layer returns instead of calling a handler.
struct Refused {
    kind: ErrorKind,
    reason: &'static str,
    message: String,
}

impl CallLayer {
    /// The layer with these settings.
    #[must_use]
    pub fn new(settings: CallSettings) -> Self {
        Self(Arc::new(settings))
    }
}

impl<S> tower::Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, settings: Arc::clone(&self.0) }
    }
}

impl<S, B> tower::Service<Request<B>> for Calls<S>
where
    S: tower::Service<Request<Counted<B>>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = CallFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let transport = Transport::of(&parts.headers, parts.uri.path());
        let trace = headers::trace(&parts.headers);
        let correlation = trace.correlation.clone().unwrap_or_else(|| CorrelationId::of_uuid(Uuid::new_v4()));
        if let Some(mismatch) = Mismatch::of(&parts) {
            return Box::pin(ready(Ok(refuse(mismatch, &correlation, begun))));
        }
        let deadline = begun + self.settings.time_for(&parts);
        let method = method(transport, &parts);
        let facts = Arc::new(CallFacts::default());
        let observed = Observed::begin(transport, method, begun, Arc::clone(&facts), self.settings.sample.clone());
        let span = call_span(&correlation, &observed, &trace);

        let (settings, inner) = (Arc::clone(&self.settings), self.inner.clone());
        let tickets = Tickets::of(transport, &parts);
        let attempt =
            Attempt { transport: transport.name(), method: observed.method(), correlation: correlation.clone() };
        let answering = async move {
            let admitted = Admitted { transport, method, trace, facts: Arc::clone(&facts), deadline, attempt };
            // Pinned here, because each function that takes a future by value copies it.
            let answer = pin!(admitted.answer(&settings, inner, parts, body));
            let answer = in_time(answer, deadline).await;
            let mut response = answer.unwrap_or_else(|Refused { kind, reason, message }| {
                facts.note_reason(reason);
                let mut response = match transport {
                    Transport::Grpc => grpc::refusal(kind, reason, &message, &correlation),
                    Transport::Rest => {
                        Problem { reason, detail: &message, ..Problem::of(kind) }.response(Some(&correlation))
                    }
                    Transport::Legacy => mimcm::refusal(kind, &message, &correlation),
                };
                if kind == ErrorKind::Unauthenticated {
                    settings.authentication.challenge(tickets, reason, response.headers_mut());
                    if tickets == Tickets::AfterFallback && reason == AuthError::TicketNeedsHttp1.reason() {
                        response.extensions_mut().insert(NeedsHttp1);
                    }
                }
                response
            });
            match transport {
                Transport::Grpc => grpc::rewrite_library_errors(&mut response, &correlation, &facts),
                Transport::Rest | Transport::Legacy => mimcm::add_caching_headers(&mut response),
            }
            add_correlation_header(&mut response, &correlation);
            observed.answered(&Outcome::of(transport, &response));
            Ok(response)
        };
        Box::pin(answering.instrument(span))
    }
}

/// A call that fits its transport.
struct Admitted {
    transport: Transport,
    method: Option<&'static str>,
    trace: Trace,
    facts: Arc<CallFacts>,
    deadline: Instant,
    attempt: Attempt,
}

impl Admitted {
    /// Authenticates the caller, applies its limits, reserves memory and calls the handler.
    async fn answer<S, B>(
        self,
        settings: &CallSettings,
        mut inner: S,
        mut parts: Parts,
        body: B,
    ) -> Result<Response<Body>, Refused>
    where
        S: tower::Service<Request<Counted<B>>, Response = Response<Body>, Error = Infallible>,
    {
        let Self { transport, method, trace, facts, deadline, attempt } = self;
        let caller = settings.caller(transport, &mut parts).await.inspect_err(|error| {
            if let AdmissionError::Refused(refusal) = error {
                settings.audit.refused(&attempt, &parts, refusal);
            }
        })?;
        let in_flight = match &caller {
            Some(Authenticated { caller, .. }) => {
                Span::current().record("user", display(caller.user));
                let admitted = settings.limits.admit(caller);
                let audit = |exceeded: &_| settings.audit.over_limit(&attempt, &parts, caller, *exceeded);
                admitted.inspect_err(audit).map_err(Error::from)?
            }
            None => InFlight::default(),
        };
        if transport == Transport::Grpc {
            check_method(method, &parts)?;
        }
        let memory = settings.memory.admit_counted(in_flight)?;
        let connection = parts.extensions.get::<Answers>().cloned();
        let mut proof_of_service = None;
        if let Some(Authenticated { caller, answer }) = caller {
            proof_of_service = answer;
            let (deadline, memory, correlation) = (Some(deadline), memory.clone(), attempt.correlation.clone());
            parts.extensions.insert(Call { caller, deadline, correlation, trace, facts, memory });
        }
        let decompression = body::decompression(transport, &mut parts.headers, settings.max_message_bytes);
        let body = Counted::new(body, memory.clone(), attempt.correlation, transport, decompression);
        let Ok(mut response) = inner.call(Request::from_parts(parts, body)).await;
        if let Some(value) = proof_of_service {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        Ok(response.map(|body| body::held(body, memory, connection.as_ref())))
    }
}

impl CallSettings {
    fn time_for(&self, parts: &Parts) -> Duration {
        headers::timeout(&parts.headers).map_or(self.max_duration, |timeout| timeout.min(self.max_duration))
    }

    /// The caller; `None` on a path that needs no authentication.
    async fn caller(&self, transport: Transport, parts: &mut Parts) -> Result<Option<Authenticated>, AdmissionError> {
        // Not even an open path accepts a connection whose certificate was refused.
        if let Some(refused) = parts.extensions.get::<CertificateRefused>() {
            return Err(AuthRefusal::of_connection(*refused).into());
        }
        if transport == Transport::Grpc && transport::is_open(parts.uri.path()) {
            return Ok(None);
        }
        let Authenticated { caller, answer } = self.authentication.authenticate(parts).await?;
        Ok(Some(Authenticated { caller: self.admission.admit(caller).await?, answer }))
    }
}

impl Tickets {
    /// Whether the sender of a call can use tickets. A client of gRPC cannot fall back.
    fn of(transport: Transport, parts: &Parts) -> Self {
        match transport {
            Transport::Rest | Transport::Legacy if parts.version == Version::HTTP_11 => Self::Accepted,
            Transport::Rest | Transport::Legacy if parts.extensions.get::<MayUseHttp1>().is_some() => {
                Self::AfterFallback
            }
            Transport::Grpc | Transport::Rest | Transport::Legacy => Self::Impossible,
        }
    }
}

/// The span of everything that is logged about a call.
fn call_span(correlation: &CorrelationId, observed: &Observed, trace: &Trace) -> Span {
    let trace = trace.traceparent.as_deref().and_then(headers::trace_id);
    tracing::info_span!("call", id = correlation.as_str(), method = observed.method(), trace, user = Empty)
}

/// The response to a call that fits no transport.
fn refuse(mismatch: Mismatch, correlation: &CorrelationId, begun: Instant) -> Response<Body> {
    let observed = Observed::begin(Transport::Legacy, None, begun, Arc::default(), Sample::default());
    let _entered = call_span(correlation, &observed, &Trace::default()).entered();
    let mut response = mimcm::mismatch(mismatch.status(), mismatch.message(), correlation);
    if mismatch == Mismatch::NotPost {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    mimcm::add_caching_headers(&mut response);
    add_correlation_header(&mut response, correlation);
    observed.answered(&Outcome::of(Transport::Legacy, &response));
    response
}

fn add_correlation_header(response: &mut Response<Body>, correlation: &CorrelationId) {
    // Visible ASCII is always a valid header value.
    if let Ok(value) = HeaderValue::from_str(correlation.as_str()) {
        response.headers_mut().insert(CORRELATION_HEADER, value);
    }
}

/// Refuses gRPC calls to unknown methods, and calls with a codec other than protobuf.
fn check_method(method: Option<&'static str>, parts: &Parts) -> Result<(), Refused> {
    let (reason, message) = if method.is_none() {
        (
            row(ErrorKind::Unimplemented).problem,
            "no gRPC method has this path; the REST API expects the content type application/json",
        )
    } else if !transport::has_known_codec(&parts.headers) {
        (
            ErrorReason::UnsupportedCodec.as_str_name(),
            "gRPC messages must be protobuf: use the content type application/grpc",
        )
    } else {
        return Ok(());
    };
    Err(Refused { kind: ErrorKind::Unimplemented, reason, message: message.to_owned() })
}

/// The name of the called method; `None` if it is unknown.
fn method(transport: Transport, parts: &Parts) -> Option<&'static str> {
    match transport {
        Transport::Grpc => transport::grpc_method(parts.uri.path()),
        Transport::Rest | Transport::Legacy => parts.extensions.get().map(|RouteLabel(label)| *label),
    }
}

/// The response of a handler, or an error at the deadline. A write that is already queued continues.
async fn in_time<F>(answer: F, deadline: Instant) -> Result<Response<Body>, Refused>
where
    F: Future<Output = Result<Response<Body>, Refused>>,
{
    match tokio::time::timeout_at(deadline.into(), answer).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Refused {
            kind: ErrorKind::DeadlineExceeded,
            reason: row(ErrorKind::DeadlineExceeded).problem,
            message: "the deadline passed before the answer was ready; the outcome of a write is unknown, \
                      repeat it with the same idempotency key to learn it"
                .to_owned(),
        }),
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), reason: error.reason(), message: error.to_string() }
    }
}

impl From<AdmissionError> for Refused {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Refused(refusal) => refusal.error().into(),
            AdmissionError::Failed(error) => error.into(),
        }
    }
}

impl From<AuthError> for Refused {
    fn from(error: AuthError) -> Self {
        Self { kind: error.kind(), reason: error.reason(), message: error.to_string() }
    }
}
