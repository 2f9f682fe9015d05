//! The responses of the admin port, with and without a database.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt;

use super::{Guard, Readiness, WorkerHealth, admin_token_file, router};
use crate::grpc::Serving;
use crate::http::tests::support::{NoStore, Pings};
use crate::runtime::watched_file::WatchedFile;

/// Gets a path of a process with a halted relay worker.
async fn get(path: &str, is_database_there: bool, is_leaving: bool) -> (StatusCode, String) {
    let response = answer(Request::get(path), is_database_there, is_leaving, None).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn answer(request: Builder, is_database_there: bool, is_leaving: bool, guard: Guard) -> Response {
    let halted = WorkerHealth { group: 0, state: "halted", detail: Some("the topic is empty".to_owned()) };
    let leaving = CancellationToken::new();
    if is_leaving {
        leaving.cancel();
    }
    let readiness = Readiness {
        store: Arc::new(NoStore::pinged(if is_database_there { Pings::Answered } else { Pings::Refused })),
        leaving,
        relay: Box::new(move || vec![halted.clone()]),
    };
    admin(readiness, &Serving::default(), guard).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn admin(readiness: Readiness, serving: &Serving, guard: Guard) -> axum::Router {
    router(Arc::new(readiness), serving, Box::new(|| "cmgate_calls_total 1\n".to_owned()), guard)
}

#[tokio::test]
async fn grpc_health_needs_no_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a-token-of-the-scraper\n").unwrap();
    let guard = WatchedFile::load(admin_token_file(file.path().to_owned())).unwrap();
    let readiness =
        Readiness { store: Arc::new(NoStore::default()), leaving: CancellationToken::new(), relay: Box::new(Vec::new) };
    let serving = Serving::default();
    let router = admin(readiness, &serving, Some(guard));
    let mut client = HealthClient::new(router.clone());
    serving.set(false);
    for (service, status) in [("", ServingStatus::NotServing), ("liveness", ServingStatus::Serving)] {
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), status, "{service:?}");
    }
    let unknown = router.oneshot(Request::get("/cmgate.v1.RequestService/GetRequests").body(Body::empty()).unwrap());
    assert_eq!(unknown.await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_process_is_alive_without_a_database() {
    assert_eq!(get("/livez", false, true).await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_served() {
    assert_eq!(get("/metrics", true, false).await, (StatusCode::OK, "cmgate_calls_total 1\n".to_owned()));
}

#[tokio::test]
async fn a_process_is_ready_while_its_database_responds_and_it_is_not_stopping() {
    for (is_database_there, is_leaving) in [(true, false), (true, true), (false, false), (false, true)] {
        let (status, body) = get("/readyz", is_database_there, is_leaving).await;
        let report: Value = serde_json::from_str(&body).unwrap();
        let is_ready = is_database_there && !is_leaving;
        assert_eq!(status, if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE });
        assert_eq!(report["ready"], json!(is_ready));
        assert_eq!(report["checks"]["database"]["ok"], json!(is_database_there));
        assert_eq!(report["checks"]["accepting"]["ok"], json!(!is_leaving));
        let workers = json!([{"group": 0, "state": "halted", "detail": "the topic is empty"}]);
        assert_eq!(report["checks"]["relay"], workers);
    }
}

#[tokio::test]
async fn with_tokens_only_their_holders_see_metrics_and_details() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a-token-of-the-scraper\n").unwrap();
    let guard = || Some(WatchedFile::load(admin_token_file(file.path().to_owned())).unwrap());
    for (authorization, status, shows) in [
        (None, StatusCode::UNAUTHORIZED, false),
        (Some("Bearer another-token-of-a-stranger"), StatusCode::UNAUTHORIZED, false),
        (Some("Bearer a-token-of-the-scraper"), StatusCode::OK, true),
    ] {
        let get = |path| authorization.iter().fold(Request::get(path), |get, value| get.header(AUTHORIZATION, *value));
        let metrics = answer(get("/metrics"), true, false, guard()).await;
        assert_eq!((metrics.status(), metrics.headers().contains_key(WWW_AUTHENTICATE)), (status, !shows));
        let body = to_bytes(metrics.into_body(), 10_000).await.unwrap();
        assert_eq!(body.starts_with(b"cmgate_calls_total"), shows);

        assert_eq!(answer(get("/livez"), true, false, guard()).await.status(), StatusCode::OK);
        for (is_database_there, ready) in [(true, StatusCode::OK), (false, StatusCode::SERVICE_UNAVAILABLE)] {
            let readyz = answer(get("/readyz"), is_database_there, false, guard()).await;
            assert_eq!(readyz.status(), ready, "probes need no token");
            let report: Value = serde_json::from_slice(&to_bytes(readyz.into_body(), 10_000).await.unwrap()).unwrap();
            assert_eq!(
                (&report["ready"], report["checks"].is_object()),
                (&json!(is_database_there), shows),
                "{report}"
            );
        }
    }
}
