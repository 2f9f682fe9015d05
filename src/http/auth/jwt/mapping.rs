//! Which claims describe the caller.

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
    /// Name for display. Default: the subject.
    pub name: Option<ClaimReader>,
    /// SIDs of groups. Without a mapping, callers of the entry are in no groups. A mapped claim that is missing, or that lists
    /// something else than SIDs, leaves the groups unknown.
    pub groups: Option<ClaimReader>,
}

/// Reads a text from a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimReader {
    /// Name of the claim, or a JSON pointer (RFC 6901).
    pub claim: String,
    /// How the text is encoded.
    pub form: ClaimForm,
}

/// How a claim encodes a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimForm {
    /// Not at all.
    Text,
    /// `guid-le-base64`: a GUID of a directory as base64 of its 16 bytes, of which the first three fields are little-endian
    /// (MS-DTYP 2.3.4.2). ADFS issues objectGUID so.
    GuidLeBase64,
}
