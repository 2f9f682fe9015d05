//! Changes of a request: the accepted forms, their effects and their refusals.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};

use super::{Answer, Facade, REQUESTS, SOFTWARE_TEMPLATE, USER};
use crate::domain::Caller;

pub(super) const UNKNOWN: &str = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

impl Facade {
    pub(super) async fn put(&self, id: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::put(format!("{REQUESTS}/{id}")).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Creates an approved request, the first documented example, and returns its id.
    async fn enrolled(&self) -> String {
        self.created(include_str!("golden/create-1.json")).await
    }

    /// Creates a pending request and returns its id.
    async fn pending(&self) -> String {
        let id =
            self.created(&format!("{{\"type\":\"Enroll\",\"profiletemplateuuid\":\"{SOFTWARE_TEMPLATE}\"}}")).await;
        let mut requests = self.store.requests.lock().unwrap();
        requests.last_mut().unwrap().state = crate::domain::State::Pending;
        id
    }

    pub(super) async fn created(&self, body: &str) -> String {
        let answer = self.post(body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let id: String = serde_json::from_str(answer.body()).unwrap();
        id.trim_start_matches("api/v1.0/requests/").to_owned()
    }
}

fn number_of_status(answer: &Answer) -> u64 {
    let body: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    body["Status"].as_u64().unwrap()
}

#[tokio::test]
async fn a_change_is_answered_with_the_changed_request() {
    let facade = Facade::start().await;
    for (status, number) in [("Completed", 8), ("Canceled", 17), ("Abandoned", 9)] {
        let id = facade.enrolled().await;
        let answer = facade.put(&id, &[], format!("{{\"status\":\"{status}\"}}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("etag"), Some("\"v2\""));
        assert_eq!(number_of_status(&answer), number);
        let read = facade.get(&format!("{REQUESTS}/{id}")).await;
        assert_eq!((read.body(), read.header("etag")), (answer.body(), answer.header("etag")));
    }
}

#[tokio::test]
async fn only_a_completion_sets_the_time_of_completion() {
    let facade = Facade::start().await;
    for (status, completed) in [("Completed", "2015-07-07T23:36:21.93Z"), ("Canceled", "0001-01-01T00:00:00")] {
        let id = facade.enrolled().await;
        let answer = facade.put(&id, &[], format!("{{\"status\":\"{status}\"}}")).await;
        let expected = format!("\"Completed\":\"{completed}\"");
        assert!(answer.body().contains(&expected), "{}", answer.body());
    }
}

#[tokio::test]
async fn a_status_is_read_in_every_form() {
    let facade = Facade::start().await;
    let utf16: Vec<u8> = "{\"status\":\"Canceled\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let forms: [(&[u8], &str); 10] = [
        (b"{\"Status\":\"CANCELED\"}", "application/json"),
        (b"{\"STATUS\":\"canceled\"}", "application/json"),
        (b"{\"status\":\" Canceled \"}", "text/json"),
        (b"{'status':'Canceled',}", "application/json"),
        (b"{status:\"Canceled\"/* by hand */}", "application/json"),
        (b"{\"status\":\"Completed\",\"Status\":\"Canceled\"}", "application/json"),
        (b"{\"uuid\":7,\"status\":\"Canceled\",\"comment\":\"\"}", "application/json"),
        ("{“status”:“Canceled”}".as_bytes(), "application/json"),
        (b"\xEF\xBB\xBF{\"status\":\"Canceled\"}", "application/json"),
        (&utf16, "application/json; charset=utf-16"),
    ];
    for (body, media_type) in forms {
        let id = facade.enrolled().await;
        let request = Request::put(format!("{REQUESTS}/{id}")).header("content-type", media_type);
        let answer = facade.send(request.body(body.to_vec().into()).unwrap()).await;
        let shown = String::from_utf8_lossy(body);
        assert_eq!(answer.status, StatusCode::OK, "{shown}: {:?}", answer.body);
        assert_eq!(number_of_status(&answer), 17, "{shown}");
    }
}

#[tokio::test]
async fn another_status_is_refused_with_the_accepted_ones() {
    let facade = Facade::start().await;
    let id = facade.enrolled().await;
    let statuses = "status must be one of Completed, Canceled, Abandoned";
    let object = "The request body must be a JSON object";
    for (body, expected) in [
        ("{}", statuses),
        ("{\"status\":null}", statuses),
        ("{\"status\":\"\"}", statuses),
        ("{\"status\":\"Approved\"}", statuses),
        ("{\"status\":\"Denied\"}", statuses),
        ("{\"status\":\"Failed\"}", statuses),
        ("{\"status\":\"Cancelled\"}", statuses),
        ("{\"status\":\"9\"}", statuses),
        ("{\"status\":9}", statuses),
        ("{\"status\":8.5}", statuses),
        ("{\"status\":\"8.0\"}", statuses),
        ("{\"status\":true}", statuses),
        ("{\"status\":[\"Completed\"]}", statuses),
        ("{\"state\":\"Completed\"}", statuses),
        ("[]", object),
        ("\"Completed\"", object),
        ("null", object),
        ("", "The request body is not JSON: a value is missing at line 1, column 1"),
    ] {
        for id in [id.as_str(), UNKNOWN] {
            let answer = facade.put(id, &[], body).await;
            assert_eq!((answer.status, answer.message().as_str()), (StatusCode::BAD_REQUEST, expected), "{body}");
        }
    }
    let answer = facade.put(&id, &[("if-match", "\"v1\", \"v2\""), ("idempotency-key", "two words")], "{}").await;
    let keys = "Idempotency-Key must be 1 to 128 visible ASCII characters";
    let tags = "If-Match must hold one entity tag, or *";
    assert_eq!(answer.message(), format!("{keys}; {tags}; {statuses}"));
}

#[tokio::test]
async fn a_change_of_an_unknown_request_is_no_content() {
    let facade = Facade::start().await;
    for headers in [&[][..], &[("if-match", "\"v1\"")]] {
        let answer = facade.put(UNKNOWN, headers, "{\"status\":\"Canceled\"}").await;
        assert_eq!((answer.status, answer.body()), (StatusCode::NO_CONTENT, ""));
        assert_eq!(answer.header("content-type"), None);
    }
}

#[tokio::test]
async fn a_change_that_the_status_does_not_allow_is_a_conflict() {
    let facade = Facade::start().await;
    let id = facade.pending().await;
    for (status, step) in [("Completed", "complete"), ("Abandoned", "abandon")] {
        let answer = facade.put(&id, &[], format!("{{\"status\":\"{status}\"}}")).await;
        let expected = format!("Cannot {step} a request that is pending");
        assert_eq!((answer.status, answer.message()), (StatusCode::CONFLICT, expected));
    }
    assert_eq!(facade.put(&id, &[], "{\"status\":\"Canceled\"}").await.status, StatusCode::OK);
    let answer = facade.put(&id, &[], "{\"status\":\"Completed\"}").await;
    let expected = "Cannot complete a request that is canceled".to_owned();
    assert_eq!((answer.status, answer.message()), (StatusCode::CONFLICT, expected));
}

#[tokio::test]
async fn a_change_that_is_repeated_is_answered_as_before() {
    let facade = Facade::start().await;
    for status in ["Completed", "Canceled", "Abandoned"] {
        let id = facade.enrolled().await;
        let body = format!("{{\"status\":\"{status}\"}}");
        let first = facade.put(&id, &[], body.clone()).await;
        assert_eq!((first.status, first.header("etag")), (StatusCode::OK, Some("\"v2\"")));
        for headers in [&[][..], &[("if-match", "\"v1\"")], &[("if-match", "\"v2\"")], &[("idempotency-key", "k")]] {
            let again = facade.put(&id, headers, body.clone()).await;
            assert_eq!(again.status, StatusCode::OK, "{headers:?}: {:?}", again.body);
            assert_eq!((again.body(), again.header("etag")), (first.body(), first.header("etag")), "{headers:?}");
        }
        let answer = facade.put(&id, &[("if-match", "\"v3\"")], body).await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{:?}", answer.body);
    }
}

/// The originator and the target may both cancel, but neither can repeat the other's change.
#[tokio::test]
async fn a_change_that_somebody_else_made_is_a_conflict() {
    let facade = Facade::start().await;
    let id = facade.created(include_str!("golden/create-3.json")).await;
    let cancel = |who: &str| {
        let mut call = super::call();
        call.caller = Arc::new(Caller { user: who.parse().unwrap(), ..super::caller() });
        let request = Request::put(format!("{REQUESTS}/{id}")).extension(call);
        facade.send_as_is(request.body("{\"status\":\"Canceled\"}".into()).unwrap())
    };
    let target = "97cc3493-f556-4c9b-9d8b-982434201527";
    for (who, status) in [(target, StatusCode::OK), (target, StatusCode::OK), (USER, StatusCode::CONFLICT)] {
        let answer = cancel(who).await;
        assert_eq!(answer.status, status, "{who}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn a_change_that_the_caller_may_not_make_is_forbidden() {
    let facade = Facade::start().await;
    let for_another = include_str!("golden/create-3.json");
    let id = facade.created(for_another).await;
    let answer = facade.put(&id, &[], "{\"status\":\"Completed\"}").await;
    let expected = "Only the target may complete this request".to_owned();
    assert_eq!((answer.status, answer.message()), (StatusCode::FORBIDDEN, expected));
    assert!(!for_another.contains(USER));
}

#[tokio::test]
async fn a_change_requires_the_version_in_if_match() {
    let facade = Facade::start().await;
    for tag in ["\"v2\"", "\"v10\""] {
        let id = facade.enrolled().await;
        let answer = facade.put(&id, &[("if-match", tag)], "{\"status\":\"Canceled\"}").await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{tag}: {:?}", answer.body);
        assert!(answer.message().starts_with("The request has changed: its version is 1, not "), "{tag}");
    }
    for tag in ["\"v1\"", "v1", "*"] {
        let id = facade.enrolled().await;
        let answer = facade.put(&id, &[("if-match", tag)], "{\"status\":\"Canceled\"}").await;
        assert_eq!(answer.status, StatusCode::OK, "{tag}: {:?}", answer.body);
    }
}
