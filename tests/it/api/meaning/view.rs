//! The REST view of a request, computed from its gRPC message alone.

use chrono::{DateTime, Utc};
use cmgate::contract::v1::{DataItem, Request, RequestStatus as Status, RequestType as Type};
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::script::status_number;

/// The REST form of an absent id.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";

/// The REST form of an absent time.
const NO_TIME: &str = "0001-01-01T00:00:00";

/// Properties that only the REST API has.
const PARTICULAR: [&str; 2] = ["DataCollectionFlags", "SecurityDescriptor"];

/// Takes out what a message has no word for.
pub(super) fn drop_what_is_particular(view: &mut Value) {
    let properties = view.as_object_mut().expect("a request is an object");
    for name in PARTICULAR {
        assert!(properties.remove(name).is_some(), "{name} is shown");
    }
}

/// The view of a request, without what is particular to it.
pub(super) fn shown(request: &Request) -> Value {
    let old = request.old_credential.clone().unwrap_or_default();
    let new = request.new_credential.clone().unwrap_or_default();
    let completed = request.conclusion.as_ref().filter(|_| request.status() == Status::Completed);
    json!({
        "Uuid": request.id,
        "RequestType": type_number(request.r#type()),
        "Status": status_number(request.status()),
        "Flags": u8::from(request.is_enrollment_agent) + 2 * u8::from(request.is_smartcard),
        "DataCollection": request.data_items.iter().map(item).collect::<Value>(),
        "OriginatorUserUuid": request.originator,
        "TargetUserUuid": request.target,
        "Submitted": time(request.submit_time),
        "Completed": completed.map_or(NO_TIME.to_owned(), |conclusion| time(conclusion.time)),
        "NewProfileUuid": id(&new.profile),
        "OldProfileUuid": id(&old.profile),
        "NewSmartcardUuid": id(&new.smartcard),
        "OldSmartcardUuid": id(&old.smartcard),
        "Priority": request.priority,
        "Comment": request.comment,
        "ProfileTemplateUuid": request.profile_template,
        "IsSmartcard": request.is_smartcard,
        "IsEnrollmentAgent": request.is_enrollment_agent,
        "IsDataCollectionComplete": request.is_data_collection_complete,
    })
}

fn item(item: &DataItem) -> Value {
    json!({ "Name": item.name, "Value": item.value })
}

fn id(id: &str) -> &str {
    if id.is_empty() { NO_ID } else { id }
}

/// Milliseconds without trailing zeros.
fn time(time: Option<Timestamp>) -> String {
    let time = time.expect("every request has its times");
    let time = DateTime::<Utc>::from_timestamp(time.seconds, time.nanos.try_into().unwrap()).unwrap();
    let text = time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

fn type_number(kind: Type) -> u8 {
    match kind {
        Type::Unspecified => panic!("every request has a type"),
        Type::Enroll => 1,
        Type::Recover => 2,
        Type::Renew => 3,
        Type::Disable => 4,
        Type::Unblock => 5,
        Type::Duplicate => 6,
        Type::Retire => 7,
        Type::RecoverOnBehalf => 8,
        Type::SuspendOrReinstate => 9,
        Type::OnlineUpdate => 10,
        Type::TemporaryCardEnroll => 11,
        Type::OfflineUnblock => 14,
    }
}
