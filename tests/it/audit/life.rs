//! The legal lives of a request, written down again rather than taken from the code under test.

use cmgate::contract::v1::{Request, RequestEvent, RequestEventType as Type, RequestStatus as Status};

/// Status before, event, status after. No step leads out of completed, denied, failed or canceled.
const STEPS: [(Status, Type, Status); 17] = [
    (Status::Unspecified, Type::Created, Status::Pending),
    (Status::Unspecified, Type::Created, Status::Approved),
    (Status::Pending, Type::ApprovalRecorded, Status::Pending),
    (Status::Pending, Type::Approved, Status::Approved),
    (Status::Pending, Type::Denied, Status::Denied),
    (Status::Pending, Type::Canceled, Status::Canceled),
    (Status::Approved, Type::Started, Status::Executing),
    (Status::Approved, Type::SmartcardBound, Status::Approved),
    (Status::Approved, Type::SmartcardChanged, Status::Approved),
    (Status::Approved, Type::Completed, Status::Completed),
    (Status::Approved, Type::Failed, Status::Failed),
    (Status::Approved, Type::Canceled, Status::Canceled),
    (Status::Executing, Type::SmartcardBound, Status::Executing),
    (Status::Executing, Type::SmartcardChanged, Status::Executing),
    (Status::Executing, Type::Completed, Status::Completed),
    (Status::Executing, Type::Failed, Status::Failed),
    (Status::Executing, Type::Canceled, Status::Canceled),
];

/// The status that an event tells.
pub(super) fn status(event: &RequestEvent) -> Status {
    event.request.as_ref().map_or(Status::Unspecified, Request::status)
}

/// Whether an event may follow one that left this status; unspecified for the first event.
pub(super) fn is_legal(before: Status, event: &RequestEvent) -> bool {
    let step = (before, event.r#type(), status(event));
    event.previous_status() == before && STEPS.contains(&step)
}
