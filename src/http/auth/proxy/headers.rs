//! From the headers of the trusted proxy to the caller: a pure function.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use uuid::Uuid;

use super::ENTRY;
use super::rejection::IdentityRejection;
use crate::domain::{Actor, Caller, Groups, Proof, ProofMethod, Sid, UserId};

/// Longest value that is not a list, in bytes.
const MAX_TEXT_BYTES: usize = 2048;

/// The headers by which the proxy names callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The subject, which identifies the caller unless there is a UUID.
    pub subject: HeaderName,
    /// UUID of the user. If it is set, the header is required and the subject is not.
    pub uuid: Option<HeaderName>,
    /// Name for display. Default: the subject, or else the UUID.
    pub name: Option<HeaderName>,
    /// SID of the account.
    pub sid: Option<HeaderName>,
    /// SIDs of the groups, separated by commas. Unset: callers are in no groups. A missing header, or one that lists something else
    /// than SIDs, leaves the groups unknown.
    pub groups: Option<HeaderName>,
}

impl IdentityHeaders {
    /// The caller that the headers name; `None` if the call has none of them.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, IdentityRejection> {
        self.check_variants(headers)?;
        let mut is_named = false;
        for header in self.all() {
            let mut values = headers.get_all(header).iter();
            is_named |= values.next().is_some();
            if values.next().is_some() {
                return Err(IdentityRejection::Repeated { header: header.clone() });
            }
        }
        if !is_named {
            return Ok(None);
        }
        if headers.contains_key(AUTHORIZATION) {
            return Err(IdentityRejection::BesideAuthorization);
        }
        let subject = text(headers, &self.subject)?;
        let (user, default_name) = if let Some(header) = &self.uuid {
            let user = user(headers, header)?;
            (user, subject.map_or_else(|| user.to_string(), str::to_owned))
        } else {
            let subject = subject.ok_or_else(|| IdentityRejection::Missing { header: self.subject.clone() })?;
            (UserId::of_subject(ENTRY, subject), subject.to_owned())
        };
        let name = self.name.as_ref().map(|header| text(headers, header)).transpose()?.flatten();
        Ok(Some(Caller {
            user,
            name: name.unwrap_or(&default_name).chars().take(Actor::MAX_NAME_CHARS).collect(),
            sid: self.sid.as_ref().map(|header| sid(headers, header)).transpose()?.flatten(),
            upn: None,
            groups: self.groups.as_ref().map_or(Ok(Groups::Known(Vec::new())), |header| groups(headers, header))?,
            proof: Proof { method: ProofMethod::Proxy, entry: Some(Arc::from(ENTRY)), expires_at: None },
        }))
    }

    /// Removes the headers and their variants; whether there were any.
    pub(super) fn remove_from(&self, headers: &mut HeaderMap) -> bool {
        let found: Vec<HeaderName> =
            headers.keys().filter(|name| self.all().any(|header| is_like(name, header))).cloned().collect();
        for name in &found {
            headers.remove(name);
        }
        !found.is_empty()
    }

    /// Refuses headers whose names differ in an underscore: servers that hand headers on as variables (RFC 3875, 4.1.18) take both
    /// for one, so a proxy may have removed one and passed on the other.
    fn check_variants(&self, headers: &HeaderMap) -> Result<(), IdentityRejection> {
        for found in headers.keys().filter(|name| name.as_str().contains('_')) {
            if let Some(header) = self.all().find(|header| is_like(found, header)) {
                return Err(IdentityRejection::Variant { found: found.clone(), header: header.clone() });
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &HeaderName> {
        let optional = [&self.uuid, &self.name, &self.sid, &self.groups];
        std::iter::once(&self.subject).chain(optional.into_iter().flatten())
    }
}

/// Whether a name is that of an identity header, if underscores count as hyphens. Names are in lower case already.
fn is_like(name: &HeaderName, header: &HeaderName) -> bool {
    let hyphenated = name.as_str().bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
    hyphenated.eq(header.as_str().bytes())
}

/// The text of a header; `None` if it is missing or empty.
fn text<'h>(headers: &'h HeaderMap, header: &HeaderName) -> Result<Option<&'h str>, IdentityRejection> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().map(str::trim);
    let text = text.filter(|text| text.len() <= MAX_TEXT_BYTES && !text.contains(char::is_control));
    let text =
        text.ok_or_else(|| malformed(header, "is not UTF-8 text of at most 2,048 bytes without control characters"))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn user(headers: &HeaderMap, header: &HeaderName) -> Result<UserId, IdentityRejection> {
    let text = text(headers, header)?.ok_or_else(|| IdentityRejection::Missing { header: header.clone() })?;
    let uuid = Uuid::try_parse(text).map_err(|_| malformed(header, "is not a UUID"))?;
    UserId::of_provider(uuid).ok_or_else(|| malformed(header, "is a UUID that cannot be a user"))
}

fn sid(headers: &HeaderMap, header: &HeaderName) -> Result<Option<Sid>, IdentityRejection> {
    let Some(text) = text(headers, header)? else { return Ok(None) };
    Sid::parse(text).map(Some).ok_or_else(|| malformed(header, "is not a SID (S-1-...)"))
}

fn groups(headers: &HeaderMap, header: &HeaderName) -> Result<Groups, IdentityRejection> {
    let Some(value) = headers.get(header) else { return Ok(Groups::Unknown) };
    let text = value.to_str().map_err(|_| malformed(header, "is not text"))?;
    let listed: Vec<&str> =
        text.split(',').map(str::trim).filter(|group| !group.is_empty()).take(Groups::MAX + 1).collect();
    if listed.len() > Groups::MAX {
        return Err(IdentityRejection::Groups { header: header.clone(), limit: Groups::MAX });
    }
    let sids: Option<Vec<Sid>> = listed.into_iter().map(Sid::parse).collect();
    Ok(sids.map_or(Groups::Unknown, Groups::Known))
}

fn malformed(header: &HeaderName, problem: &'static str) -> IdentityRejection {
    IdentityRejection::Malformed { header: header.clone(), problem }
}
