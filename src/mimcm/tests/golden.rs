//! The documented examples, byte for byte: `golden/` holds their text as published.

use std::sync::Arc;

use http::StatusCode;

use super::memory::{CARD, Memory, PROFILE};
use super::{CARD_TEMPLATE, Facade, REQUESTS, USER, policy, user};
use crate::cli::Settings;
use crate::domain::{
    Comment, CredentialIds, DataItem, Draft, Medium, Priority, Request, RequestType, State, TemplateRef, Timestamp,
    UserName, Version,
};
use crate::mimcm::{FacadeSettings, body, json};
use crate::service::Violations;

fn draft(body: &str) -> Draft {
    body::draft(&json::read(body).unwrap(), Violations::default()).unwrap()
}

/// The first documented draft.
pub(super) fn enroll() -> Draft {
    Draft {
        kind: RequestType::Enroll,
        template: CARD_TEMPLATE.parse().ok(),
        target: None,
        old: CredentialIds::NONE,
        data_items: Vec::new(),
        comment: Comment::default(),
        priority: None,
    }
}

#[test]
fn the_first_example_enrolls() {
    assert_eq!(draft(include_str!("golden/create-1.json")), enroll());
}

#[test]
fn the_second_example_unblocks_a_card_without_naming_a_template() {
    let old = CredentialIds { profile: None, smartcard: CARD.parse().ok() };
    let expected = Draft { kind: RequestType::Unblock, template: None, old, ..enroll() };
    assert_eq!(draft(include_str!("golden/create-2.json")), expected);
}

#[test]
fn the_third_example_enrolls_for_another_user() {
    let item = |name, value: &str| DataItem::parse("", name, Some(value.to_owned())).unwrap();
    let expected = Draft {
        template: "97cd65fa-af4b-4587-9309-0dd6bfd8b4e1".parse().ok(),
        target: "97cc3493-f556-4c9b-9d8b-982434201527".parse().ok().map(UserName::Id),
        data_items: vec![item("name", "pavle"), item("city", "seattle")],
        comment: Comment::parse("", "LALALALA").unwrap(),
        priority: Some(Priority(4)),
        ..enroll()
    };
    assert_eq!(draft(include_str!("golden/create-3.json")), expected);
}

#[tokio::test]
async fn a_created_request_is_answered_with_its_address_and_can_be_read() {
    let facade = Facade::start().await;
    for body in [
        include_str!("golden/create-1.json"),
        include_str!("golden/create-2.json"),
        include_str!("golden/create-3.json"),
    ] {
        let answer = facade.post(body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        let id = facade.store.requests.lock().unwrap().last().unwrap().id;
        assert_eq!(answer.body(), format!("\"api/v1.0/requests/{id}\""));
        let location = format!("/CertificateManagement/api/v1.0/requests/{id}");
        assert_eq!(answer.header("location"), Some(location.as_str()));
        assert_eq!(facade.get(&location).await.status, StatusCode::OK);
    }
}

/// The documented text without white space outside strings.
pub(super) fn compact(documented: &str) -> String {
    let mut compact = String::new();
    let mut is_quoted = false;
    for c in documented.chars() {
        is_quoted ^= c == '"';
        if is_quoted || !c.is_whitespace() {
            compact.push(c);
        }
    }
    compact
}

fn descriptor(documented: &str) -> String {
    let documented: serde_json::Value = serde_json::from_str(documented).unwrap();
    documented["SecurityDescriptor"].as_str().unwrap().trim_end_matches('\0').to_owned()
}

/// A request with the values that both documented answers share.
fn request(id: &str, documented: &str) -> Request {
    let submitted_at = Timestamp::from_micros(1_436_312_181_930_000).unwrap();
    Request {
        id: id.parse().unwrap(),
        kind: RequestType::Enroll,
        originator: user(),
        target: user(),
        template: TemplateRef { id: CARD_TEMPLATE.parse().unwrap(), version: 1 },
        medium: Medium::Smartcard,
        policy: Arc::new(policy()),
        priority: Priority(0),
        comment: Comment::default(),
        data_items: Vec::new(),
        old: CredentialIds::NONE,
        new: CredentialIds::NONE,
        descriptor: descriptor(documented),
        approvals: Vec::new(),
        state: State::Approved,
        submitted_at,
        changed_at: submitted_at,
        version: Version::new(3),
    }
}

#[tokio::test]
async fn the_documented_answers_are_given_byte_for_byte() {
    let enrolled = include_str!("golden/get-1.json");
    let unblocked = include_str!("golden/get-2.json");
    let card = CredentialIds { profile: PROFILE.parse().ok(), smartcard: CARD.parse().ok() };
    let requests = vec![
        request("a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099", enrolled),
        Request {
            kind: RequestType::Unblock,
            data_items: vec![DataItem::open("Sample Data Item")],
            old: card,
            new: card,
            submitted_at: Timestamp::from_micros(1_436_312_433_133_000).unwrap(),
            ..request("0c96d73f-967b-420e-854a-43ad2a1504bc", unblocked)
        },
    ];
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    for (id, documented, nuls) in [(ids[0], enrolled, 9), (ids[1], unblocked, 6)] {
        let settings = FacadeSettings { descriptor_nul_tail: nuls, ..Settings::default().api.rest };
        let facade = Facade::with(Memory::with(requests.clone()), settings).await;
        let answer = facade.get(&format!("/certificatemanagement/api/v1.0/requests/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("etag"), Some("\"v3\""));
        assert_eq!(answer.body(), compact(documented));
        assert!(answer.body().contains(USER));
        assert!(facade.get(REQUESTS).await.body().contains(&compact(documented)));
    }
    let without_nuls = |documented| compact(documented).replace("\\u0000", "");
    let list = Facade::over(Memory::with(requests)).await.get(REQUESTS).await;
    assert_eq!(list.body(), format!("[{},{}]", without_nuls(enrolled), without_nuls(unblocked)));
}
