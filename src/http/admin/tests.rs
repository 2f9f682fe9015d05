//! The responses of the admin port, with and without a database.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Guard, Readiness, WorkerHealth, admin_token_file, router};
use crate::http::tests::support::NoStore;
use crate::runtime::watched_file::WatchedFile;

/// Gets a path of a process with a halted relay worker.
async fn get(path: &str, is_database_there: bool, is_draining: bool) -> (StatusCode, String) {
    let response = answer(Request::get(path), is_database_there, is_draining, None).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn answer(request: Builder, is_database_there: bool, is_draining: bool, guard: Guard) -> Response {
    let halted = WorkerHealth { group: 0, state: "halted", detail: Some("the topic is empty".to_owned()) };
    let readiness = Readiness {
        store: Arc::new(NoStore { answers_pings: is_database_there }),
        draining: Arc::new(AtomicBool::new(is_draining)),
        relay: Box::new(move || vec![halted.clone()]),
    };
    let router = router(readiness, Box::new(|| "cmgate_calls_total 1\n".to_owned()), guard);
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
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
    for (is_database_there, is_draining) in [(true, false), (true, true), (false, false), (false, true)] {
        let (status, body) = get("/readyz", is_database_there, is_draining).await;
        let report: Value = serde_json::from_str(&body).unwrap();
        let is_ready = is_database_there && !is_draining;
        assert_eq!(status, if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE });
        assert_eq!(report["ready"], json!(is_ready));
        assert_eq!(report["checks"]["database"]["ok"], json!(is_database_there));
        assert_eq!(report["checks"]["accepting"]["ok"], json!(!is_draining));
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
