//! Error answers.

use axum::body::Body;
use http::{Request, StatusCode};

use super::memory::Memory;
use super::{Facade, REQUESTS, SOFTWARE_TEMPLATE};
use crate::domain::ErrorKind;
use crate::mimcm::{error, refusal};

const UNKNOWN: &str = "/CertificateManagement/api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

#[tokio::test]
async fn an_unknown_path_gets_the_message_of_the_framework() {
    let facade = Facade::start().await;
    let path = "/CertificateManagement/api/v1.0/requests/not-a-guid?a=%22";
    let request = Request::get(path).header("host", "api.contoso.com").body(Body::empty()).unwrap();
    let answer = facade.send(request).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let uri = format!("http://api.contoso.com{path}");
    assert_eq!(answer.message(), format!("No HTTP resource was found that matches the request URI '{uri}'."));
    assert_eq!(facade.get("/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_method_is_refused_with_the_allowed_ones() {
    let facade = Facade::start().await;
    for (path, allowed) in [(REQUESTS, "GET, POST"), (UNKNOWN, "GET, PUT")] {
        let other = if path == REQUESTS { "PUT" } else { "POST" };
        for method in [other, "DELETE", "OPTIONS", "PATCH", "get"] {
            let answer = facade.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.header("allow"), Some(allowed));
            assert_eq!(answer.message(), format!("The requested resource does not support http method '{method}'."));
        }
    }
}

#[tokio::test]
async fn head_is_not_supported() {
    let answer = Facade::start().await.send(Request::head(UNKNOWN).body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.body()), (StatusCode::METHOD_NOT_ALLOWED, ""));
}

#[tokio::test]
async fn an_unauthenticated_caller_gets_401_for_every_path() {
    let facade = Facade::start().await;
    for path in [REQUESTS, UNKNOWN, "/"] {
        let answer = facade.send_as_is(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"cmgate\""));
        assert_eq!(answer.body(), "{\"Message\":\"Authorization has been denied for this request\"}");
    }
}

#[tokio::test]
async fn an_unknown_request_is_no_content() {
    let answer = Facade::start().await.get(UNKNOWN).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!((answer.body(), answer.header("content-type")), ("", None));
}

#[tokio::test]
async fn a_body_that_is_not_json_or_too_long_is_refused() {
    let facade = Facade::start().await;
    let form = Request::post(REQUESTS).header("content-type", "application/x-www-form-urlencoded");
    let answer = facade.send(form.body("{}".into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let media_type = "application/x-www-form-urlencoded";
    let expected = format!("The request entity's media type '{media_type}' is not supported for this resource");
    assert_eq!(answer.message(), expected);

    let long = " ".repeat((1 << 20) + 1);
    let streamed = futures::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(" ".repeat(1 << 19))));
    for body in [Body::from(long), Body::from_stream(streamed)] {
        let answer = facade.post(body).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.message(), "The request body has more than 1048576 bytes");
    }
    let torn = futures::stream::iter([Ok(" "), Err(std::io::Error::other("torn"))]);
    let answer = facade.post(Body::from_stream(torn)).await;
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (StatusCode::BAD_REQUEST, "The request body ended before it was complete")
    );

    let answer = facade.post(Body::empty()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.message(), "The request body is not JSON: a value is missing at line 1, column 1");
}

#[tokio::test]
async fn refusals_use_legacy_names() {
    let facade = Facade::start().await;
    let template = format!("\"profiletemplateuuid\":\"{SOFTWARE_TEMPLATE}\"");
    let card = "\"smartcard\":\"00000000-0000-0000-0000-000000000001\"";
    let table = [
        (
            "{\"type\":\"Enroll\"}".to_owned(),
            StatusCode::BAD_REQUEST,
            "profiletemplateuuid must be given, or a known profile or smart card",
        ),
        (
            format!("{{\"type\":\"Unblock\",{card}}}"),
            StatusCode::BAD_REQUEST,
            "smartcard: smart card 00000000-0000-0000-0000-000000000001 is not known",
        ),
        (
            format!("{{\"type\":\"Enroll\",{template},{card}}}"),
            StatusCode::BAD_REQUEST,
            "smartcard or profile must be absent in a request of type enroll",
        ),
        (
            format!("{{\"type\":\"Enroll\",{template},\"datacollection\":[{{\"a\":1}},{{\"A\":2}}]}}"),
            StatusCode::BAD_REQUEST,
            "datacollection[1].name \"A\" is given twice",
        ),
        (
            format!("{{\"type\":\"Enroll\",{template},\"datacollection\":[{{\"a\":1}},{{\"FLOOR\":\"third\"}}]}}"),
            StatusCode::BAD_REQUEST,
            "datacollection[1].value of the item \"Floor\" must be a whole number",
        ),
        (
            format!("{{\"type\":\"Unblock\",{template},{card}}}"),
            StatusCode::FORBIDDEN,
            "A request of type unblock needs a smart-card template; \"Sample\" issues software profiles",
        ),
    ];
    for (body, status, expected) in table {
        let answer = facade.post(body).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, expected));
    }
    assert!(facade.store.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_reported_with_other_violations() {
    let facade = Facade::start().await;
    let request = Request::post(REQUESTS).header("idempotency-key", "two words");
    let answer = facade.send(request.body("{\"type\":\"Enroll\",\"target\":1}".into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let expected = "Idempotency-Key must be 1 to 128 visible ASCII characters; target must be a GUID";
    assert_eq!(answer.message(), expected);

    let request = Request::post(REQUESTS).header("idempotency-key", "a").header("idempotency-key", "b");
    let answer = facade.send(request.body("{\"type\":\"Enroll\"}".into()).unwrap()).await;
    assert_eq!(answer.message(), "Idempotency-Key must be given once");
}

#[tokio::test]
async fn an_unavailable_database_is_reported_without_details() {
    let memory = Memory { pages_left: Some(0.into()), ..Memory::default() };
    let answer = Facade::over(memory).await.get(REQUESTS).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("1")));
    assert_eq!(answer.message(), "The database is not available; nothing has changed, try again");
}

#[tokio::test]
async fn an_error_ends_with_the_correlation_id() {
    let answer = refusal(ErrorKind::DeadlineExceeded, "the deadline passed.", &super::call().correlation);
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let id = super::CORRELATION;
    let message = format!("The deadline passed. The correlation id of this call is {id}.");
    assert_eq!(body, format!("{{\"Message\":\"{message}\",\"CorrelationId\":\"{id}\"}}"));
}

#[test]
fn fields_have_their_legacy_names() {
    for (field, expected) in [
        ("profile_template", "profiletemplateuuid"),
        ("old_credential", "smartcard or profile"),
        ("old_credential.smartcard", "smartcard"),
        ("old_credential.profile", "profile"),
        ("data_items", "datacollection"),
        ("data_items[7].value", "datacollection[7].value"),
        ("priority", "priority"),
        ("profile_templates", "profile_templates"),
    ] {
        assert_eq!(error::legacy_name(field), expected);
    }
}
