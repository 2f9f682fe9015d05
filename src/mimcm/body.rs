//! Reads the draft of a request from the body of a create call.

use uuid::Uuid;

use super::value::{Value, text_of};
use super::{codes, guid, items};
use crate::domain::{
    Comment, CredentialIds, Draft, Priority, ProfileId, Refusal, RequestType, Sid, SmartcardId, TemplateId, Upn,
    UserId, UserName,
};
use crate::service::Violations;

/// Name of the body in error messages.
pub(super) const BODY: &str = "The request body";

/// The members of an object, in the order of the text.
type Members = [(String, Value)];

/// Reads a draft.
///
/// # Errors
/// [`Refusal::Invalid`] with the given violations and all those of the body.
pub(super) fn draft(body: &Value, violations: Violations) -> Result<Draft, Refusal> {
    let (members, mut violations) = object(body, violations)?;
    let member = |name: &str| member(members, name);
    let template = violations.keep(uuid_of("profiletemplateuuid", member("profiletemplateuuid"))).flatten();
    let template = template.map(TemplateId::new);
    let target = violations.keep(target_of(member("target"))).flatten();
    let mut uuid = |name: &str| violations.keep(uuid_of(name, member(name))).flatten();
    let profile = uuid("profile").map(ProfileId::new);
    let smartcard = uuid("smartcard").map(SmartcardId::new);
    let old = CredentialIds { profile, smartcard };
    let kind = violations.keep(kind_of(member("type")));
    let data_items = items::read(member("datacollection"), &mut violations);
    let comment = violations.keep(comment_of(member("comment"))).unwrap_or_default();
    let priority = violations.keep(priority_of(member("priority"))).flatten();
    violations.finish(kind.map(|kind| Draft { kind, template, target, old, data_items, comment, priority }))
}

/// The members of a body, which must be an object. Returns the violations for the checks that follow.
///
/// # Errors
/// [`Refusal::Invalid`] with the given violations and that of a body that is no object.
pub(super) fn object(body: &Value, mut violations: Violations) -> Result<(&Members, Violations), Refusal> {
    if let Value::Object(members) = body {
        return Ok((members, violations));
    }
    violations.add(BODY, "must be a JSON object");
    Err(violations.refusal())
}

/// The member of an object with this name, or null. As in Json.NET, names match in any case and the last match wins.
pub(super) fn member<'a>(members: &'a Members, name: &str) -> &'a Value {
    let last = members.iter().rfind(|(given, _)| given.eq_ignore_ascii_case(name));
    last.map_or(&Value::Null, |(_, value)| value)
}

fn kind_of(value: &Value) -> Result<RequestType, Refusal> {
    let kind = match value {
        Value::String(text) | Value::Number(text) => codes::read_type(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    kind.ok_or_else(|| Refusal::invalid("type", format!("must be one of {}", codes::type_names())))
}

/// Reads an optional GUID. As in answers, the zero GUID means none; so does an empty string.
pub(super) fn uuid_of(name: &str, value: &Value) -> Result<Option<Uuid>, Refusal> {
    let read = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => guid::read(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let uuid = read.ok_or_else(|| Refusal::invalid(name, "must be a GUID"))?;
    Ok(if uuid.is_nil() { None } else { Some(uuid) })
}

/// Reads the target: a GUID as MIM CM takes it, or else a security identifier or user principal name, which no GUID resembles.
fn target_of(value: &Value) -> Result<Option<UserName>, Refusal> {
    let name = match value {
        Value::String(text) => {
            Sid::parse(text.trim()).map(UserName::Sid).or(Upn::parse(text.trim()).map(UserName::Upn))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if name.is_some() {
        return Ok(name);
    }
    Ok(uuid_of("target", value)?.map(|id| UserName::Id(UserId::new(id))))
}

fn comment_of(value: &Value) -> Result<Comment, Refusal> {
    if *value == Value::Null {
        return Ok(Comment::default());
    }
    let text = text_of(value).ok_or_else(|| Refusal::invalid("comment", "must be a string"))?;
    Comment::parse("comment", text)
}

fn priority_of(value: &Value) -> Result<Option<Priority>, Refusal> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim(),
        Value::Number(number) => codes::whole(number),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => "",
    };
    let priority = number.parse().map_err(|_| Refusal::invalid("priority", "must be a whole number from 0 to 255"))?;
    Ok(Some(Priority(priority)))
}
