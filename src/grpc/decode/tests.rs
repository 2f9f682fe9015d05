//! Every wrong field of every message is named, and no message makes decoding panic.

use proptest::prelude::{Strategy, any};
use proptest::{collection, option, prop_assert, proptest};
use prost::Message;
use prost_types::Timestamp as ProtoTimestamp;
use uuid::Uuid;

use super::{abandon, approve, cancel, complete, creation, deny, fail, id, list, members, start};
use crate::contract::v1;
use crate::domain::{
    Action, Comment, DataItem, PAGE_SIZE_MAX, Priority, Refusal, RequestType, Sid, Status, Upn, UserId, UserName,
    Version,
};

const ID: &str = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01";

fn user() -> UserId {
    UserId::new(Uuid::from_u128(1))
}

fn draft() -> v1::RequestDraft {
    v1::RequestDraft {
        r#type: v1::RequestType::Unblock.into(),
        profile_template: ID.to_owned(),
        target: ID.to_owned(),
        old_credential: Some(v1::CredentialIds { profile: String::new(), smartcard: ID.to_owned() }),
        data_items: vec![v1::DataItem { name: "Reason".to_owned(), value: None }],
        comment: "lost".to_owned(),
        priority: Some(255),
        ..v1::RequestDraft::default()
    }
}

fn create(draft: v1::RequestDraft) -> v1::CreateRequestRequest {
    v1::CreateRequestRequest { draft: Some(draft), idempotency_key: "key-1".to_owned() }
}

/// The paths of the fields that a refusal names.
fn fields<T: std::fmt::Debug>(decoded: Result<T, Refusal>) -> Vec<String> {
    decoded.unwrap_err().violations().into_iter().map(|violation| violation.field).collect()
}

#[test]
fn a_good_draft_is_read_in_full() {
    let creation = creation(user(), "", create(draft())).unwrap();
    let draft = creation.draft;
    assert_eq!(draft.kind, RequestType::Unblock);
    assert_eq!(draft.template.unwrap().to_string(), ID);
    assert_eq!(draft.target, Some(UserName::Id(ID.parse().unwrap())));
    assert_eq!((draft.old.profile, draft.old.smartcard.unwrap().to_string()), (None, ID.to_owned()));
    assert_eq!(draft.data_items, [DataItem::open("Reason")]);
    assert_eq!((draft.comment.as_str(), draft.priority), ("lost", Some(Priority(255))));
    let key = creation.key.unwrap();
    assert_eq!((key.user, key.as_str()), (user(), "key-1"));
}

#[test]
fn omitted_fields_of_a_draft_are_absent() {
    let bare = v1::RequestDraft { r#type: v1::RequestType::Enroll.into(), ..v1::RequestDraft::default() };
    let creation =
        creation(user(), "", v1::CreateRequestRequest { draft: Some(bare), idempotency_key: String::new() }).unwrap();
    assert_eq!((creation.draft.template, creation.draft.target, creation.draft.priority), (None, None, None));
    assert!(creation.draft.old.is_none() && creation.key.is_none());
}

#[test]
fn a_target_is_named_in_one_of_three_ways() {
    let named = |target: &str, sid: &str, upn: &str| {
        let names = (target.to_owned(), sid.to_owned(), upn.to_owned());
        let draft = v1::RequestDraft { target: names.0, target_sid: names.1, target_upn: names.2, ..draft() };
        creation(user(), "", create(draft)).map(|creation| creation.draft.target)
    };
    assert_eq!(named(ID, "", "").unwrap(), Some(UserName::Id(ID.parse().unwrap())));
    assert_eq!(named("", "s-1-5-32-544", "").unwrap(), Sid::parse("S-1-5-32-544").map(UserName::Sid));
    assert_eq!(named("", "", "Alice@Corp.test").unwrap(), Upn::parse("alice@corp.test").map(UserName::Upn));
    assert_eq!(named("", "", "").unwrap(), None);
    for (target, sid, upn) in [(ID, "S-1-1-0", ""), (ID, "", "a@b"), ("", "S-1-1-0", "a@b"), (ID, "S-1-1-0", "a@b")] {
        assert_eq!(fields(named(target, sid, upn)), ["draft.target"]);
    }
}

#[test]
fn every_bad_field_of_a_draft_is_named() {
    type Spoil = fn(&mut v1::RequestDraft);
    let cases: [(Spoil, &str); 17] = [
        (|draft| draft.r#type = 0, "draft.type"),
        (|draft| draft.r#type = 99, "draft.type"),
        (|draft| draft.profile_template = "x".to_owned(), "draft.profile_template"),
        (|draft| draft.profile_template = ID.replace('-', ""), "draft.profile_template"),
        (|draft| draft.profile_template = format!("{{{ID}}}"), "draft.profile_template"),
        (|draft| draft.target = "me".to_owned(), "draft.target"),
        (|draft| draft.target_sid = "S-1-1-0".to_owned(), "draft.target"),
        (|draft| (draft.target, draft.target_sid) = (String::new(), "S-1".to_owned()), "draft.target_sid"),
        (|draft| (draft.target, draft.target_upn) = (String::new(), "me".to_owned()), "draft.target_upn"),
        (|draft| draft.old_credential.as_mut().unwrap().profile = "x".to_owned(), "draft.old_credential.profile"),
        (|draft| draft.old_credential.as_mut().unwrap().smartcard = "x".to_owned(), "draft.old_credential.smartcard"),
        (|draft| draft.data_items[0].name.clear(), "draft.data_items[0].name"),
        (|draft| draft.data_items[0].value = Some("\0".to_owned()), "draft.data_items[0].value"),
        (|draft| draft.data_items = vec![v1::DataItem::default(); DataItem::MAX_ITEMS + 1], "draft.data_items"),
        (|draft| draft.comment = "x".repeat(Comment::MAX_CHARS + 1), "draft.comment"),
        (|draft| draft.priority = Some(256), "draft.priority"),
        (|draft| draft.priority = Some(u32::MAX), "draft.priority"),
    ];
    for (spoil, field) in cases {
        let mut draft = draft();
        spoil(&mut draft);
        assert_eq!(fields(creation(user(), "", create(draft))), [field]);
    }
}

#[test]
fn an_error_lists_all_invalid_fields() {
    let draft = v1::RequestDraft { r#type: 0, target: "x".to_owned(), priority: Some(300), ..draft() };
    let message = v1::CreateRequestRequest { draft: Some(draft), idempotency_key: "two words".to_owned() };
    let expected = ["draft.type", "draft.target", "draft.priority", "idempotency_key"];
    assert_eq!(fields(creation(user(), "", message.clone())), expected);
    let in_batch = expected.map(|field| format!("requests[3].{field}"));
    assert_eq!(fields(creation(user(), "requests[3].", message)), in_batch);
    assert_eq!(fields(creation(user(), "", v1::CreateRequestRequest::default())), ["draft"]);
}

#[test]
fn a_batch_has_1_to_100_members() {
    for (count, is_taken) in [(0, false), (1, true), (100, true), (101, false)] {
        let message = v1::BatchCreateRequestsRequest { requests: vec![create(draft()); count] };
        match members(message) {
            Ok(members) => assert!(is_taken && members.len() == count),
            Err(refusal) => assert!(!is_taken && fields::<()>(Err(refusal)) == ["requests"]),
        }
    }
}

#[test]
fn every_bad_field_of_a_step_is_named() {
    let (bad, long) = ("x".to_owned(), "x".repeat(Comment::MAX_CHARS + 1));
    let message = v1::ApproveRequestRequest {
        id: bad.clone(),
        comment: long.clone(),
        data_items: vec![v1::DataItem::default()],
        etag: bad.clone(),
        idempotency_key: "x".repeat(129),
    };
    assert_eq!(fields(approve(user(), message)), ["id", "data_items[0].name", "comment", "etag", "idempotency_key"]);
    let message = v1::CompleteRequestRequest {
        id: String::new(),
        new_credential: Some(v1::CredentialIds { profile: bad.clone(), smartcard: bad.clone() }),
        comment: "\0".to_owned(),
        etag: "v01".to_owned(),
        idempotency_key: "ä".to_owned(),
    };
    assert_eq!(
        fields(complete(user(), message)),
        ["id", "new_credential.profile", "new_credential.smartcard", "comment", "etag", "idempotency_key"]
    );
    let message = v1::FailRequestRequest { id: ID.to_owned(), ..v1::FailRequestRequest::default() };
    assert_eq!(fields(fail(user(), message)), ["comment"]);

    let all = ["id", "comment", "etag", "idempotency_key"];
    let (id, comment, etag, idempotency_key) = (bad.clone(), long, bad, " ".to_owned());
    let message = v1::DenyRequestRequest { id, comment, etag, idempotency_key };
    let v1::DenyRequestRequest { id, comment, etag, idempotency_key } = message.clone();
    assert_eq!(fields(deny(user(), message)), all);
    let message = v1::StartRequestRequest { id, comment, etag, idempotency_key };
    let v1::StartRequestRequest { id, comment, etag, idempotency_key } = message.clone();
    assert_eq!(fields(start(user(), message)), all);
    let message = v1::CancelRequestRequest { id, comment, etag, idempotency_key };
    let v1::CancelRequestRequest { id, comment, etag, idempotency_key } = message.clone();
    assert_eq!(fields(cancel(user(), message)), all);
    let message = v1::AbandonRequestRequest { id, comment, etag, idempotency_key };
    assert_eq!(fields(abandon(user(), message)), all);
}

#[test]
fn a_step_has_its_version_and_its_key() {
    let message = v1::DenyRequestRequest {
        id: ID.to_owned(),
        comment: "no".to_owned(),
        etag: "v7".to_owned(),
        idempotency_key: "k".to_owned(),
    };
    let step = deny(user(), message).unwrap();
    assert_eq!(step.id.to_string(), ID);
    assert_eq!(step.expected, Some(Version::new(7)));
    assert_eq!(step.key.unwrap().as_str(), "k");
    assert!(matches!(step.action, Action::Deny { comment } if comment.as_str() == "no"));
    let bare = v1::DenyRequestRequest { id: ID.to_owned(), ..v1::DenyRequestRequest::default() };
    let step = deny(user(), bare).unwrap();
    assert!(step.expected.is_none() && step.key.is_none());
}

#[test]
fn the_id_of_a_request_must_be_one() {
    assert_eq!(id(ID).unwrap().to_string(), ID);
    assert_eq!(fields(id("")), ["id"]);
}

#[test]
fn every_bad_field_of_a_list_is_named() {
    type Spoil = fn(&mut v1::GetRequestsRequest);
    let cases: [(Spoil, &str); 14] = [
        (|list| list.statuses = vec![1, 0], "statuses[1]"),
        (|list| list.statuses = vec![8], "statuses[0]"),
        (|list| list.types = vec![1, 2, 13], "types[2]"),
        (|list| list.targets = vec![String::new()], "targets[0]"),
        (|list| list.originators = vec![ID.to_owned(), "x".to_owned()], "originators[1]"),
        (|list| list.profile_templates = vec!["x".to_owned()], "profile_templates[0]"),
        (|list| list.targets = vec![ID.to_owned(); 101], "targets"),
        (|list| list.submitted_from = time(0, -1), "submitted_from"),
        (|list| list.submitted_from = time(0, 1_000_000_000), "submitted_from"),
        (|list| list.submitted_before = time(253_402_300_800, 0), "submitted_before"),
        (|list| list.submitted_before = time(i64::MIN, 0), "submitted_before"),
        (|list| list.submitted_before = time(-62_135_596_801, 0), "submitted_before"),
        (|list| list.page_size = -1, "page_size"),
        (|list| list.page_token = "x".to_owned(), "page_token"),
    ];
    for (spoil, field) in cases {
        let mut message = v1::GetRequestsRequest::default();
        spoil(&mut message);
        assert_eq!(fields(list(&message)), [field]);
    }
}

#[test]
fn a_good_list_is_read_in_full() {
    let message = v1::GetRequestsRequest {
        statuses: vec![v1::RequestStatus::Pending.into()],
        types: vec![v1::RequestType::Renew.into()],
        targets: vec![ID.to_owned()],
        submitted_from: time(-1, 1),
        submitted_before: time(1, 999_999_001),
        ..v1::GetRequestsRequest::default()
    };
    let list = list(&message).unwrap();
    assert_eq!((list.query.statuses, list.query.kinds), (vec![Status::Pending], vec![RequestType::Renew]));
    assert_eq!(list.query.targets.len(), 1);
    // Nanoseconds are rounded up to the next microsecond.
    assert_eq!(list.query.submitted_from.unwrap().micros(), -999_999);
    assert_eq!(list.query.submitted_before.unwrap().micros(), 2_000_000);
    assert_eq!(list.page.limit, 50);
}

#[test]
fn the_size_of_a_page_is_capped() {
    for (page_size, limit) in [(0, 50), (1, 1), (1_000, PAGE_SIZE_MAX), (i32::MAX, PAGE_SIZE_MAX)] {
        let message = v1::GetRequestsRequest { page_size, ..v1::GetRequestsRequest::default() };
        assert_eq!(list(&message).unwrap().page.limit, limit);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the field of the message is optional")]
fn time(seconds: i64, nanos: i32) -> Option<ProtoTimestamp> {
    Some(ProtoTimestamp { seconds, nanos })
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::prop_oneof![".{0,40}", proptest::strategy::Just(ID.to_owned()), "v[0-9]{0,12}"]
}

fn any_credential() -> impl Strategy<Value = Option<v1::CredentialIds>> {
    option::of((any_text(), any_text()).prop_map(|(profile, smartcard)| v1::CredentialIds { profile, smartcard }))
}

fn any_items() -> impl Strategy<Value = Vec<v1::DataItem>> {
    let item = (any_text(), option::of(any_text())).prop_map(|(name, value)| v1::DataItem { name, value });
    collection::vec(item, 0..4)
}

proptest! {
    #[test]
    fn no_draft_makes_decoding_panic(
        kind: i32, template in any_text(), target in any_text(), target_sid in any_text(), target_upn in any_text(),
        old_credential in any_credential(), data_items in any_items(), comment in any_text(), priority in option::of(any::<u32>()), key in any_text(),
    ) {
        let draft = v1::RequestDraft {
            r#type: kind, profile_template: template, target, target_sid, target_upn, old_credential, data_items, comment,
            priority,
        };
        let message = v1::CreateRequestRequest { draft: Some(draft), idempotency_key: key };
        if let Err(refusal) = creation(user(), "requests[0].", message) {
            let is_named = refusal.violations().iter().all(|violation| violation.field.starts_with("requests[0]."));
            prop_assert!(is_named && !refusal.violations().is_empty());
        }
    }

    #[test]
    fn no_list_makes_decoding_panic(
        statuses in collection::vec(any::<i32>(), 0..4), types in collection::vec(any::<i32>(), 0..4),
        targets in collection::vec(any_text(), 0..4), seconds: i64, nanos: i32, page_size: i32, page_token in any_text(),
    ) {
        let message = v1::GetRequestsRequest {
            statuses, types, targets, submitted_from: time(seconds, nanos), page_size, page_token,
            ..v1::GetRequestsRequest::default()
        };
        let _ = list(&message);
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = v1::CreateRequestRequest::decode(bytes.as_slice()) {
            let _ = creation(user(), "", message);
        }
        if let Ok(message) = v1::ApproveRequestRequest::decode(bytes.as_slice()) {
            let _ = approve(user(), message);
        }
        if let Ok(message) = v1::CompleteRequestRequest::decode(bytes.as_slice()) {
            let _ = complete(user(), message);
        }
        if let Ok(message) = v1::GetRequestsRequest::decode(bytes.as_slice()) {
            let _ = list(&message);
        }
    }
}
