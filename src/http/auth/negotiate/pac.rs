//! Reads the logon information of a Kerberos ticket: `KERB_VALIDATION_INFO` (MS-PAC 2.5) in NDR (C706 chapter 14, MS-RPCE 2.2.6).
//! MIT krb5 hands it out as the name attribute `urn:mspac:logon-info`, after it verified the signatures of the PAC.

mod fixed;
mod ndr;
#[cfg(test)]
mod tests;

use thiserror::Error;

use self::fixed::{Fixed, List};
use self::ndr::Reader;
use crate::domain::Sid;

/// Longest logon information that is read, in bytes. Windows' tickets are limited to 48,000 bytes.
const MAX_BYTES: usize = 64 << 10;

/// Most security identifiers in one ticket. Windows refuses a logon with more than 1,015 groups.
const MAX_SIDS: usize = 1_100;

/// `UserFlags` (MS-PAC 2.5): `ExtraSids` is set.
const EXTRA_SIDS: u32 = 0x20;
/// `UserFlags` (MS-PAC 2.5): the resource groups are set.
const RESOURCE_GROUPS: u32 = 0x200;

/// Attributes of a membership (MS-PAC 2.2.1).
const MANDATORY: u32 = 0x1;
const ENABLED: u32 = 0x4;
const DENY_ONLY: u32 = 0x10;

/// What a ticket says about its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogonInfo {
    /// The account.
    pub user: Sid,
    /// The groups that count for every rule, the primary group first.
    pub groups: Vec<Sid>,
    /// The groups that count only for rules that deny: disabled ones, and those marked so.
    pub deny_only: Vec<Sid>,
}

/// Why logon information cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacError {
    /// The data exceed the limit on bytes.
    #[error("the logon information has {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// The ticket names too many security identifiers.
    #[error("the logon information names more than {MAX_SIDS} security identifiers")]
    TooManySids,
    /// The data end within a field.
    #[error("the logon information ends within {0}")]
    Truncated(&'static str),
    /// The data are not little-endian NDR of version 1.
    #[error("the logon information has an unknown NDR header")]
    Header,
    /// A pointer is null where a value is required.
    #[error("the logon information has no {0}")]
    Missing(&'static str),
    /// Two fields that must agree do not.
    #[error("the counts of {0} in the logon information contradict each other")]
    Count(&'static str),
    /// A security identifier has an unknown revision, or no or too many parts.
    #[error("{0} in the logon information is not a security identifier")]
    Sid(&'static str),
}

/// An identifier of an account or group with its attributes.
type Membership<T> = (T, u32);

impl LogonInfo {
    /// Reads the value of `urn:mspac:logon-info`.
    ///
    /// # Errors
    /// The bytes are not logon information, or they exceed a limit.
    pub fn read(bytes: &[u8]) -> Result<Self, PacError> {
        if bytes.len() > MAX_BYTES {
            return Err(PacError::TooLong(bytes.len()));
        }
        let mut reader = Reader::open(bytes)?;
        let fixed = Fixed::read(&mut reader)?;
        fixed.check_sizes()?;
        // The referents follow in the order of their pointers.
        for length in fixed.account_strings {
            reader.skip_string(length)?;
        }
        let groups = rids(&mut reader, fixed.groups, "GroupIds")?;
        for length in fixed.domain_strings {
            reader.skip_string(length)?;
        }
        let domain = fixed.has_domain.then(|| reader.sid("LogonDomainId")).transpose()?;
        let extra = extra_sids(&mut reader, fixed.extra)?;
        let resource_domain = fixed.has_resource_domain.then(|| reader.sid("ResourceGroupDomainSid")).transpose()?;
        let resource = rids(&mut reader, fixed.resource, "ResourceGroupIds")?;

        let mut extra = if fixed.flags & EXTRA_SIDS == 0 { Vec::new() } else { extra };
        let user = match (&domain, fixed.user_id) {
            // MS-PAC 2.5: the first extra identifier is that of an account that is in no domain.
            (_, 0) if !extra.is_empty() => extra.remove(0).0,
            (_, 0) => return Err(PacError::Missing("UserId")),
            (Some(domain), rid) => account(domain, rid, "UserId")?,
            (None, _) => return Err(PacError::Missing("LogonDomainId")),
        };
        let mut info = Self { user, groups: Vec::new(), deny_only: Vec::new() };
        if let Some(domain) = &domain {
            // The primary group may be missing from `GroupIds`, which then says nothing about its attributes.
            let listed = groups.iter().find(|(rid, _)| *rid == fixed.primary_group);
            let attributes = listed.map_or(MANDATORY | ENABLED, |(_, attributes)| *attributes);
            info.add(account(domain, fixed.primary_group, "PrimaryGroupId")?, attributes);
            info.add_all(domain, &groups, "GroupIds")?;
        } else if !groups.is_empty() {
            return Err(PacError::Missing("LogonDomainId"));
        }
        for (sid, attributes) in extra {
            info.add(sid, attributes);
        }
        if fixed.flags & RESOURCE_GROUPS != 0 && !resource.is_empty() {
            let domain = resource_domain.ok_or(PacError::Missing("ResourceGroupDomainSid"))?;
            info.add_all(&domain, &resource, "ResourceGroupIds")?;
        }
        Ok(info)
    }

    fn add_all(&mut self, domain: &str, rids: &[Membership<u32>], field: &'static str) -> Result<(), PacError> {
        for (rid, attributes) in rids {
            self.add(account(domain, *rid, field)?, *attributes);
        }
        Ok(())
    }

    fn add(&mut self, sid: Sid, attributes: u32) {
        let grants = attributes & DENY_ONLY == 0 && attributes & (MANDATORY | ENABLED) != 0;
        let list = if grants { &mut self.groups } else { &mut self.deny_only };
        if !list.contains(&sid) {
            list.push(sid);
        }
    }
}

/// An array of `GROUP_MEMBERSHIP` (MS-PAC 2.2.2).
fn rids(reader: &mut Reader, list: List, field: &'static str) -> Result<Vec<Membership<u32>>, PacError> {
    let mut rids = Vec::new();
    if list.is_set {
        reader.array(list.count, field)?;
        for _ in 0..list.count {
            rids.push((reader.u32(field)?, reader.u32(field)?));
        }
    }
    Ok(rids)
}

/// An array of `KERB_SID_AND_ATTRIBUTES` (MS-PAC 2.2.1); the identifiers follow behind the array.
fn extra_sids(reader: &mut Reader, list: List) -> Result<Vec<Membership<Sid>>, PacError> {
    const FIELD: &str = "ExtraSids";
    let mut attributes = Vec::new();
    if list.is_set {
        reader.array(list.count, FIELD)?;
        for _ in 0..list.count {
            if reader.u32(FIELD)? == 0 {
                return Err(PacError::Missing(FIELD));
            }
            attributes.push(reader.u32(FIELD)?);
        }
    }
    let mut sids = Vec::new();
    for attributes in attributes {
        let sid = Sid::parse(&reader.sid(FIELD)?).ok_or(PacError::Sid(FIELD))?;
        sids.push((sid, attributes));
    }
    Ok(sids)
}

/// The identifier of an account or group of a domain.
fn account(domain: &str, rid: u32, field: &'static str) -> Result<Sid, PacError> {
    Sid::parse(&format!("{domain}-{rid}")).ok_or(PacError::Sid(field))
}
