//! Request bodies of the smart card endpoints: binding a card to a request, and setting the status of a card.

use super::body::{member, object, uuid_of};
use super::codes;
use super::value::{Value, text_of};
use crate::domain::{Atr, CredentialStatus, Refusal, RequestId, SerialNumber};
use crate::service::Violations;

/// A card to bind to a request.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) request: RequestId,
    pub(super) serial_number: SerialNumber,
    pub(super) atr: Atr,
}

/// Reads the body of a call that binds a card.
///
/// # Errors
/// [`Refusal::Invalid`] with the given violations and all those of the body.
pub(super) fn binding(body: &Value, violations: Violations) -> Result<Binding, Refusal> {
    let (members, mut violations) = object(body, violations)?;
    let request = violations.keep(uuid_of("requestid", member(members, "requestid")));
    if request == Some(None) {
        violations.add("requestid", "must be a GUID");
    }
    let serial_number = text_of(member(members, "cardid")).unwrap_or_default();
    let serial_number = violations.keep(SerialNumber::parse("cardid", &serial_number));
    // A number is refused because it would have lost its leading zeros.
    let atr = match member(members, "atr") {
        Value::Null => Atr::parse("atr", ""),
        Value::String(text) => Atr::parse("atr", text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Refusal::invalid("atr", "must be a string"))
        }
    };
    let atr = violations.keep(atr);
    let binding = match (request.flatten(), serial_number, atr) {
        (Some(request), Some(serial_number), Some(atr)) => {
            Some(Binding { request: RequestId::new(request), serial_number, atr })
        }
        _ => None,
    };
    violations.finish(binding)
}

/// Reads the new status of a card.
///
/// # Errors
/// [`Refusal::Invalid`] with the given violations and all those of the body.
pub(super) fn credential_status(body: &Value, violations: Violations) -> Result<CredentialStatus, Refusal> {
    let (members, mut violations) = object(body, violations)?;
    let status = match member(members, "status") {
        Value::String(name) => codes::read_smartcard_status(name),
        Value::Number(number) => codes::read_smartcard_status(codes::whole(number)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if status.is_none() {
        violations.add("status", "must be one of Active, Disabled, Suspended, Retired");
    }
    violations.finish(status)
}
