//! Limits of callers in the layer around every call.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use futures::stream;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode, Version};
use tokio::sync::Semaphore;
use tonic::Code;
use tonic_types::StatusExt;
use tower::ServiceExt;

use super::super::call::Calls;
use super::{ID, limited, message, status};
use crate::service::{Call, CallerLimit, CallerLimitSettings, Rate};

const METHOD: &str = "/cmgate.v1.RequestService/GetRequest";
const OTHER: &str = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d02";

/// Every caller has this limit.
fn calls(router: Router, general: CallerLimit) -> Calls<Router> {
    limited(router, Duration::from_secs(30), CallerLimitSettings { general, ..CallerLimitSettings::default() })
}

/// Limits the calls in flight.
const fn in_flight(calls: u32) -> CallerLimit {
    CallerLimit { rate: None, calls: NonZeroU32::new(calls) }
}

async fn send(calls: &Calls<Router>, user: &str, body: Body) -> Response<Body> {
    let request = Request::post("/").header("x-dev-user", user).body(body).unwrap();
    calls.clone().oneshot(request).await.unwrap()
}

async fn send_grpc(calls: &Calls<Router>, path: &str) -> Response<Body> {
    let request = Request::post(path).version(Version::HTTP_2).header("content-type", "application/grpc");
    calls.clone().oneshot(request.header("x-dev-user", ID).body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_call_beyond_the_rate_is_refused_before_its_body_is_read() {
    let one = NonZeroU32::MIN;
    let router = Router::new().fallback(async || "done");
    let calls = calls(router, CallerLimit { rate: Some(Rate { per_second: one, burst: one }), calls: None });
    let refused = loop {
        let is_read = Arc::new(AtomicBool::new(false));
        let body = {
            let is_read = Arc::clone(&is_read);
            Body::from_stream(stream::once(async move {
                is_read.store(true, Ordering::Relaxed);
                Ok::<_, std::io::Error>(Bytes::from_static(b"{}"))
            }))
        };
        let response = send(&calls, ID, body).await;
        if response.status() != StatusCode::OK {
            assert!(!is_read.load(Ordering::Relaxed));
            break response;
        }
    };
    assert_eq!(
        (refused.status(), &refused.headers()[RETRY_AFTER]),
        (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap())
    );
    let message = message(refused).await;
    assert!(message.starts_with("The caller exceeds its limit of 1 calls per second; retry later"), "{message}");
    assert_eq!(send(&calls, OTHER, Body::empty()).await.status(), StatusCode::OK, "others have their own rate");
}

#[tokio::test]
async fn a_call_is_in_flight_until_its_handler_ends() {
    let gate = Arc::new(Semaphore::new(0));
    let router = Router::new().fallback({
        let gate = Arc::clone(&gate);
        async move || drop(gate.acquire().await.unwrap())
    });
    let calls = calls(router, in_flight(1));
    let first = tokio::spawn({
        let calls = calls.clone();
        async move { send(&calls, ID, Body::empty()).await }
    });
    // The runtime has one thread, so the first call runs as soon as this task waits.
    tokio::task::yield_now().await;
    let refused = status(&send_grpc(&calls, METHOD).await);
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.metadata["problem"].as_str()), ("CALLER_LIMIT", "CALLER_LIMIT"));
    let pause = refused.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(pause, Some(Duration::from_secs(1)));
    assert_eq!(send(&calls, ID, Body::empty()).await.status(), StatusCode::TOO_MANY_REQUESTS);
    gate.add_permits(10);
    assert_eq!(send(&calls, OTHER, Body::empty()).await.status(), StatusCode::OK, "others may call");
    assert_eq!(first.await.unwrap().status(), StatusCode::OK);
    assert_eq!(send(&calls, ID, Body::empty()).await.status(), StatusCode::OK, "no call is in flight any more");
}

/// As the lists of the facade do, the body holds the call.
#[tokio::test]
async fn a_streamed_response_is_in_flight_until_it_is_sent() {
    let router = Router::new().fallback(async |request: Request<Body>| {
        let call = request.extensions().get::<Call>().unwrap().clone();
        call.memory.hold_to_the_end(20 << 10).unwrap();
        let pieces = stream::unfold((call, 0), async |(call, piece)| {
            (piece < 3).then(|| (Ok::<_, std::io::Error>(Bytes::from_static(b"piece")), (call, piece + 1)))
        });
        Body::from_stream(pieces)
    });
    let calls = calls(router, in_flight(1));
    let first = send(&calls, ID, Body::empty()).await;
    assert_eq!(send(&calls, ID, Body::empty()).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(to_bytes(first.into_body(), 100).await.unwrap().len(), 15);
    let again = send(&calls, ID, Body::empty()).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(send(&calls, ID, Body::empty()).await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(again);
    assert_eq!(send(&calls, ID, Body::empty()).await.status(), StatusCode::OK, "a client that goes away ends its call");
}

#[tokio::test]
async fn a_call_that_needs_no_caller_has_no_limit() {
    let router = Router::new().fallback(async || "done");
    let one = NonZeroU32::MIN;
    let calls = calls(router, CallerLimit { rate: Some(Rate { per_second: one, burst: one }), ..in_flight(1) });
    for _ in 0..20 {
        let response = send_grpc(&calls, "/grpc.health.v1.Health/Check").await;
        assert!(!response.headers().contains_key("grpc-status"), "{response:?}");
    }
}
