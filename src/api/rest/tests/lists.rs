//! Lists: their filters, their order, and what happens when they are long.

use std::sync::Arc;

use http::StatusCode;

use super::memory::Memory;
use super::{Facade, REQUESTS, USER, policy, user};
use crate::domain::{
    Comment, Credential, Medium, Priority, Request, RequestId, RequestType, State, TemplateRef, Timestamp, UserId,
    Version,
};

fn request(number: u32) -> Request {
    // Three share each time, so that the order by id matters at the seams of pages.
    let submitted_at = Timestamp::from_micros(i64::from(number / 3)).unwrap();
    let is_pending = number.is_multiple_of(2);
    Request {
        id: RequestId::new(uuid::Uuid::from_u128(u128::from(number) + 1)),
        kind: RequestType::Enroll,
        originator: user(),
        target: if is_pending { user() } else { UserId::new(uuid::Uuid::from_u128(9)) },
        template: TemplateRef { id: super::CARD_TEMPLATE.parse().unwrap(), version: 1 },
        medium: Medium::Smartcard,
        policy: Arc::new(policy()),
        priority: Priority(0),
        comment: Comment::default(),
        data_items: Vec::new(),
        old: Credential::NONE,
        new: Credential::NONE,
        descriptor: String::new(),
        approvals: Vec::new(),
        state: if is_pending { State::Pending } else { State::Approved },
        submitted_at,
        changed_at: submitted_at,
        version: Version::FIRST,
    }
}

fn ids(body: &str) -> Vec<RequestId> {
    let list: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
    list.iter().map(|request| request["Uuid"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn lists_of_every_length_are_whole_and_in_order() {
    for length in [1, 499, 500, 501, 1000, 1203] {
        let in_order: Vec<Request> = (0..length).map(request).collect();
        let expected: Vec<RequestId> = in_order.iter().map(|request| request.id).collect();
        let facade = Facade::over(Memory::with(in_order.into_iter().rev().collect())).await;
        let answer = facade.get(REQUESTS).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(ids(answer.body()), expected);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_to_its_end_is_broken_off() {
    let memory = Memory { pages_left: Some(2.into()), ..Memory::with((0..1203).map(request).collect()) };
    let answer = Facade::over(memory).await.get(REQUESTS).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_err());
}

#[tokio::test]
async fn filters_are_read_in_any_case() {
    let facade = Facade::over(Memory::with((0..4).map(request).collect())).await;
    let pending = vec![request(0).id, request(2).id];
    let all: Vec<RequestId> = (0..4).map(|number| request(number).id).collect();
    let table = [
        ("", Some(&all)),
        ("?", Some(&all)),
        ("?status=&targetuser=", Some(&all)),
        ("?colour=red", Some(&all)),
        ("?status=Pending", Some(&pending)),
        ("?STATUS=pEnDiNg", Some(&pending)),
        ("?status=%50ending+", Some(&pending)),
        ("?status=16", Some(&pending)),
        ("?targetuser=current", Some(&pending)),
        ("/?TargetUser=CURRENT&status=pending", Some(&pending)),
        ("?targetuser=current&status=approved", None),
        ("?status=Completed", None),
        ("?status=None", None),
        ("?status=none&targetuser=current", None),
    ];
    for (query, expected) in table {
        let answer = facade.get(&format!("{REQUESTS}{query}")).await;
        match expected {
            Some(expected) => assert_eq!(&ids(answer.body()), expected, "{query}"),
            None => assert_eq!((answer.status, answer.body()), (StatusCode::NO_CONTENT, ""), "{query}"),
        }
    }
}

#[tokio::test]
async fn filters_that_cannot_be_met_are_named() {
    let facade = Facade::start().await;
    let status = "status must be one of Approved, Canceled, Completed, Denied, Executing, Failed, None, Pending";
    let target = "targetuser must be current, the only value that is offered";
    let table = [
        ("?status=Cancelled", status.to_owned()),
        ("?status=1", status.to_owned()),
        ("?status=%FF", status.to_owned()),
        (&format!("?targetuser={USER}"), target.to_owned()),
        ("?targetuser=me&status=all", format!("{status}; {target}")),
        ("?status=None&targetuser=me", target.to_owned()),
        ("?status=pending&Status=denied", "status must be given once".to_owned()),
    ];
    for (query, expected) in table {
        let answer = facade.get(&format!("{REQUESTS}{query}")).await;
        assert_eq!((answer.status, answer.message()), (StatusCode::BAD_REQUEST, expected), "{query}");
    }
}
