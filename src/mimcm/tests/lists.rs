//! Lists: filters, order, and streaming of long lists.

use std::sync::Arc;

use axum::body::Body;
use futures::StreamExt;
use http::{Request as HttpRequest, StatusCode};
use tower::ServiceExt;

use super::memory::Memory;

use super::super::view::{View, write_part};
use super::super::write::write_json;
use super::{Facade, REQUESTS, USER, call, policy, user};
use crate::domain::{
    Comment, CredentialIds, DataItem, Medium, Priority, Request, RequestId, RequestType, State, TemplateRef, Timestamp,
    UserId, Version,
};
use crate::service::{Budget, Call};

fn request(number: u32) -> Request {
    // Three requests share each time, so that the order by id matters at page boundaries.
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
        old: CredentialIds::NONE,
        new: CredentialIds::NONE,
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
async fn lists_of_every_length_are_complete_and_in_order() {
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
async fn a_list_that_fails_midway_is_aborted() {
    let memory = Memory { pages_left: Some(2.into()), ..Memory::with((0..1203).map(request).collect()) };
    let answer = Facade::over(memory).await.get(REQUESTS).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_err());
}

/// A request whose items have 48 kB, which are 288 kB when escaped as JSON.
fn large(number: u32) -> Request {
    let item = |name: u32| DataItem::parse("", name.to_string(), Some("\u{1}".repeat(16_000))).unwrap();
    Request { data_items: (0..3).map(item).collect(), ..request(number) }
}

/// A call that lists all requests, charged to this memory budget.
fn list(budget: &Budget) -> HttpRequest<Body> {
    let mut request = HttpRequest::get(REQUESTS).body(Body::empty()).unwrap();
    request.extensions_mut().insert(Call { memory: budget.admit().unwrap(), ..call() });
    request
}

#[tokio::test]
async fn a_list_that_has_begun_is_not_aborted_for_lack_of_memory() {
    let facade = Facade::over(Memory::with((0..450).map(large).collect())).await;
    // Room for two and a half long lists.
    let budget = Budget::new(2 * 5 * (3 << 18));
    let mut begun = Vec::new();
    for _ in 0..2 {
        let response = facade.api.clone().oneshot(list(&budget)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        begun.push(response.into_body().into_data_stream());
    }
    let refused = facade.send_as_is(list(&budget)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);

    // Other calls use more than the rest.
    let other = budget.admit().unwrap();
    other.hold_anyway(64 << 20);
    for mut body in begun {
        let (mut shown, mut last) = (0, Vec::new());
        while let Some(piece) = body.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() < 200_000, "{} bytes in one piece", piece.len());
            last.extend_from_slice(&piece);
            shown += String::from_utf8_lossy(&last).matches("\"SecurityDescriptor\":").count();
            last = last.split_off(last.len().saturating_sub(20));
        }
        assert_eq!((shown, last.last()), (450, Some(&b']')));
    }
    drop(other);
    let answer = facade.send_as_is(list(&budget)).await;
    assert_eq!(ids(answer.body()).len(), 450);
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
async fn invalid_filters_are_named() {
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

/// A request written in parts of about `max` bytes, and the number of parts.
fn in_parts(request: &Request, max: usize) -> (Vec<u8>, usize) {
    let (mut whole, mut parts, mut from) = (Vec::new(), 0, Some(0));
    while let Some(part) = from {
        let mut out = Vec::new();
        from = write_part(&mut out, request, 2, part, max);
        whole.extend(out);
        parts += 1;
    }
    (whole, parts)
}

#[test]
fn the_parts_of_a_request_join_to_the_whole() {
    let mut request = request(0);
    for items in [0, 1, 2, 7] {
        let item =
            |number| DataItem::parse("", format!("\"DataCollection\":[{number}"), Some("\u{1}".repeat(50))).unwrap();
        request.data_items = (0..items).map(item).collect();
        let mut whole = Vec::new();
        write_json(&mut whole, &View::of(&request, 2));
        for max in [0, 1, 400, 1_000, 100_000] {
            let (joined, parts) = in_parts(&request, max);
            assert_eq!(String::from_utf8_lossy(&joined), String::from_utf8_lossy(&whole), "{items} items, {max} bytes");
            if max == 0 {
                assert_eq!(parts, items.max(1));
            }
        }
    }
}
