//! Fields that several messages have in common.

use std::fmt::Display;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::contract::v1;
use crate::domain::{
    Comment, CredentialIds, CredentialStatus, DataItem, ETag, IdempotencyKey, ProfileId, RequestType, SmartcardId,
    Status, Timestamp, UserId, Version,
};
use crate::service::Violations;

pub(super) fn comment(violations: &mut Violations, field: &str, text: String) -> Option<Comment> {
    violations.keep(Comment::parse(field, text))
}

/// The ids of a profile and a smart card; an absent message equals an empty one.
pub(super) fn credential_ids(
    violations: &mut Violations,
    field: impl Display,
    credential_ids: Option<&v1::CredentialIds>,
) -> CredentialIds {
    let Some(credential_ids) = credential_ids else { return CredentialIds::NONE };
    let profile = format_args!("{field}.profile");
    let profile = optional_uuid(violations, profile, &credential_ids.profile, ProfileId::new);
    let smartcard = format_args!("{field}.smartcard");
    let smartcard = optional_uuid(violations, smartcard, &credential_ids.smartcard, SmartcardId::new);
    CredentialIds { profile, smartcard }
}

/// Data items, each checked on its own. The merge into the request checks that names are unique.
pub(super) fn data_items(violations: &mut Violations, field: &str, items: Vec<v1::DataItem>) -> Vec<DataItem> {
    if items.len() > DataItem::MAX_ITEMS {
        violations.add(field, format!("must have at most {} items", DataItem::MAX_ITEMS));
        return Vec::new();
    }
    let numbered = items.into_iter().enumerate();
    let checked = numbered.filter_map(|(index, item)| {
        violations.keep(DataItem::parse(&format!("{field}[{index}]"), item.name, item.value))
    });
    checked.collect()
}

/// The version in an etag. An etag that this service cannot have issued is invalid, because it would never match.
pub(super) fn etag(violations: &mut Violations, text: &str) -> Option<Version> {
    if text.is_empty() {
        return None;
    }
    let tag = ETag::parse(text);
    if tag.is_none() {
        violations.add("etag", "must be an etag returned by this service");
    }
    tag.map(ETag::version)
}

/// The caller's idempotency key; `None` if it is empty.
pub(super) fn key(violations: &mut Violations, field: &str, user: UserId, text: &str) -> Option<IdempotencyKey> {
    if text.is_empty() { None } else { violations.keep(IdempotencyKey::parse(field, user, text)) }
}

/// A point in time, rounded up to microseconds. Stored times are whole microseconds, so they compare with the result as with the
/// given time.
pub(super) fn time(
    violations: &mut Violations,
    field: &str,
    time: Option<&prost_types::Timestamp>,
) -> Option<Timestamp> {
    let time = time?;
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let micros = nanos.and_then(|nanos| time.seconds.checked_mul(1_000_000)?.checked_add(nanos.div_ceil(1_000).into()));
    let valid = (FIRST_SECOND..=LAST_SECOND).contains(&time.seconds);
    let result = micros.filter(|_| valid).and_then(Timestamp::from_micros);
    if result.is_none() {
        violations.add(field, "must be a time of the years 1 to 9999 with 0 to 999,999,999 nanoseconds");
    }
    result
}

/// Range of `google.protobuf.Timestamp`: 0001-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

/// A type of request; unknown and unspecified numbers are invalid.
pub(super) fn request_type(violations: &mut Violations, field: impl Display, number: i32) -> Option<RequestType> {
    let kind = match v1::RequestType::try_from(number) {
        Ok(v1::RequestType::Enroll) => RequestType::Enroll,
        Ok(v1::RequestType::Recover) => RequestType::Recover,
        Ok(v1::RequestType::Renew) => RequestType::Renew,
        Ok(v1::RequestType::Disable) => RequestType::Disable,
        Ok(v1::RequestType::Unblock) => RequestType::Unblock,
        Ok(v1::RequestType::Duplicate) => RequestType::Duplicate,
        Ok(v1::RequestType::Retire) => RequestType::Retire,
        Ok(v1::RequestType::RecoverOnBehalf) => RequestType::RecoverOnBehalf,
        Ok(v1::RequestType::SuspendOrReinstate) => RequestType::SuspendOrReinstate,
        Ok(v1::RequestType::OnlineUpdate) => RequestType::OnlineUpdate,
        Ok(v1::RequestType::TemporaryCardEnroll) => RequestType::TemporaryCardEnroll,
        Ok(v1::RequestType::OfflineUnblock) => RequestType::OfflineUnblock,
        Ok(v1::RequestType::Unspecified) => return unspecified(violations, field),
        Err(_) => return unknown(violations, field, number),
    };
    Some(kind)
}

/// A status of a request; unknown and unspecified numbers are invalid.
pub(super) fn status(violations: &mut Violations, field: impl Display, number: i32) -> Option<Status> {
    let status = match v1::RequestStatus::try_from(number) {
        Ok(v1::RequestStatus::Pending) => Status::Pending,
        Ok(v1::RequestStatus::Approved) => Status::Approved,
        Ok(v1::RequestStatus::Executing) => Status::Executing,
        Ok(v1::RequestStatus::Completed) => Status::Completed,
        Ok(v1::RequestStatus::Denied) => Status::Denied,
        Ok(v1::RequestStatus::Failed) => Status::Failed,
        Ok(v1::RequestStatus::Canceled) => Status::Canceled,
        Ok(v1::RequestStatus::Unspecified) => return unspecified(violations, field),
        Err(_) => return unknown(violations, field, number),
    };
    Some(status)
}

/// A status of a credential; unknown and unspecified numbers are invalid.
pub(super) fn credential_status(
    violations: &mut Violations,
    field: impl Display,
    number: i32,
) -> Option<CredentialStatus> {
    let status = match v1::CredentialStatus::try_from(number) {
        Ok(v1::CredentialStatus::New) => CredentialStatus::New,
        Ok(v1::CredentialStatus::Assigned) => CredentialStatus::Assigned,
        Ok(v1::CredentialStatus::Active) => CredentialStatus::Active,
        Ok(v1::CredentialStatus::Disabled) => CredentialStatus::Disabled,
        Ok(v1::CredentialStatus::Suspended) => CredentialStatus::Suspended,
        Ok(v1::CredentialStatus::Retired) => CredentialStatus::Retired,
        Ok(v1::CredentialStatus::Unspecified) => return unspecified(violations, field),
        Err(_) => return unknown(violations, field, number),
    };
    Some(status)
}

pub(super) fn unspecified<T>(violations: &mut Violations, field: impl Display) -> Option<T> {
    violations.add(field.to_string(), "must be given");
    None
}

pub(super) fn unknown<T>(violations: &mut Violations, field: impl Display, number: i32) -> Option<T> {
    violations.add(field.to_string(), format!("has the unknown value {number}"));
    None
}

/// A UUID with hyphens, the only form that the contract allows.
pub(super) fn uuid<T>(violations: &mut Violations, field: impl Display, text: &str, id: fn(Uuid) -> T) -> Option<T> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == Hyphenated::LENGTH);
    if uuid.is_none() {
        let problem = if text.is_empty() { "must be given" } else { "must be a UUID with hyphens" };
        violations.add(field.to_string(), problem);
    }
    uuid.map(id)
}

/// Like [`uuid()`], for a field that may be empty.
pub(super) fn optional_uuid<T>(
    violations: &mut Violations,
    field: impl Display,
    text: &str,
    id: fn(Uuid) -> T,
) -> Option<T> {
    if text.is_empty() { None } else { uuid(violations, field, text, id) }
}
