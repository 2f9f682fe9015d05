//! Smart cards: binding, reading and status changes, as in the documented examples.

use axum::body::Body;
use http::{Request, StatusCode};

use super::changes::UNKNOWN;
use super::golden::compact;
use super::memory::{CARD, Memory, held};
use super::{Answer, Facade, REQUESTS, SOFTWARE_TEMPLATE, template};
use crate::domain::{Atr, CredentialStatus, Item, Medium, PhysicalCard, RequestType, SerialNumber};

const API: &str = "/CertificateManagement/api/v1.0";
const BIND: &str = include_str!("golden/bind-1.json");
const DOCUMENTED_REQUEST: &str = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

impl Facade {
    async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(format!("{API}{path}"));
        self.send(request.header("content-type", "application/json").body(body.into()).unwrap()).await
    }

    /// Binds the documented card to a request and returns its id.
    async fn bound(&self, request: &str) -> String {
        let answer = self.call("POST", "/smartcards", BIND.replace(DOCUMENTED_REQUEST, request)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        let uri: String = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(answer.header("location"), Some(format!("/CertificateManagement/{uri}").as_str()));
        uri.strip_prefix("api/v1.0/smartcards/").unwrap().to_owned()
    }

    async fn enrolled_for_a_card(&self) -> String {
        self.created(include_str!("golden/create-1.json")).await
    }
}

/// A store with one card as in the documented examples.
fn documented_card(id: &str, serial_number: &str, status: CredentialStatus) -> Memory {
    let card = PhysicalCard {
        serial_number: SerialNumber::parse("", serial_number).unwrap(),
        atr: Atr::parse("", "3b8d0180fba000000397425446590301c8").unwrap(),
    };
    let item = Item::Smartcard { id: id.parse().unwrap(), profile: None, card: Some(card) };
    let memory = Memory::default();
    *memory.credentials.lock().unwrap() = vec![held(item, status)];
    memory
}

#[tokio::test]
async fn the_documented_cards_are_shown_byte_for_byte() {
    let first = documented_card(
        "438d1b30-f3b4-4bed-85fa-285e08605ba7",
        "D1EF6869-5517-42A0-8F05-16CA1A0B834D",
        CredentialStatus::Active,
    );
    let second = documented_card(CARD, "{bc88f13f-83ba-4037-8262-46eba1291c6e}", CredentialStatus::Assigned);
    for (memory, path, documented) in [
        (first, "/smartcards?cardid=d1ef6869-5517-42a0-8f05-16ca1a0b834d", include_str!("golden/smartcard-1.json")),
        (second, "/smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9", include_str!("golden/smartcard-2.json")),
    ] {
        let facade = Facade::over(memory).await;
        let answer = facade.call("GET", path, Body::empty()).await;
        assert_eq!((answer.status, answer.body()), (StatusCode::OK, compact(documented).as_str()), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        let list = facade.call("GET", "/smartcards", Body::empty()).await;
        assert_eq!(list.body(), format!("[{}]", compact(documented)));
    }
}

/// In the documents, a card has status 2 when bound to a request and 6 when retired.
#[tokio::test]
async fn a_card_is_bound_and_retired_as_documented() {
    let facade = Facade::start().await;
    let request = facade.enrolled_for_a_card().await;
    let card = facade.bound(&request).await;
    // The documented template has version 46; the one of the test has version 1.
    let shown = |documented: &str| compact(documented).replace(CARD, &card).replace(":46,", ":1,");

    for path in [format!("/smartcards/{card}"), format!("/requests/{request}/smartcards/{card}")] {
        let answer = facade.call("GET", &path, Body::empty()).await;
        assert_eq!(answer.body(), shown(include_str!("golden/smartcard-2.json")), "{path}");
    }
    let read = facade.get(&format!("{REQUESTS}/{request}")).await;
    assert!(read.body().contains(&format!("\"NewSmartcardUuid\":\"{card}\"")), "{}", read.body());

    let path = format!("/requests/{request}/smartcards/{card}");
    for _ in 0..2 {
        let answer = facade.call("PUT", &path, "{\"status\":\"Retired\"}").await;
        assert_eq!(
            (answer.status, answer.body()),
            (StatusCode::OK, shown(include_str!("golden/retired-1.json")).as_str())
        );
    }
}

#[tokio::test]
async fn a_bound_card_stays_when_its_request_is_completed() {
    let facade = Facade::start().await;
    let request = facade.enrolled_for_a_card().await;
    let card = facade.bound(&request).await;
    assert_eq!(facade.bound(&request).await, card, "binding the same card again");
    let completed = facade.put(&request, &[], "{\"status\":\"Completed\"}").await;
    assert!(completed.body().contains(&format!("\"NewSmartcardUuid\":\"{card}\"")), "{}", completed.body());
    let answer = facade.call("GET", &format!("/smartcards/{card}"), Body::empty()).await;
    assert!(answer.body().contains("\"Status\":3,"), "{}", answer.body());
}

#[tokio::test]
async fn a_card_that_cannot_be_bound_is_refused() {
    let facade = Facade::start().await;
    let request = facade.enrolled_for_a_card().await;
    facade.bound(&request).await;
    let body =
        |request: &str, card: &str| format!("{{\"requestid\":\"{request}\",\"cardid\":\"{card}\",\"atr\":\"\"}}");
    let other = facade.enrolled_for_a_card().await;
    let software =
        facade.created(&format!("{{\"type\":\"Enroll\",\"profiletemplateuuid\":\"{SOFTWARE_TEMPLATE}\"}}")).await;
    let canceled = facade.enrolled_for_a_card().await;
    facade.put(&canceled, &[], "{\"status\":\"Canceled\"}").await;
    for (body, status, begins) in [
        (body(&request, "other"), 409, "Another smart card is bound to this request: "),
        (body(&other, "bc88f13f-83ba-4037-8262-46eba1291c6e"), 409, "cardid: smart card bc88f13f-"),
        (body(&canceled, "other"), 409, "Cannot bind a smart card to a request that is canceled"),
        (body(&software, "other"), 400, "requestid names a request for a software profile"),
        (body("me", "two words"), 400, "requestid must be a GUID; cardid must be 1 to 128 visible ASCII characters"),
        (body("", "1"), 400, "requestid must be a GUID"),
        ("{}".to_owned(), 400, "requestid must be a GUID; cardid must be 1 to 128"),
        ("[]".to_owned(), 400, "The request body must be a JSON object"),
    ] {
        let answer = facade.call("POST", "/smartcards", body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {:?}", answer.body);
        assert!(answer.message().starts_with(begins), "{body}: {}", answer.message());
    }
    let for_another = facade.created(include_str!("golden/create-3.json")).await;
    let answer = facade.call("POST", "/smartcards", body(&for_another, "other")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", answer.body);
    let answer = facade.call("POST", "/smartcards", body(UNKNOWN, "other")).await;
    assert_eq!((answer.status, answer.body()), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn only_allowed_status_changes_of_a_card_are_accepted() {
    let facade = Facade::start().await;
    let request = facade.enrolled_for_a_card().await;
    let card = facade.bound(&request).await;
    let path = format!("/requests/{request}/smartcards/{card}");
    for status in ["", "None", "New", "Assigned", "Retire", "2", "4", "5", "7"] {
        let answer = facade.call("PUT", &path, format!("{{\"status\":\"{status}\"}}")).await;
        let expected = "status must be one of Active, Disabled, Suspended, Retired".to_owned();
        assert_eq!((answer.status, answer.message()), (StatusCode::BAD_REQUEST, expected), "{status}");
    }
    for (status, code, shows) in [
        ("Suspended", 409, "A smart card cannot change from assigned to suspended"),
        ("ACTIVE", 200, "\"Status\":3,"),
        ("suspended", 200, "\"Status\":5,"),
        ("Disabled", 200, "\"Status\":4,"),
        ("Active", 409, "A smart card cannot change from disabled to active"),
        ("6", 200, "\"Status\":6,"),
        ("3", 409, "A smart card cannot change from retired to active"),
    ] {
        let status = if status.parse::<u8>().is_ok() { status.to_owned() } else { format!("\"{status}\"") };
        let answer = facade.call("PUT", &path, format!("{{\"status\":{status}}}")).await;
        assert_eq!(answer.status.as_u16(), code, "{status}: {:?}", answer.body);
        assert!(answer.body().contains(shows), "{status}: {}", answer.body());
    }
    for path in [format!("/requests/{request}/smartcards/{UNKNOWN}"), format!("/requests/{UNKNOWN}/smartcards/{card}")]
    {
        let answer = facade.call("PUT", &path, "{\"status\":\"Retired\"}").await;
        assert_eq!((answer.status, answer.body()), (StatusCode::NO_CONTENT, ""), "{path}");
    }
}

#[tokio::test]
async fn unknown_credentials_are_no_content() {
    let facade = Facade::start().await;
    let request = facade.enrolled_for_a_card().await;
    for path in [
        format!("/smartcards/{UNKNOWN}"),
        "/smartcards?cardid=nothing".to_owned(),
        format!("/smartcards/{UNKNOWN}/operations"),
        format!("/requests/{request}/smartcards/{CARD}"),
        format!("/requests/{UNKNOWN}/smartcards/{CARD}"),
        format!("/requests/{request}/profiles"),
        format!("/requests/{UNKNOWN}/profiles"),
        format!("/profiles/{UNKNOWN}"),
        format!("/profiles/{CARD}"),
        format!("/profiles/{UNKNOWN}/operations"),
        "/profiles?status=Pending".to_owned(),
    ] {
        let answer = facade.call("GET", &path, Body::empty()).await;
        assert_eq!((answer.status, answer.body()), (StatusCode::NO_CONTENT, ""), "{path}");
    }
}

#[tokio::test]
async fn the_operations_of_a_card_are_those_that_its_owner_may_request() {
    let kinds = [RequestType::Retire, RequestType::Unblock, RequestType::Renew, RequestType::Enroll];
    let facade = Facade::offering(vec![template(super::CARD_TEMPLATE, Medium::Smartcard, &kinds)]).await;
    let path = format!("/smartcards/{CARD}/operations");
    let answer = facade.call("GET", &path, Body::empty()).await;
    assert_eq!(answer.body(), compact(include_str!("golden/operations-1.json")));

    let set_status = |status| {
        let mut credentials = facade.store.credentials.lock().unwrap();
        credentials.iter_mut().for_each(|credential| credential.status = status);
    };
    set_status(CredentialStatus::Suspended);
    assert_eq!(facade.call("GET", &path, Body::empty()).await.body(), "[\"retire\"]");
    set_status(CredentialStatus::Retired);
    assert_eq!(facade.call("GET", &path, Body::empty()).await.status, StatusCode::NO_CONTENT);
}
