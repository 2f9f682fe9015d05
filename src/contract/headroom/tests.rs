//! Every accepted request can reach each of its final states, whatever its size.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::any;
use proptest::strategy::{Just, Strategy};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};
use prost::Message;
use uuid::Uuid;

use super::{MAX_EVENT_BYTES, encode_event_within_limits, headroom};
use crate::contract;
use crate::domain::{
    Action, Actor, Approval, Atr, Caller, Command, Comment, Creation, Credential, CredentialIds, CredentialStatus,
    Credentials, DataItem, Draft, Event, Item, Lineage, Medium, PhysicalCard, Policy, Position, ProfileId,
    ProfileTemplate, Refusal, Request, RequestId, RequestType, SerialNumber, Shard, Sid, SmartcardConfiguration,
    SmartcardId, Status, TemplateId, TemplateRef, Timestamp, Trace, UserId, decide,
};

const ORIGINATOR: UserId = UserId::new(Uuid::from_u128(1));
const TARGET: UserId = UserId::new(Uuid::from_u128(2));
const REQUEST: RequestId = RequestId::new(Uuid::from_u128(3));
const TEMPLATE: TemplateId = TemplateId::new(Uuid::from_u128(4));
const OLD: CredentialIds = credential_ids(0x10);
const NEW: CredentialIds = credential_ids(0x20);

/// The longest character of UTF-8, and the shortest.
const LONGEST: &str = "\u{10ffff}";
const SHORTEST: &str = "x";

#[derive(Clone, Debug)]
struct Case {
    kind: RequestType,
    approvals_needed: u8,
    /// Repeated to form comments.
    letter: &'static str,
    /// Bytes by which the creation exceeds the limit; negative if it fits.
    excess: i32,
    /// The same for the first approval.
    approver_excess: i32,
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]

    #[test]
    fn every_accepted_request_can_reach_a_final_state(case in cases()) {
        let known = known();
        let Some(request) = created(&case, &known) else { return Ok(()) };
        let Some(pending) = approved_but_once(&case, &request, &known) else { return Ok(()) };
        let ready = if case.approvals_needed == 0 {
            request
        } else {
            for action in ["deny", "cancel"] {
                prop_assert!(fits(&case, action, &pending, &known).status().is_final());
            }
            // The last approval adds no items, so it is never refused.
            fits(&case, "approve", &pending, &known)
        };
        prop_assert_eq!(ready.status(), Status::Approved);
        let bound = fits(&case, "bind", &ready, &known);
        let started = fits(&case, "start", &bound, &known);
        for request in [&ready, &bound, &started] {
            for action in ["complete", "fail", "cancel", "abandon"] {
                let ended = fits(&case, action, request, &known);
                prop_assert!(ended.status().is_final());
            }
        }
    }
}

/// If the creation filled its event, no later step would fit.
#[test]
fn a_creation_that_fills_its_event_is_refused() {
    let text = SHORTEST.repeat(15_000);
    let mut items: Vec<DataItem> = (0..59).map(|number| item(number, &text)).collect();
    items.push(item(59, &text[..13_810]));
    let case = Case { kind: RequestType::Enroll, approvals_needed: 0, letter: SHORTEST, excess: 0, approver_excess: 0 };
    let event = decide(&creation(&case, items), None, &Credentials::default()).unwrap().unwrap();
    let refusal = encode_event_within_limits(&event).unwrap_err();
    let Refusal::TooLarge { field: "data_items", bytes, limit } = refusal else { panic!("{refusal}") };
    assert!(bytes > 898_000 && limit < 860_000 && limit > 850_000, "{bytes} of {limit}");
    let [violation] = refusal.violations().try_into().unwrap();
    assert_eq!(violation.field, "data_items");
    assert!(violation.problem.starts_with(&format!("must be shorter by {} bytes", bytes - limit)), "{violation}");
}

/// A request without data items always has headroom, so `data_items` is always the right field to shorten.
#[test]
fn a_request_without_data_items_always_fits() {
    let case = Case {
        kind: RequestType::Renew,
        approvals_needed: Policy::MAX_APPROVALS,
        letter: LONGEST,
        excess: 0,
        approver_excess: 0,
    };
    let event = decide(&creation(&case, Vec::new()), None, &known()).unwrap().unwrap();
    let free = MAX_EVENT_BYTES - headroom(&event.request) - contract::request(&event.request).encoded_len();
    assert!(free > 500_000, "{free}");
}

#[test]
fn each_approval_releases_at_least_its_own_size_from_the_headroom() {
    let case = Case { kind: RequestType::Enroll, approvals_needed: 2, letter: LONGEST, excess: 0, approver_excess: 0 };
    let request = created(&case, &known()).unwrap();
    let actor = Actor { user: UserId::new(Uuid::max()), name: LONGEST.repeat(Actor::MAX_NAME_CHARS) };
    let mut approved = request.clone();
    approved.approvals.push(Approval { actor, at: Timestamp::from_micros(1).unwrap(), comment: comment(LONGEST) });
    let grown = contract::request(&approved).encoded_len() - contract::request(&request).encoded_len();
    let released = headroom(&request) - headroom(&approved);
    assert!(released >= grown && released < grown + 64, "{released} for {grown}");
}

/// No list of items has exactly the wanted size, because a further item adds its own frame.
#[test]
fn a_size_that_no_list_of_items_has_is_approximated() {
    let kind = RequestType::Enroll;
    let case = Case { kind, approvals_needed: 1, letter: LONGEST, excess: -2_777, approver_excess: 0 };
    assert!(created(&case, &known()).is_some());
}

fn cases() -> impl Strategy<Value = Case> {
    let near = || prop_oneof![-40_i32..40, -20_000_i32..0];
    let kinds = prop_oneof![Just(RequestType::Enroll), Just(RequestType::Renew)];
    (kinds, 0_u8..4, any::<bool>(), near(), near()).prop_map(
        |(kind, approvals_needed, is_long, excess, approver_excess)| {
            let letter = if is_long { LONGEST } else { SHORTEST };
            Case { kind, approvals_needed, letter, excess, approver_excess }
        },
    )
}

/// The request of a case, created with data items of the size that the case asks for; `None` if it is refused. Half of the free bytes
/// is left to approvers, if there are any.
fn created(case: &Case, known: &Credentials) -> Option<Request> {
    let event = |items| decide(&creation(case, items), None, known).unwrap().unwrap();
    let empty = event(Vec::new());
    let share = if case.approvals_needed == 0 { 1 } else { 2 };
    let limit = (MAX_EVENT_BYTES - headroom(&empty.request)) / share;
    let event = filled(event, limit, case.excess, 0);
    let encoded = encode_event_within_limits(&event);
    assert_eq!(encoded.is_ok(), share == 2 || case.excess <= 0, "{case:?}: {encoded:?}");
    encoded.is_ok().then(|| (*event.request).clone())
}

/// The request with all of its approvals but the last, the first of which fills it with items; `None` if that is refused.
fn approved_but_once(case: &Case, request: &Request, known: &Credentials) -> Option<Request> {
    let mut request = request.clone();
    if case.approvals_needed < 2 {
        return Some(request);
    }
    let approval = |items| {
        let action = Action::Approve { comment: comment(case.letter), data_items: items };
        decide(&command(approver(0), action), Some(&request), known).unwrap().unwrap()
    };
    let limit = MAX_EVENT_BYTES - headroom(&approval(Vec::new()).request);
    let event = filled(approval, limit, case.approver_excess, 1_000);
    let encoded = encode_event_within_limits(&event);
    assert_eq!(encoded.is_ok(), case.approver_excess <= 0, "{case:?}: {encoded:?}");
    encoded.ok()?;
    request = (*event.request).clone();
    for number in 1..case.approvals_needed - 1 {
        request = step(case, "approve", approver(number), &request, known);
    }
    Some(request)
}

/// An event whose request exceeds `limit` by `excess` bytes, through data items numbered from `first`. If no list of items has
/// that size, the nearest size on the same side of the limit is used.
fn filled(event: impl Fn(Vec<DataItem>) -> Event, limit: usize, excess: i32, first: usize) -> Event {
    let length = |event: &Event| contract::request(&event.request).encoded_len();
    let wanted = limit.checked_add_signed(isize::try_from(excess).unwrap()).unwrap();
    let mut bytes = wanted - length(&event(Vec::new()));
    let mut nearest = None;
    for _ in 0..8 {
        let made = event(filler(first, bytes));
        let taken = length(&made);
        if taken == wanted {
            return made;
        }
        bytes = bytes + wanted - taken;
        if (taken > limit) == (excess > 0) {
            nearest = Some(made);
        }
    }
    nearest.expect("attempts fall on both sides of a size that is skipped")
}

/// Data items with `bytes` bytes of values in total, numbered from `first`.
fn filler(first: usize, mut bytes: usize) -> Vec<DataItem> {
    let mut items = Vec::new();
    // Every value but the last has the maximum length.
    while bytes > 0 {
        let length = bytes.min(DataItem::MAX_VALUE_CHARS);
        items.push(item(first + items.len(), &SHORTEST.repeat(length)));
        bytes -= length;
    }
    items
}

/// A step, by a user who may take it, that must not be refused for its size.
fn fits(case: &Case, name: &str, request: &Request, known: &Credentials) -> Request {
    let user = match name {
        "approve" | "deny" => approver(99),
        _ => TARGET,
    };
    step(case, name, user, request, known)
}

fn step(case: &Case, name: &str, user: UserId, request: &Request, known: &Credentials) -> Request {
    let comment = comment(case.letter);
    let action = match name {
        "approve" => Action::Approve { comment, data_items: Vec::new() },
        "deny" => Action::Deny { comment },
        "start" => Action::Start { comment },
        "bind" => {
            let serial_number = SerialNumber::parse("serial_number", &"7".repeat(SerialNumber::MAX_CHARS)).unwrap();
            let card = PhysicalCard { serial_number, atr: Atr::parse("atr", &"3b".repeat(Atr::MAX_BYTES)).unwrap() };
            Action::BindSmartcard { card, id: NEW.smartcard.unwrap(), comment }
        }
        "complete" => Action::Complete { new: NEW, comment },
        "fail" => Action::Fail { comment },
        "cancel" => Action::Cancel { comment },
        "abandon" => Action::Abandon { comment },
        _ => panic!("{name}"),
    };
    let event = decide(&command(user, action), Some(request), known).unwrap().unwrap();
    let payload = encode_event_within_limits(&event).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    let placed = contract::with_position(&payload, Shard::new(1_023), Position::new(u64::MAX));
    assert!(placed.len() <= MAX_EVENT_BYTES, "{name}: {} bytes with its position", placed.len());
    (*event.request).clone()
}

fn creation(case: &Case, data_items: Vec<DataItem>) -> Command {
    let old = if case.kind == RequestType::Renew { OLD } else { CredentialIds::NONE };
    let draft = Draft {
        kind: case.kind,
        template: Some(TEMPLATE),
        target: Some(TARGET.into()),
        old,
        data_items,
        comment: comment(case.letter),
        priority: None,
    };
    let policy = Policy { approvals_needed: case.approvals_needed, ..Policy::default() };
    let template = ProfileTemplate {
        id: TEMPLATE,
        name: "Door".to_owned(),
        description: String::new(),
        medium: Medium::Smartcard,
        policies: BTreeMap::from([(case.kind, Arc::new(policy))]),
        smartcard: SmartcardConfiguration::default(),
    };
    let catalog = Arc::new([(template, 1)].into_iter().collect());
    let service = Sid::parse("S-1-5-21-1").unwrap();
    let creation = Creation { draft, target: Ok(Some(TARGET)), catalog, service };
    command(ORIGINATOR, Action::Create(Box::new(creation)))
}

/// A command of a caller whose name exceeds the length that is kept.
fn command(user: UserId, action: Action) -> Command {
    let caller = Arc::new(Caller::unproven(user, LONGEST.repeat(1_000)));
    Command {
        request: REQUEST,
        action,
        caller,
        now: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
        expected: None,
        idempotent: None,
        trace: Trace::default(),
    }
}

/// The credentials to renew: a card with its profile, both with the longest comment.
fn known() -> Credentials {
    let card =
        PhysicalCard { serial_number: SerialNumber::parse("serial_number", "card").unwrap(), atr: Atr::default() };
    let items = [
        Item::Smartcard { id: OLD.smartcard.unwrap(), profile: OLD.profile, card: Some(card) },
        Item::Profile { id: OLD.profile.unwrap(), smartcard: OLD.smartcard },
    ];
    let credential = |item| Credential {
        item,
        owner: TARGET,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        status: CredentialStatus::Active,
        lineage: Lineage::Replaces(NEW),
        comment: comment(LONGEST),
    };
    items.into_iter().map(credential).collect()
}

fn comment(letter: &str) -> Comment {
    Comment::parse("comment", letter.repeat(Comment::MAX_CHARS)).unwrap()
}

fn item(number: usize, value: &str) -> DataItem {
    DataItem::parse("data_items", number.to_string(), Some(value.to_owned())).unwrap()
}

const fn approver(number: u8) -> UserId {
    UserId::new(Uuid::from_u128(0x100 + number as u128))
}

const fn credential_ids(id: u128) -> CredentialIds {
    CredentialIds {
        profile: Some(ProfileId::new(Uuid::from_u128(id))),
        smartcard: Some(SmartcardId::new(Uuid::from_u128(id + 1))),
    }
}
