use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{LaneHealth, Readiness, router};
use crate::api::testing::NoStore;

async fn get(path: &str) -> (StatusCode, String) {
    let halted = LaneHealth { lane: 0, state: "halted", detail: Some("the topic is empty".to_owned()) };
    let readiness = Readiness {
        store: Arc::new(NoStore),
        draining: Arc::new(AtomicBool::new(true)),
        relay: Box::new(move || vec![halted.clone()]),
    };
    let router = router(readiness, Box::new(|| "cmgate_calls_total 1\n".to_owned()));
    let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_process_lives_whatever_it_lacks() {
    assert_eq!(get("/livez").await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_written_out() {
    assert_eq!(get("/metrics").await, (StatusCode::OK, "cmgate_calls_total 1\n".to_owned()));
}

#[tokio::test]
async fn every_check_of_the_readiness_is_shown() {
    let (status, body) = get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let report: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(report["ready"], json!(false));
    assert_eq!(report["checks"]["database"]["ok"], json!(false));
    assert_eq!(report["checks"]["accepting"]["ok"], json!(false));
    assert_eq!(report["checks"]["relay"], json!([{"lane": 0, "state": "halted", "detail": "the topic is empty"}]));
}
