//! From claims to a caller: step 14 of the check.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use uuid::Uuid;

use super::claims::Claims;
use super::mapping::ClaimMapping;
use super::rejection::Rejection;
use crate::domain::{Actor, Caller, Groups, Proof, ProofMethod, Sid, Timestamp, Upn, UserId};
use crate::runtime::jwt::{ClaimEncoding, ClaimReader};

/// The subject and the caller that claims describe.
pub(super) fn caller(
    mapping: &ClaimMapping,
    entry: &Arc<str>,
    claims: &Claims,
    expires_at: Timestamp,
) -> Result<(String, Caller), Rejection> {
    let subject = subject(mapping.subject.as_ref(), claims)?;
    let name = mapping.name.as_ref().map(|reader| read(reader, claims)).transpose()?.flatten();
    let caller = Caller {
        user: user(mapping.uuid.as_ref(), entry, &subject, claims)?,
        name: name.as_ref().unwrap_or(&subject).chars().take(Actor::MAX_NAME_CHARS).collect(),
        sid: sid(mapping.sid.as_ref(), claims)?,
        upn: upn(mapping.upn.as_ref(), claims)?,
        groups: groups(mapping.groups.as_ref(), claims)?,
        proof: Proof { method: ProofMethod::Token, entry: Some(entry.clone()), expires_at: Some(expires_at) },
    };
    Ok((subject.into_owned(), caller))
}

fn subject<'a>(reader: Option<&ClaimReader>, claims: &'a Claims) -> Result<Cow<'a, str>, Rejection> {
    match reader {
        Some(reader) => read(reader, claims)?.ok_or_else(|| refuse(reader, "is missing")),
        None => claims.text("sub")?.map(Cow::Borrowed).ok_or_else(|| Rejection::mapping("sub", "is missing")),
    }
}

fn user(reader: Option<&ClaimReader>, entry: &str, subject: &str, claims: &Claims) -> Result<UserId, Rejection> {
    let Some(reader) = reader else { return Ok(UserId::of_subject(entry, subject)) };
    let text = read(reader, claims)?.ok_or_else(|| refuse(reader, "is missing"))?;
    let uuid = Uuid::try_parse(&text).map_err(|_| refuse(reader, "is not a UUID"))?;
    UserId::of_provider(uuid).ok_or_else(|| refuse(reader, "is a UUID that cannot be a user"))
}

fn sid(reader: Option<&ClaimReader>, claims: &Claims) -> Result<Option<Sid>, Rejection> {
    let Some(reader) = reader else { return Ok(None) };
    let Some(text) = read(reader, claims)? else { return Ok(None) };
    Sid::parse(&text).map(Some).ok_or_else(|| refuse(reader, "is not a SID (S-1-...)"))
}

fn upn(reader: Option<&ClaimReader>, claims: &Claims) -> Result<Option<Upn>, Rejection> {
    let Some(reader) = reader else { return Ok(None) };
    let Some(text) = read(reader, claims)? else { return Ok(None) };
    Upn::parse(&text).map(Some).ok_or_else(|| refuse(reader, "is not a user principal name (user@suffix)"))
}

fn groups(reader: Option<&ClaimReader>, claims: &Claims) -> Result<Groups, Rejection> {
    let Some(reader) = reader else { return Ok(Groups::Known(Vec::new())) };
    if is_overage(&reader.claim, claims) {
        return Ok(Groups::Unknown);
    }
    let sids = match claims.get(&reader.claim) {
        None => None,
        Some(Value::String(group)) => Sid::parse(group).map(|sid| vec![sid]),
        Some(Value::Array(groups)) if groups.len() > Groups::MAX => {
            return Err(refuse(reader, "lists more than 1,024 groups"));
        }
        Some(Value::Array(groups)) => groups.iter().map(|group| group.as_str().and_then(Sid::parse)).collect(),
        Some(_) => return Err(refuse(reader, "is neither a text nor a list of texts")),
    };
    Ok(sids.map_or(Groups::Unknown, Groups::Known))
}

/// Whether Entra ID omitted groups because the user has too many: `_claim_names` refers to another source, or `hasgroups` is true.
fn is_overage(groups: &str, claims: &Claims) -> bool {
    let is_elsewhere = claims.get("_claim_names").is_some_and(|names| names.get(groups).is_some());
    let has_groups = claims.get("hasgroups").is_some_and(|flag| *flag != Value::Bool(false));
    is_elsewhere || has_groups
}

/// The text of a mapped claim; `None` if it is missing.
fn read<'a>(reader: &ClaimReader, claims: &'a Claims) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(text) = claims.text(&reader.claim)? else { return Ok(None) };
    match reader.encoding {
        ClaimEncoding::Text => Ok(Some(Cow::Borrowed(text))),
        ClaimEncoding::GuidLeBase64 => {
            let bytes = BASE64_STANDARD.decode(text).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            let guid = bytes.map(|bytes| Uuid::from_bytes_le(bytes).to_string());
            guid.map(Cow::Owned).map(Some).ok_or_else(|| refuse(reader, "is not the base64 form of a GUID"))
        }
    }
}

fn refuse(reader: &ClaimReader, problem: &'static str) -> Rejection {
    Rejection::mapping(&reader.claim, problem)
}
