//! Errors: details in gRPC, messages in REST, and the limits of both.

use std::net::SocketAddr;

use cmgate::contract::v1::batch_create_result::Result as MemberResult;
use cmgate::contract::v1::{
    BatchCreateRequestsRequest, CompleteRequestRequest, CredentialIds, DataItem, DenyRequestRequest,
    FailRequestRequest, GetRequestRequest, RequestDraft, RequestStatus, RequestType, StartRequestRequest,
};
use futures::future::join_all;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{Api, EMBEDDED};
use crate::support::client::{CARDS, PROFILES, REQUESTS, create, creation, enrollment, info, printed_events};
use crate::support::instance::channel;

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_named_by_its_path() {
    let api = Api::start();
    let mut client = api.client.clone();
    let item = |name: &str| DataItem { name: name.to_owned(), value: None };
    let draft = RequestDraft {
        r#type: 99,
        profile_template: "cards".to_owned(),
        target: "me".to_owned(),
        old_credential: Some(CredentialIds { profile: "?".to_owned(), smartcard: String::new() }),
        data_items: vec![item("fine"), item("")],
        comment: "x".repeat(4_001),
        priority: Some(256),
        ..RequestDraft::default()
    };
    let mut call = creation(draft);
    call.idempotency_key = "two words".to_owned();
    let error = client.create_request(call).await.unwrap_err();
    assert_told(&error, Code::InvalidArgument, "INVALID_FIELD");
    let expected = [
        "draft.type",
        "draft.profile_template",
        "draft.target",
        "draft.old_credential.profile",
        "draft.data_items[1].name",
        "draft.comment",
        "draft.priority",
        "idempotency_key",
    ];
    assert_eq!(fields(&error), expected);

    let error = client.create_request(creation(enrollment(&Uuid::nil().to_string()))).await.unwrap_err();
    assert_told(&error, Code::InvalidArgument, "PROFILE_TEMPLATE_NOT_FOUND");
    assert_eq!(fields(&error), ["draft.profile_template"]);
    let message = StartRequestRequest { id: "1".to_owned(), etag: "old".to_owned(), ..Default::default() };
    assert_eq!(fields(&client.start_request(message).await.unwrap_err()), ["id", "etag"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_its_reason() {
    let api = Api::start();
    let mut client = api.client.clone();
    let id = Uuid::new_v4().to_string();
    let error = client.get_request(GetRequestRequest { id: id.clone() }).await.unwrap_err();
    assert_told(&error, Code::NotFound, "REQUEST_NOT_FOUND");
    let error = client.start_request(StartRequestRequest { id, ..Default::default() }).await.unwrap_err();
    assert_told(&error, Code::NotFound, "REQUEST_NOT_FOUND");

    let pending = create(&mut client, enrollment(PROFILES)).await;
    let message = StartRequestRequest { id: pending.id.clone(), ..Default::default() };
    let error = client.start_request(message).await.unwrap_err();
    assert_told(&error, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    let violations = error.get_details_precondition_failure().unwrap().violations;
    assert_eq!((violations[0].r#type.as_str(), &violations[0].subject), ("ILLEGAL_TRANSITION", &pending.id));

    let message = DenyRequestRequest { id: pending.id, ..Default::default() };
    let error = client.deny_request(message).await.unwrap_err();
    assert_told(&error, Code::PermissionDenied, "OWN_REQUEST");

    let about_nothing = RequestDraft { r#type: RequestType::Disable.into(), ..enrollment(PROFILES) };
    let error = client.create_request(creation(about_nothing)).await.unwrap_err();
    assert_told(&error, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(fields(&error), ["draft.old_credential"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_applies_to_the_version_of_its_etag_only() {
    let api = Api::start();
    let mut client = api.client.clone();
    let created = create(&mut client, enrollment(CARDS)).await;
    let start = StartRequestRequest { id: created.id.clone(), etag: created.etag.clone(), ..Default::default() };
    let started = client.start_request(start).await.unwrap().into_inner().request.unwrap();
    assert_ne!(started.etag, created.etag);

    let (id, comment) = (created.id.clone(), "too late".to_owned());
    let fail = FailRequestRequest { id, comment, etag: created.etag, ..Default::default() };
    let error = client.fail_request(fail).await.unwrap_err();
    assert_told(&error, Code::Aborted, "VERSION_MISMATCH");
    let tag = api.http.get(&format!("{REQUESTS}/{}", created.id)).await.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", started.etag), "REST shows the tag too");

    let complete = CompleteRequestRequest { id: created.id, etag: started.etag, ..Default::default() };
    let completed = client.complete_request(complete).await.unwrap().into_inner().request.unwrap();
    assert_eq!((completed.status(), completed.version), (RequestStatus::Completed, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_member_of_a_batch_leaves_the_others_alone() {
    let api = Api::start();
    let mut client = api.client.clone();
    let bad = RequestDraft { priority: Some(256), ..enrollment(CARDS) };
    let unknown = enrollment(&Uuid::nil().to_string());
    let requests = [enrollment(CARDS), bad, enrollment(PROFILES), unknown].into_iter().map(creation).collect();
    let answer = client.batch_create_requests(BatchCreateRequestsRequest { requests }).await.unwrap().into_inner();
    let results: Vec<MemberResult> = answer.results.into_iter().map(|result| result.result.unwrap()).collect();
    let [first, second, third, fourth] = results.as_slice() else { panic!("four results, not {results:?}") };
    let status = |result: &MemberResult| match result {
        MemberResult::Request(request) => request.status(),
        MemberResult::Error(error) => panic!("{error:?}"),
    };
    assert_eq!((status(first), status(third)), (RequestStatus::Approved, RequestStatus::Pending));
    for (result, reason, field) in [
        (second, "INVALID_FIELD", "requests[1].draft.priority"),
        (fourth, "PROFILE_TEMPLATE_NOT_FOUND", "requests[3].draft.profile_template"),
    ] {
        let MemberResult::Error(error) = result else { panic!("{result:?}") };
        assert_eq!((error.code, error.reason.as_str()), (Code::InvalidArgument.into(), reason), "{error:?}");
        assert_eq!(error.field_violations[0].field, field);
    }
    assert_eq!(printed_events(&api.env, &[]).len(), 2, "an event for each that was created");

    for count in [0, 101] {
        let requests = vec![creation(enrollment(CARDS)); count];
        let error = client.batch_create_requests(BatchCreateRequestsRequest { requests }).await.unwrap_err();
        assert_eq!(fields(&error), ["requests"]);
    }
    assert_eq!(printed_events(&api.env, &[]).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_calls_are_answered_in_the_form_of_their_transport() {
    let api = Api::start();
    let mut grpc = tonic::client::Grpc::new(channel(api.instance.public));
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/cmgate.v1.RequestService/ForgetRequest");
    let codec = ProstCodec::<GetRequestRequest, GetRequestRequest>::default();
    let error = grpc.unary(tonic::Request::new(GetRequestRequest::default()), path, codec).await.unwrap_err();
    assert_told(&error, Code::Unimplemented, "UNIMPLEMENTED");

    for path in ["/", "/CertificateManagement/api/v2.0/requests", "/cmgate.v1.RequestService"] {
        let answer = api.http.get(path).await;
        let address = format!("http://{}{path}", api.instance.public);
        let expected = format!("No HTTP resource was found that matches the request URI '{address}'.");
        assert_eq!((answer.status, &answer.json()["Message"]), (404, &expected.into()), "{answer:?}");
    }
    let item = format!("{REQUESTS}/{}", Uuid::new_v4());
    for (method, path, allowed) in
        [("DELETE", REQUESTS, "GET, POST"), ("POST", &*item, "GET, PUT"), ("PATCH", &*item, "GET, PUT")]
    {
        let answer = api.http.send(method, path, &[], "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{answer:?}");
        let expected = format!("The requested resource does not support http method '{method}'.");
        assert_eq!(answer.json()["Message"], expected);
    }
    assert_eq!(api.http.get(&item).await.status, 204, "the documented answer for a missing request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_rest_call_gets_a_message_that_names_the_problem() {
    let api = Api::start();
    let http = &api.http;
    for (body, problem) in [
        ("", "The request body is not JSON"),
        ("[]", "The request body must be a JSON object"),
        (r#"{"type":"Enrol"}"#, "type must be one of Enroll, Duplicate,"),
        (r#"{"type":"Enroll","profiletemplateuuid":"cards"}"#, "profiletemplateuuid must be a GUID"),
        (r#"{"type":"Enroll"}"#, "profiletemplateuuid must be given"),
        (r#"{"type":"Enroll","datacollection":"{"}"#, "datacollection is a string that must hold a JSON array"),
    ] {
        let answer = http.post(&[], body).await;
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && message.starts_with(problem), "{body}: {answer:?}");
    }
    assert_eq!(http.send("POST", REQUESTS, &[("Content-Type", "application/xml")], "<a/>").await.status, 415);
    let answer = http.get(&format!("{REQUESTS}?status=Waiting&targetuser=all")).await;
    let message = answer.json()["Message"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(message.contains("status must be") && message.contains("targetuser must be"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_messages_are_refused() {
    let api = Api::start_with(&[EMBEDDED, ("CMGATE__LIMITS__MESSAGE_BYTES", "4096")]);
    let mut client = api.client.clone();
    let with_comment = |length| RequestDraft { comment: "x".repeat(length), ..enrollment(CARDS) };
    let error = client.create_request(creation(with_comment(4_096))).await.unwrap_err();
    assert_told(&error, Code::InvalidArgument, "MESSAGE_TOO_LARGE");
    create(&mut client, with_comment(3_900)).await;

    let body = |length: usize| {
        let comment = "x".repeat(length);
        format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":"[]","comment":"{comment}"}}"#)
    };
    let answer = api.http.post(&[], &body(4_096)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.json()["Message"].as_str().unwrap().starts_with("The request body has more than 4096 bytes"));
    api.http.post(&[], &body(3_900)).await.created();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_could_not_be_ended_is_refused_with_the_field_to_shorten() {
    let api = Api::start();
    let mut client = api.client.clone();
    let items = (0..60).map(|number| DataItem { name: number.to_string(), value: Some("x".repeat(15_000)) });
    let draft = RequestDraft { data_items: items.clone().collect(), ..enrollment(CARDS) };
    let error = client.create_request(creation(draft)).await.unwrap_err();
    assert_told(&error, Code::InvalidArgument, "REQUEST_TOO_LARGE");
    assert_eq!(fields(&error), ["draft.data_items"]);

    let pair = |item: DataItem| format!(r#"{{"name":"{}","value":"{}"}}"#, item.name, item.value.unwrap());
    let items: Vec<String> = items.map(pair).collect();
    let items = items.join(",");
    let body =
        format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":[{items}],"comment":""}}"#);
    let answer = api.http.post(&[], &body).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(
        answer.json()["Message"].as_str().unwrap().starts_with("datacollection: must be shorter by "),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_over_http_1_or_by_another_method_than_post_does_nothing() {
    let api = Api::start();
    let frame = frame(&creation(enrollment(CARDS)));
    let path = "/cmgate.v1.RequestService/CreateRequest";
    for (method, content_type, status) in [
        ("GET", "application/grpc", 505),
        ("POST", "application/grpc", 505),
        ("POST", "application/grpc+json", 505),
        ("POST", "application/grpc-web+proto", 415),
        ("POST", "application/json", 415),
        ("PUT", "application/json", 405),
    ] {
        let answer = api.http.send(method, path, &[("Content-Type", content_type)], &frame).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.json()["Message"].as_str().unwrap().contains("gRPC") || status == 505, "{answer:?}");
    }
    let answer = send_http2(api.instance.public, "GET", path, &[("Content-Type", "application/grpc")], &frame).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()));
    assert_eq!(printed_events(&api.env, &[]).len(), 0);
}

/// Sent without a gRPC client, which would enforce the deadline itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_has_passed_changes_nothing() {
    let api = Api::start();
    let frame = frame(&creation(enrollment(CARDS)));
    let headers = [("Content-Type", "application/grpc"), ("TE", "trailers"), ("grpc-timeout", "1n")];
    let path = "/cmgate.v1.RequestService/CreateRequest";
    let answer = send_http2(api.instance.public, "POST", path, &headers, &frame).await;
    let status = Status::from_header_map(answer.headers()).unwrap();
    assert_told(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    // The same frame before its deadline.
    let answer = send_http2(api.instance.public, "POST", path, &headers[..2], &frame).await;
    assert!(Status::from_header_map(answer.headers()).is_none(), "{answer:?}");
    answer.into_body().collect().await.unwrap();
    assert_eq!(printed_events(&api.env, &[]).len(), 1);
}

/// A message in its gRPC frame; every byte is ASCII.
fn frame(message: &impl Message) -> String {
    let message = message.encode_to_vec();
    let frame = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message.as_slice()].concat();
    String::from_utf8(frame).unwrap()
}

/// Sends a request over HTTP/2 with a client that does not implement gRPC.
async fn send_http2(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    sender.send_request(request.body(body.to_owned()).unwrap()).await.unwrap()
}

/// Calls that exceed the memory budget are refused with a retry delay, and nothing of them is stored.
#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_service_says_when_to_retry() {
    let api = Api::start_with(&[EMBEDDED, ("CMGATE__WRITER__MAX_WAITING", "1"), ("CMGATE__WRITER__MAX_BATCH", "1")]);
    let body = include_str!("../../../src/mimcm/tests/golden/create-1.json");
    let (mut created, mut refused) = (0, 0);
    while refused == 0 {
        for answer in join_all((0..100).map(|_| api.http.post(&[], body))).await {
            if answer.status == 201 {
                created += 1;
                continue;
            }
            assert_eq!((answer.status, answer.header("retry-after")), (429, "1"), "{answer:?}");
            assert!(answer.json()["Message"].as_str().unwrap().contains("retry later"), "{answer:?}");
            refused += 1;
        }
    }
    let listed = api.http.get(REQUESTS).await.json();
    assert_eq!(listed.as_array().unwrap().len(), created);
}

fn assert_told(status: &Status, code: Code, reason: &str) {
    let info = info(status);
    assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, "cmgate"), "{status:?}");
    assert!(!status.message().is_empty(), "{status:?}");
}

/// The invalid fields of an error.
fn fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("no BadRequest in {status:?}"));
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}
