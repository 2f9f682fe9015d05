//! No answer may be stored, and 304 replaces an answer that the caller already has.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use tower::{Layer, ServiceExt};

use super::{CARD_TEMPLATE, CLOSED_TEMPLATE, Facade, REQUESTS};
use crate::http::auth::{Admission, Audit, Authentication, Development};
use crate::http::call::{CallLayer, CallSettings, Sample};
use crate::service::{Budget, CallerLimitSettings, CallerLimits};

const HEADERS: [(&str, &str); 3] = [("cache-control", "no-store"), ("pragma", "no-cache"), ("expires", "-1")];

/// Sends a request through the call layer, and checks the caching headers of the answer.
async fn answers_unstored(
    facade: &Facade,
    router: Router,
    max_duration: Duration,
    request: Request<Body>,
    status: u16,
) {
    let shown = format!("{} {}: {status}", request.method(), request.uri());
    let development = Development::new(super::caller());
    let settings = CallSettings {
        authentication: Authentication::Development(development),
        admission: Admission::new(facade.service.directory().clone()),
        limits: CallerLimits::new(CallerLimitSettings::default()),
        audit: Audit::default(),
        max_duration,
        memory: Budget::new(1 << 20),
        max_message_bytes: 1 << 20,
        sample: Sample::default(),
    };
    let response = CallLayer::new(settings).layer(router).oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), status, "{shown}");
    for (name, value) in HEADERS {
        assert_eq!(response.headers().get(name).unwrap(), value, "{shown}, {name}");
    }
}

#[tokio::test]
async fn no_answer_of_any_status_may_be_stored() {
    let facade = Facade::start().await;
    let id = facade.created(include_str!("golden/create-1.json")).await;
    let one = format!("{REQUESTS}/{id}");
    let unknown = format!("{REQUESTS}/{CARD_TEMPLATE}");
    let draft = include_str!("golden/create-1.json");
    let long = " ".repeat((1 << 20) + 1);
    let closed = draft.replace(CARD_TEMPLATE, CLOSED_TEMPLATE);
    let json = ("content-type", "application/json");
    let table = [
        (200, "GET", REQUESTS, json, ""),
        (200, "GET", &one, json, ""),
        (201, "POST", REQUESTS, json, draft),
        (204, "GET", &unknown, json, ""),
        (204, "GET", "/CertificateManagement/api/v1.0/requests?status=None", json, ""),
        (304, "GET", &one, ("if-none-match", "\"v1\""), ""),
        (400, "POST", REQUESTS, json, "{"),
        (401, "GET", &one, ("x-dev-user", "nobody"), ""),
        (404, "GET", "/", json, ""),
        (405, "DELETE", &one, json, ""),
        (412, "PUT", &one, ("if-match", "\"v7\""), "{\"status\":\"Canceled\"}"),
        (200, "PUT", &one, json, "{\"status\":\"Completed\"}"),
        (409, "PUT", &one, json, "{\"status\":\"Canceled\"}"),
        (413, "POST", REQUESTS, json, &long),
        (415, "POST", REQUESTS, ("content-encoding", "br"), draft),
        (403, "POST", REQUESTS, json, &closed),
        (415, "POST", "/", ("content-type", "application/grpc-web"), ""),
        (505, "POST", "/", ("content-type", "application/grpc"), ""),
        (501, "GET", "/CertificateManagement/api/v1.0/certificates", json, ""),
    ];
    for (status, method, path, (name, value), body) in table {
        let request = Request::builder().method(method).uri(path).header(name, value);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let router = Router::new().fallback_service(facade.api.clone());
        answers_unstored(&facade, router, Duration::from_secs(30), request, status).await;
    }
    let endless = Router::new().fallback(std::future::pending::<()>);
    let request = Request::get(one).body(Body::empty()).unwrap();
    answers_unstored(&facade, endless, Duration::ZERO, request, 504).await;
}

#[tokio::test]
async fn a_matching_tag_gets_304_without_a_body() {
    let facade = Facade::start().await;
    let id = facade.created(include_str!("golden/create-1.json")).await;
    let request = |tag: &str| {
        let request = Request::get(format!("{REQUESTS}/{id}")).header("if-none-match", tag);
        facade.send(request.body(Body::empty()).unwrap())
    };
    let answer = request("W/\"v1\"").await;
    assert_eq!((answer.status, answer.body()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!((answer.header("etag"), answer.header("content-type")), (Some("\"v1\""), None));
    facade.put(&id, &[], "{\"status\":\"Canceled\"}").await;
    let answer = request("W/\"v1\"").await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, Some("\"v2\"")));
}
