//! The legal life cycles of a request, written independently of the code under test.

use super::event::Event;

/// A name with its number in the contract.
type Named = (i32, &'static str);

/// `RequestStatus` of the contract.
const STATUSES: [Named; 8] = [
    (NONE, "REQUEST_STATUS_UNSPECIFIED"),
    (PENDING, "REQUEST_STATUS_PENDING"),
    (APPROVED, "REQUEST_STATUS_APPROVED"),
    (EXECUTING, "REQUEST_STATUS_EXECUTING"),
    (COMPLETED, "REQUEST_STATUS_COMPLETED"),
    (DENIED, "REQUEST_STATUS_DENIED"),
    (FAILED, "REQUEST_STATUS_FAILED"),
    (CANCELED, "REQUEST_STATUS_CANCELED"),
];
/// No request yet.
pub(super) const NONE: i32 = 0;
const PENDING: i32 = 1;
const APPROVED: i32 = 2;
const EXECUTING: i32 = 3;
const COMPLETED: i32 = 4;
const DENIED: i32 = 5;
const FAILED: i32 = 6;
const CANCELED: i32 = 7;

/// `RequestEventType` of the contract.
const EVENTS: [Named; 10] = [
    (CREATED, "REQUEST_EVENT_TYPE_CREATED"),
    (APPROVAL_RECORDED, "REQUEST_EVENT_TYPE_APPROVAL_RECORDED"),
    (ALL_APPROVED, "REQUEST_EVENT_TYPE_APPROVED"),
    (DENIAL, "REQUEST_EVENT_TYPE_DENIED"),
    (STARTED, "REQUEST_EVENT_TYPE_STARTED"),
    (COMPLETION, "REQUEST_EVENT_TYPE_COMPLETED"),
    (FAILURE, "REQUEST_EVENT_TYPE_FAILED"),
    (CANCELLATION, "REQUEST_EVENT_TYPE_CANCELED"),
    (CARD_BOUND, "REQUEST_EVENT_TYPE_SMARTCARD_BOUND"),
    (CARD_CHANGED, "REQUEST_EVENT_TYPE_SMARTCARD_CHANGED"),
];
const CREATED: i32 = 1;
const APPROVAL_RECORDED: i32 = 2;
const ALL_APPROVED: i32 = 3;
const DENIAL: i32 = 4;
const STARTED: i32 = 5;
const COMPLETION: i32 = 6;
const FAILURE: i32 = 7;
const CANCELLATION: i32 = 8;
const CARD_BOUND: i32 = 9;
const CARD_CHANGED: i32 = 10;

/// Status before, event, status after. No step leads out of completed, denied, failed or canceled.
const STEPS: [(i32, i32, i32); 17] = [
    (NONE, CREATED, PENDING),
    (NONE, CREATED, APPROVED),
    (PENDING, APPROVAL_RECORDED, PENDING),
    (PENDING, ALL_APPROVED, APPROVED),
    (PENDING, DENIAL, DENIED),
    (PENDING, CANCELLATION, CANCELED),
    (APPROVED, STARTED, EXECUTING),
    (APPROVED, CARD_BOUND, APPROVED),
    (APPROVED, CARD_CHANGED, APPROVED),
    (APPROVED, COMPLETION, COMPLETED),
    (APPROVED, FAILURE, FAILED),
    (APPROVED, CANCELLATION, CANCELED),
    (EXECUTING, CARD_BOUND, EXECUTING),
    (EXECUTING, CARD_CHANGED, EXECUTING),
    (EXECUTING, COMPLETION, COMPLETED),
    (EXECUTING, FAILURE, FAILED),
    (EXECUTING, CANCELLATION, CANCELED),
];

/// Whether an event may follow one that left this status; [`NONE`] for the first event.
pub(super) fn is_legal(before: i32, event: &Event) -> bool {
    event.previous_status == before && STEPS.contains(&(before, event.kind, event.status()))
}

/// Name of a status in the contract.
pub(super) fn status_name(number: i32) -> &'static str {
    name(&STATUSES, number)
}

/// Name of a type of event in the contract.
pub(super) fn event_name(number: i32) -> &'static str {
    name(&EVENTS, number)
}

fn name(names: &[Named], number: i32) -> &'static str {
    names
        .iter()
        .find(|(other, _)| *other == number)
        .map_or("a number that the contract does not have", |(_, name)| name)
}
