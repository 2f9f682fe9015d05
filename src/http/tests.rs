//! The public port in process: no network and no database.

mod limits;
mod stalled;
pub(super) mod support;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures::{FutureExt, StreamExt, stream};
use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb as reflection;
use tonic_types::StatusExt;
use tower::{Layer, ServiceExt};

use self::support::{AWAY, api, authentication, service};
use super::auth::{Admission, Audit};
use super::call::{CORRELATION_HEADER, CallLayer, CallSettings, Calls, Sample};
use crate::contract::v1;
use crate::contract::v1::request_service_client::RequestServiceClient;
use crate::service::{Budget, Call, CallerLimitSettings, CallerLimits};

const ID: &str = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01";

async fn answer(path: &str, headers: &[(&'static str, &'static str)], body: &'static [u8]) -> Response<Body> {
    let mut request = Request::post(path).version(Version::HTTP_2).body(Body::from(body)).unwrap();
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    request.headers_mut().extend(headers.collect::<HeaderMap>());
    api().calls.oneshot(request).await.unwrap()
}

fn status(response: &Response<Body>) -> Status {
    assert_eq!(response.status(), StatusCode::OK);
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn an_unknown_grpc_path_is_unimplemented() {
    for path in ["/cmgate.v1.RequestService/Nothing", "/cmgate.v2.RequestService/CreateRequest", "/", "/a/b/c"] {
        let response = answer(path, &[("content-type", "application/grpc")], b"").await;
        let status = status(&response);
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "UNIMPLEMENTED");
    }
}

#[tokio::test]
async fn everything_else_goes_to_the_facade() {
    let response = answer("/cmgate.v1/CreateRequest", &[("content-type", "application/json")], b"{}").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.headers().contains_key(CORRELATION_HEADER));
}

/// The `Message` of a response of the facade.
async fn message(response: Response<Body>) -> String {
    let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 1_000).await.unwrap()).unwrap();
    body["Message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn calls_that_fit_neither_transport_are_refused_before_authentication() {
    let method = "/cmgate.v1.RequestService/CreateRequest";
    let rest = "/CertificateManagement/api/v1.0/requests";
    for (version, verb, path, content_type, status, allow) in [
        (Version::HTTP_11, Method::GET, method, "application/grpc", 505, None),
        (Version::HTTP_11, Method::POST, method, "application/grpc", 505, None),
        (Version::HTTP_11, Method::POST, rest, "Application/GRPC+proto", 505, None),
        (Version::HTTP_11, Method::GET, "/grpc.health.v1.Health/Check", "application/grpc", 505, None),
        (Version::HTTP_2, Method::GET, method, "application/grpc", 405, Some("POST")),
        (Version::HTTP_2, Method::PUT, rest, "application/grpc", 405, Some("POST")),
        (Version::HTTP_2, Method::GET, method, "text/html", 405, Some("POST")),
        (Version::HTTP_2, Method::POST, method, "application/json", 415, None),
        (Version::HTTP_11, Method::POST, method, "application/json", 415, None),
        (Version::HTTP_2, Method::POST, method, "application/grpc-web+proto", 415, None),
        (Version::HTTP_11, Method::POST, rest, "application/grpc-web-text", 415, None),
    ] {
        let request = Request::builder().version(version).method(verb).uri(path).header("content-type", content_type);
        // The caller is unknown, which would be 401 otherwise.
        let request = request.header("x-dev-user", "nobody").body(Body::from("\0\0\0\0\0")).unwrap();
        let response = api().calls.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{version:?} {path} {content_type}");
        assert_eq!(response.headers().get(ALLOW).map(|allow| allow.to_str().unwrap()), allow);
        assert!(response.headers().contains_key(CORRELATION_HEADER));
        let message = message(response).await;
        assert!(message.contains("gRPC") || message.contains("application/grpc"), "{message}");
    }
}

#[tokio::test]
async fn a_grpc_call_in_another_format_than_protobuf_is_unimplemented() {
    let path = "/cmgate.v1.RequestService/CreateRequest";
    for content_type in ["application/grpc+json", "application/GRPC+thrift; a=b"] {
        let response = answer(path, &[("content-type", content_type)], b"\0\0\0\0\x02{}").await;
        let status = status(&response);
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("application/grpc"), "{status}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "UNSUPPORTED_CODEC");
    }
    let response = answer(path, &[("content-type", "application/GRPC+proto;a=b")], b"\0\0\0\0\0").await;
    assert_eq!(status(&response).code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_rest_path_is_no_grpc_method() {
    let path = "/CertificateManagement/api/v1.0/requests";
    let response = answer(path, &[("content-type", "application/grpc")], b"{}").await;
    let status = status(&response);
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("application/json"), "{status}");
}

#[tokio::test]
async fn malformed_messages_are_errors_of_the_caller() {
    let grpc = [("content-type", "application/grpc")];
    let path = "/cmgate.v1.RequestService/CreateRequest";
    for body in [&b"\0\0\0\0\x02\xff\xff"[..], b"\0\0\0\0\x09\x00", b"", b"\x07\0\0\0\0"] {
        let response = answer(path, &grpc, body).await;
        let status = status(&response);
        assert!(matches!(status.code(), Code::InvalidArgument | Code::Unimplemented), "{body:?}: {status}");
        assert!(status.get_details_error_info().is_some());
    }
    let response = answer(path, &grpc, b"\0\x7f\xff\xff\xff").await;
    assert_eq!(status(&response).code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_unauthenticated_caller_gets_an_error_of_its_transport() {
    let bad = ("x-dev-user", "nobody");
    let response =
        answer("/cmgate.v1.RequestService/GetRequest", &[("content-type", "application/grpc"), bad], b"").await;
    let status = status(&response);
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "header X-Dev-User must be a UUID"));
    assert_eq!(status.get_details_error_info().unwrap().reason, "BAD_IDENTITY_HEADER");

    let response = answer("/", &[bad], b"").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().contains_key(CORRELATION_HEADER));
    let message = message(response).await;
    assert!(message.starts_with("Header X-Dev-User must be a UUID"), "{message}");
}

#[tokio::test]
async fn whoami_answers_get_with_the_caller_and_everything_else_with_a_problem() {
    let send = async |method: Method, path: &str, user: &'static str| {
        let request = Request::builder().method(method).uri(path).header("x-dev-user", user).body(Body::empty());
        let response = api().calls.oneshot(request.unwrap()).await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, kind, allow) = (response.status().as_u16(), header("content-type"), header("allow"));
        let correlation = header("x-correlation-id").unwrap();
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("www-authenticate").is_some(), status == 401);
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, kind.unwrap_or_default(), allow, body, correlation)
    };
    let (status, kind, _, body, _) = send(Method::GET, "/v1/whoami", ID).await;
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    let proof = json!({"method": "PROOF_METHOD_DEVELOPMENT", "entry": ""});
    let name = format!("development user {ID}");
    let caller = json!({"user": ID, "name": name, "sid": "", "groups": [], "groupsUnknown": false, "denyOnlyGroups": [], "upn": "", "proof": proof});
    assert_eq!(body, json!({"caller": caller}));

    for (method, path, user, status, reason, detail) in [
        (Method::POST, "/v1/whoami", ID, 405, "METHOD_NOT_ALLOWED", "/v1/whoami allows only GET"),
        (Method::OPTIONS, "/v1/whoami", ID, 405, "METHOD_NOT_ALLOWED", "/v1/whoami allows only GET"),
        (Method::GET, "/v1/who", ID, 404, "NOT_FOUND", "no resource has this path; /v1/whoami exists"),
        (Method::GET, "/v1/whoami/", ID, 404, "NOT_FOUND", "no resource has this path; /v1/whoami exists"),
        (Method::GET, "/v1/whoami", "x", 401, "BAD_IDENTITY_HEADER", "header X-Dev-User must be a UUID"),
        (Method::PUT, "/v1/whoami", "x", 401, "BAD_IDENTITY_HEADER", "header X-Dev-User must be a UUID"),
        (Method::GET, "/v1/", "x", 401, "BAD_IDENTITY_HEADER", "header X-Dev-User must be a UUID"),
    ] {
        let (found, kind, allow, body, correlation) = send(method, path, user).await;
        assert_eq!((found, kind.as_str()), (status, "application/problem+json"), "{path}");
        assert_eq!(allow.as_deref(), (status == 405).then_some("GET"));
        let title = StatusCode::from_u16(status).unwrap().canonical_reason();
        let expected = json!({
            "title": title, "status": status, "detail": detail, "reason": reason, "correlationId": correlation,
        });
        assert_eq!(body, expected, "{path}");
    }
    let (status, kind, allow, body, _) = send(Method::HEAD, "/v1/whoami", ID).await;
    assert_eq!((status, kind.as_str(), allow.as_deref()), (405, "application/problem+json", Some("GET")));
    assert!(body.is_null());
}

/// Wraps routes in the layer.
fn calls(router: Router, max_duration: Duration) -> Calls<Router> {
    limited(router, max_duration, CallerLimitSettings::default())
}

/// Wraps routes in the layer with limits of callers.
fn limited(router: Router, max_duration: Duration, limits: CallerLimitSettings) -> Calls<Router> {
    let settings = CallSettings {
        authentication: authentication(),
        admission: Admission::new(service().directory().clone()),
        limits: CallerLimits::new(limits),
        audit: Audit::default(),
        max_duration,
        memory: Budget::new(1 << 20),
        max_message_bytes: 1 << 20,
        sample: Sample::default(),
    };
    CallLayer::new(settings).layer(router)
}

/// The router matches before the call is authenticated, so that refused calls are counted under their route.
#[test]
fn a_call_is_counted_under_its_route() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let calls = api().calls;
            for (method, user, path) in [
                ("GET", ID, "/certificatemanagement/api/V1.0/Requests/{0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01}"),
                ("GET", "nobody", "/CertificateManagement/api/v1.0/requests/0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01/"),
                ("DELETE", ID, "/CertificateManagement/api/v1.0/requests/0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01"),
                ("GET", ID, "/CertificateManagement/api/v1.0/nothing"),
                ("GET", ID, "/v1/whoami"),
                ("GET", "nobody", "/v1/whoami"),
                ("PUT", ID, "/v1/whoami"),
                ("GET", ID, "/v1/nothing"),
            ] {
                let request = Request::builder().method(method).uri(path).header("x-dev-user", user);
                calls.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            }
        });
    });
    let text = recorder.handle().render();
    for line in [
        r#"cmgate_calls_total{method="GET /requests/{id}",outcome="503"} 1"#,
        r#"cmgate_calls_total{method="GET /requests/{id}",outcome="401"} 1"#,
        r#"cmgate_calls_total{method="GET /v1/whoami",outcome="200"} 1"#,
        r#"cmgate_calls_total{method="GET /v1/whoami",outcome="401"} 1"#,
        r#"cmgate_calls_total{method="other",outcome="405"} 2"#,
        r#"cmgate_calls_total{method="other",outcome="404"} 2"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn handlers_get_the_call_and_responses_its_id() {
    let router = Router::new().fallback(async |request: Request<Body>| {
        let call = request.extensions().get::<Call>().unwrap();
        assert!(call.deadline.is_some() && call.trace.traceparent.is_some());
        call.caller.user.to_string()
    });
    let request = Request::get("/")
        .header("x-dev-user", ID)
        .header("X-Correlation-ID", ID)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let calls = calls(router, Duration::from_secs(30));
    let response = calls.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[CORRELATION_HEADER], ID);
    assert_eq!(&to_bytes(response.into_body(), 1_000).await.unwrap()[..], ID.as_bytes());
}

#[tokio::test]
async fn a_call_past_its_deadline_is_answered_without_its_handler() {
    let endless = Router::new().fallback(std::future::pending::<()>);
    let at_once = calls(endless.clone(), Duration::ZERO);
    let response = at_once.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);

    let request = Request::post("/cmgate.v1.RequestService/GetRequest").version(Version::HTTP_2);
    let request = request.header("content-type", "application/grpc").header("grpc-timeout", "1u");
    let in_an_hour = calls(endless, Duration::from_hours(1));
    let response = in_an_hour.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(status(&response).code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn wrong_fields_are_named_by_their_path_in_calls_and_in_batches() {
    let mut client = RequestServiceClient::new(api().calls);
    let draft = v1::RequestDraft {
        r#type: v1::RequestType::Enroll.into(),
        profile_template: ID.to_owned(),
        ..v1::RequestDraft::default()
    };
    let create = |draft| v1::CreateRequestRequest { draft: Some(draft), idempotency_key: String::new() };
    let field = |status: Status| status.get_details_bad_request().unwrap().field_violations[0].field.clone();

    let no_template = v1::RequestDraft { profile_template: "?".to_owned(), ..draft.clone() };
    let error = client.create_request(create(no_template.clone())).await.unwrap_err();
    assert_eq!(field(error), "draft.profile_template");
    let bad_priority = v1::RequestDraft { priority: Some(256), ..draft.clone() };
    let error = client.create_request(create(bad_priority.clone())).await.unwrap_err();
    assert_eq!(field(error), "draft.priority");

    let requests = vec![create(no_template), create(bad_priority)];
    let batch = v1::BatchCreateRequestsRequest { requests };
    let results = client.batch_create_requests(batch).await.unwrap().into_inner().results;
    let fields = results.into_iter().map(|result| match result.result {
        Some(v1::batch_create_result::Result::Error(error)) => error.field_violations[0].field.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(fields.collect::<Vec<_>>(), ["requests[0].draft.profile_template", "requests[1].draft.priority"]);
}

#[tokio::test]
async fn an_unavailable_database_is_reported_without_its_error() {
    let mut client = RequestServiceClient::new(api().calls);
    let error = client.get_request(v1::GetRequestRequest { id: ID.to_owned() }).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.get_details_retry_info().is_some());
    assert!(!error.message().contains(AWAY));
}

#[tokio::test]
async fn the_switch_changes_health_and_ends_watch_streams() {
    let api = api();
    let mut client = HealthClient::new(api.calls.clone());
    let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "cmgate.v1.RequestService"] {
        let answer = client.check(check(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    assert_eq!(client.check(check("nothing")).await.unwrap_err().code(), Code::NotFound);
    // Health needs no caller.
    let mut unproven = tonic::Request::new(check(""));
    unproven.metadata_mut().insert("x-dev-user", "nobody".parse().unwrap());
    assert!(client.check(unproven).await.is_ok());

    let watched = client.watch(check("")).await.unwrap().into_inner();
    api.serving.end();
    let seen: Vec<_> = watched.map(|answer| answer.unwrap().status()).collect().await;
    assert_eq!(seen.last(), Some(&ServingStatus::NotServing));
    for service in ["", "cmgate.v1.RequestService"] {
        let answer = client.check(check(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::NotServing);
    }
}

#[tokio::test]
async fn an_unknown_service_can_be_watched_until_shutdown() {
    let api = api();
    let mut client = HealthClient::new(api.calls.clone());
    let request = HealthCheckRequest { service: "nothing".to_owned() };
    let mut watched = client.watch(request.clone()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    assert!(watched.message().now_or_never().is_none(), "the stream stays open");
    api.serving.end();
    assert_eq!(watched.message().await.unwrap(), None);
    // A watch that begins after the end gets the current status and ends.
    for (service, status) in [("nothing", ServingStatus::ServiceUnknown), ("", ServingStatus::NotServing)] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let watched = client.watch(request).await.unwrap().into_inner();
        let seen: Vec<_> = watched.map(|answer| answer.unwrap().status()).collect().await;
        assert_eq!(seen, [status]);
    }
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    let calls = api().calls;
    let expected = ["cmgate.v1.RequestService", "grpc.health.v1.Health"];

    let mut client = reflection::v1::server_reflection_client::ServerReflectionClient::new(calls.clone());
    let list = reflection::v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = reflection::v1::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let reflection::v1::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(expected.iter().all(|name| names.iter().any(|found| found == name)), "{names:?}");

    let mut client = reflection::v1alpha::server_reflection_client::ServerReflectionClient::new(calls);
    let list = reflection::v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = reflection::v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let reflection::v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(expected.iter().all(|name| names.iter().any(|found| found == name)), "{names:?}");
}
