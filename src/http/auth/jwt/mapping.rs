//! Which claims describe the caller.

use crate::runtime::jwt::ClaimReader;

/// Which claims describe the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimMapping {
    /// The subject, which identifies the caller among those of the entry. Default: `sub`.
    pub subject: Option<ClaimReader>,
    /// UUID of the user, such as its objectGUID. A mapped claim is required. Without a mapping, the UUID is made from the subject.
    /// Entries that map a UUID share one space of users.
    pub uuid: Option<ClaimReader>,
    /// SID of the account.
    pub sid: Option<ClaimReader>,
    /// User principal name of the account.
    pub upn: Option<ClaimReader>,
    /// Name for display. Default: the subject.
    pub name: Option<ClaimReader>,
    /// SIDs of groups. Without a mapping, callers of the entry are in no groups. A mapped claim that is missing, or that lists
    /// something else than SIDs, leaves the groups unknown.
    pub groups: Option<ClaimReader>,
}
