//! The numbers that stand for statuses, types and kinds in the columns of both databases.
//!
//! Stored rows hold these numbers: a test pins each of them in `golden/codes.txt`.

use crate::domain::{CredentialStatus, EventType, Item, RequestType, Status, UserStatus};

/// The number of a status in the database; never change one.
pub(in crate::store) const fn status_number(status: Status) -> i16 {
    match status {
        Status::Pending => 1,
        Status::Approved => 2,
        Status::Executing => 3,
        Status::Completed => 4,
        Status::Denied => 5,
        Status::Failed => 6,
        Status::Canceled => 7,
    }
}

/// The number of a type of request in the database; never change one.
pub(in crate::store) const fn kind_number(kind: RequestType) -> i16 {
    match kind {
        RequestType::Enroll => 1,
        RequestType::Recover => 2,
        RequestType::Renew => 3,
        RequestType::Disable => 4,
        RequestType::Unblock => 5,
        RequestType::Duplicate => 6,
        RequestType::Retire => 7,
        RequestType::RecoverOnBehalf => 8,
        RequestType::SuspendOrReinstate => 9,
        RequestType::OnlineUpdate => 10,
        RequestType::TemporaryCardEnroll => 11,
        RequestType::OfflineUnblock => 12,
    }
}

/// The number of a credential's status in the database; never change one. Unique indexes and SQL statements contain the numbers
/// of retired (6) and disabled (4).
pub(in crate::store) const fn credential_status_number(status: CredentialStatus) -> i16 {
    match status {
        CredentialStatus::New => 1,
        CredentialStatus::Assigned => 2,
        CredentialStatus::Active => 3,
        CredentialStatus::Disabled => 4,
        CredentialStatus::Suspended => 5,
        CredentialStatus::Retired => 6,
    }
}

/// The number of a smart card among the kinds of credential in the database.
pub(in crate::store) const SMARTCARD_NUMBER: i16 = 2;

/// The number of a kind of credential in the database; never change one.
pub(in crate::store) const fn item_number(item: &Item) -> i16 {
    match item {
        Item::Profile { .. } => 1,
        Item::Smartcard { .. } => SMARTCARD_NUMBER,
    }
}

/// The number of a user's status in the database; never change one.
pub(in crate::store) const fn user_status_number(status: UserStatus) -> i16 {
    match status {
        UserStatus::Active => 1,
        UserStatus::Inactive => 2,
    }
}

/// The number of a type of event in the database; never change one.
pub(in crate::store) const fn event_number(event_type: EventType) -> i16 {
    match event_type {
        EventType::Created => 1,
        EventType::ApprovalRecorded => 2,
        EventType::Approved => 3,
        EventType::Denied => 4,
        EventType::Started => 5,
        EventType::Completed => 6,
        EventType::Failed => 7,
        EventType::Canceled => 8,
        EventType::SmartcardBound => 9,
        EventType::SmartcardChanged => 10,
    }
}

/// The type of event with this number.
pub(in crate::store) fn event_type(number: i16) -> Option<EventType> {
    EventType::ALL.into_iter().find(|event_type| event_number(*event_type) == number)
}
