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

impl ClaimReader {
    /// Reads `claim` or `claim:guid-le-base64`.
    ///
    /// # Errors
    /// A sentence without a subject, if the claim is empty or the form unknown.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (claim, form) = match text.rsplit_once(':') {
            Some((claim, "guid-le-base64")) => (claim, ClaimForm::GuidLeBase64),
            // Claims of ADFS can be URIs, so other colons belong to the name.
            Some((_, form)) if form.starts_with("guid") => {
                return Err(format!("has the unknown form {form:?}; the only form is guid-le-base64"));
            }
            _ => (text, ClaimForm::Text),
        };
        if claim.is_empty() {
            return Err("must name a claim".to_owned());
        }
        Ok(Self { claim: claim.to_owned(), form })
    }
}

#[cfg(test)]
mod tests {
    use super::{ClaimForm, ClaimReader};

    #[test]
    fn a_reader_is_a_claim_and_maybe_a_form() {
        let uri = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid";
        for (text, claim, form) in [
            ("sub", "sub", ClaimForm::Text),
            ("objectguid:guid-le-base64", "objectguid", ClaimForm::GuidLeBase64),
            (uri, uri, ClaimForm::Text),
            ("/kubernetes.io/namespace", "/kubernetes.io/namespace", ClaimForm::Text),
        ] {
            assert_eq!(ClaimReader::parse(text), Ok(ClaimReader { claim: claim.to_owned(), form }));
        }
        for text in ["", ":guid-le-base64", "objectguid:guid", "objectguid:guid-base64"] {
            assert!(ClaimReader::parse(text).is_err(), "{text:?}");
        }
    }
}
