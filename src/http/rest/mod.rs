//! The REST API of the service itself, under `/v1/`. Its bodies are the JSON forms of the gRPC contract, its errors are problem
//! details (RFC 9457).

pub(super) mod problem;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, any, on};
use axum::{Extension, Router};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use prost::Message;

use self::problem::Problem;
use super::call::CallLayer;
use crate::contract::{self, JsonForm, JsonFormError, v1};
use crate::domain::ErrorKind;
use crate::mimcm::RouteLabel;
use crate::service::{Call, row};

/// The path of the caller.
const WHOAMI: &str = "/v1/whoami";

/// Reason of 405.
const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The routes, each in the layer of calls.
///
/// # Errors
/// The contract lacks a message that an answer needs.
pub(super) fn router(layer: &CallLayer) -> Result<Router, JsonFormError> {
    let form = Arc::new(JsonForm::of("cmgate.v1.WhoAmIResponse")?);
    let get = on(MethodFilter::GET, who_am_i);
    let get = get.layer::<_, Infallible>(layer.clone()).layer(Extension(RouteLabel("GET /v1/whoami")));
    // Without a handler of its own, HEAD would reach that of GET.
    let others = any(wrong_method).head(wrong_method).layer(layer.clone());
    let router = Router::new().fallback(unknown_address).layer(layer.clone());
    Ok(router.route(WHOAMI, get.merge(others)).with_state(form))
}

/// `GET /v1/whoami`: `CallerService.WhoAmI`.
async fn who_am_i(State(form): State<Arc<JsonForm>>, request: Request<Body>) -> Response {
    let Some(call) = request.extensions().get::<Call>() else { return unauthenticated() };
    let answer = v1::WhoAmIResponse { caller: Some(contract::caller(&call.caller)) };
    let json = form.message(&answer.encode_to_vec()).ok().and_then(|message| serde_json::to_vec(&message).ok());
    match json {
        Some(json) => ([(CONTENT_TYPE, JSON)], json).into_response(),
        None => Problem::of(ErrorKind::Internal).response(Some(&call.correlation)),
    }
}

/// 405.
async fn wrong_method(request: Request<Body>) -> Response {
    let Some(call) = request.extensions().get::<Call>() else { return unauthenticated() };
    call.facts.note_reason(METHOD_NOT_ALLOWED);
    let detail = format!("{} allows only GET", request.uri().path());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED, &detail);
    let mut response = problem.response(Some(&call.correlation));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

/// 404.
async fn unknown_address(request: Request<Body>) -> Response {
    let Some(call) = request.extensions().get::<Call>() else { return unauthenticated() };
    let detail = format!("no resource has this path; {WHOAMI} exists");
    let problem = Problem { detail: &detail, ..Problem::of(ErrorKind::NotFound) };
    call.facts.note_reason(row(ErrorKind::NotFound).problem);
    problem.response(Some(&call.correlation))
}

/// The layer authenticates every call, so a call without a caller is refused.
fn unauthenticated() -> Response {
    Problem::of(ErrorKind::Unauthenticated).response(None)
}
