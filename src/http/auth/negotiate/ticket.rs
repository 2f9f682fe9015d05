//! From an accepted ticket to the caller.

use std::sync::Arc;

use super::pac::LogonInfo;
use super::refusal::Refusal;
use crate::domain::{Caller, Groups, Proof, ProofMethod, Sid, Timestamp, UserId};

/// Name of the provider of the users, and of the entry of the configuration.
pub const ENTRY: &str = "negotiate";

/// Groups that Windows adds to every caller over the network: Everyone, Authenticated Users, Network (MS-DTYP 2.4.2.4).
const ADDED_GROUPS: [&str; 3] = ["S-1-1-0", "S-1-5-11", "S-1-5-2"];

/// First component of principals without an account, such as anonymous ones (RFC 6111).
const WELL_KNOWN: &str = "WELLKNOWN/";

/// A ticket whose signatures are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The principal of the client, with its realm.
    pub(super) principal: String,
    /// Seconds until the ticket expires.
    pub(super) seconds_left: u32,
    /// Whether the client bound the ticket to this channel.
    pub(super) is_bound: bool,
    /// The logon information, verified but not read yet.
    pub(super) logon_info: Option<Vec<u8>>,
    /// The token that proves the service to the client; empty if there is none.
    pub(super) answer: Vec<u8>,
}

impl Ticket {
    /// The caller whom the ticket proves, if its realm is accepted. It is identified by its security identifier, which survives
    /// renaming, or else by its principal.
    pub(super) fn caller(self, realms: &[String], now: Timestamp) -> Result<Caller, Refusal> {
        let Some(realm) = realm(&self.principal) else { return Err(Refusal::Name(self.principal)) };
        if !realms.iter().any(|accepted| accepted == realm) {
            return Err(Refusal::Realm(self.principal));
        }
        if self.principal.starts_with(WELL_KNOWN) {
            return Err(Refusal::Name(self.principal));
        }
        let info = self.logon_info.as_deref().map(LogonInfo::read).transpose()?;
        let (sid, groups) = match info {
            Some(info) => (Some(info.user.clone()), groups(info)),
            None => (None, Groups::Unknown),
        };
        let subject = sid.as_ref().map_or_else(|| self.principal.clone(), Sid::to_string);
        let expires_at = Timestamp::from_micros(now.micros().saturating_add(i64::from(self.seconds_left) * 1_000_000));
        Ok(Caller {
            user: UserId::of_subject(ENTRY, &subject),
            name: self.principal,
            sid,
            // The principal is made from another attribute of the account (sAMAccountName).
            upn: None,
            groups,
            proof: Proof { method: ProofMethod::Kerberos, entry: Some(Arc::from(ENTRY)), expires_at },
        })
    }
}

/// The groups of a caller.
fn groups(info: LogonInfo) -> Groups {
    let LogonInfo { user: _, mut groups, deny_only } = info;
    for added in ADDED_GROUPS.into_iter().filter_map(Sid::parse) {
        if !groups.contains(&added) {
            groups.push(added);
        }
    }
    if deny_only.is_empty() { Groups::Known(groups) } else { Groups::Restricted { groups, deny_only } }
}

/// The realm of a principal: what follows the last `@` that is not escaped by a backslash.
fn realm(principal: &str) -> Option<&str> {
    let (name, realm) = principal.rsplit_once('@')?;
    let backslashes = name.bytes().rev().take_while(|byte| *byte == b'\\').count();
    (backslashes.is_multiple_of(2) && !name.is_empty() && !realm.is_empty()).then_some(realm)
}

#[cfg(test)]
mod tests;
