//! The bodies of the calls about smart cards: which card is bound to which request, and where a card stands.

use super::body::{BODY, member, uuid_of};
use super::codes;
use super::value::{Value, text_of};
use crate::domain::{Atr, CredentialStatus, Refusal, RequestId, SerialNumber};
use crate::service::Violations;

/// A card to be bound to a request.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) request: RequestId,
    pub(super) serial_number: SerialNumber,
    pub(super) atr: Atr,
}

/// Reads which card is to be bound to which request.
///
/// # Errors
/// [`Refusal::Invalid`] with all that is wrong with the body, and with what was found wrong before.
pub(super) fn binding(body: &Value, mut violations: Violations) -> Result<Binding, Refusal> {
    let Value::Object(members) = body else {
        violations.add(BODY, "must be a JSON object");
        return Err(violations.refusal());
    };
    let request = violations.keep(uuid_of("requestid", member(members, "requestid")));
    if request == Some(None) {
        violations.add("requestid", "must be a GUID");
    }
    let serial_number = text_of(member(members, "cardid")).unwrap_or_default();
    let serial_number = violations.keep(SerialNumber::parse("cardid", &serial_number));
    // Not a number: it would have lost the zeros at its beginning.
    let atr = match member(members, "atr") {
        Value::Null => Atr::parse("atr", ""),
        Value::String(text) => Atr::parse("atr", text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Refusal::invalid("atr", "must be a string"))
        }
    };
    let atr = violations.keep(atr);
    match (request.flatten(), serial_number, atr) {
        (Some(request), Some(serial_number), Some(atr)) if violations.is_empty() => {
            Ok(Binding { request: RequestId::new(request), serial_number, atr })
        }
        _ => Err(violations.refusal()),
    }
}

/// Reads where a card is to stand.
///
/// # Errors
/// [`Refusal::Invalid`] with all that is wrong with the body, and with what was found wrong before.
pub(super) fn credential_status(body: &Value, mut violations: Violations) -> Result<CredentialStatus, Refusal> {
    let Value::Object(members) = body else {
        violations.add(BODY, "must be a JSON object");
        return Err(violations.refusal());
    };
    let status = match member(members, "status") {
        Value::String(name) => codes::read_smartcard_status(name),
        Value::Number(number) => codes::read_smartcard_status(codes::whole(number)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if status.is_none() {
        violations.add("status", "must be one of Active, Disabled, Suspended, Retired");
    }
    match status {
        Some(status) if violations.is_empty() => Ok(status),
        _ => Err(violations.refusal()),
    }
}
