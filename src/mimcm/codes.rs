//! Names and numbers of MIM CM. No other module has them: every other contract uses names of its own.
//!
//! The SQL interface documents the numbers of the statuses (SDK page bb468058), and the database those of the types 1 to 11.
//! The documents number neither `OfflineUnblock`, nor the two parties of the data collection, nor anything in its definitions.

use crate::domain::{
    CredentialStatus, DataItemDefinition, DataItemType, Lineage, Medium, Provider, Request, RequestType, Status,
};

/// Type names that callers may use: those of the create page, of the policy page, and of the enumeration.
pub(super) const TYPE_NAMES: [(&str, RequestType); 16] = [
    ("Enroll", RequestType::Enroll),
    ("Duplicate", RequestType::Duplicate),
    ("OfflineUnblock", RequestType::OfflineUnblock),
    ("OnlineUpdate", RequestType::OnlineUpdate),
    ("Renew", RequestType::Renew),
    ("Recover", RequestType::Recover),
    ("RecoverOnBehalf", RequestType::RecoverOnBehalf),
    ("Reinstate", RequestType::SuspendOrReinstate),
    ("Retire", RequestType::Retire),
    ("Revoke", RequestType::Disable),
    ("TemporaryCards", RequestType::TemporaryCardEnroll),
    ("Unblock", RequestType::Unblock),
    ("Disable", RequestType::Disable),
    ("SuspendOrReinstate", RequestType::SuspendOrReinstate),
    ("TemporaryCardEnroll", RequestType::TemporaryCardEnroll),
    ("TemporaryEnroll", RequestType::TemporaryCardEnroll),
];

/// Number of names from the create page, which come first; error messages list only these.
const DOCUMENTED_TYPES: usize = 12;

/// The status names that the get page lists.
pub(super) const STATUS_NAMES: &str = "Approved, Canceled, Completed, Denied, Executing, Failed, None, Pending";

/// The name of status 0, which no request has.
const NO_STATUS: &str = "None";

/// The number of a type.
pub(super) const fn type_number(kind: RequestType) -> u8 {
    match kind {
        RequestType::Enroll => 1,
        RequestType::Recover => 2,
        RequestType::Renew => 3,
        RequestType::Disable => 4,
        RequestType::Unblock => 5,
        RequestType::Duplicate => 6,
        RequestType::Retire => 7,
        RequestType::RecoverOnBehalf => 8,
        RequestType::SuspendOrReinstate => 9,
        RequestType::OnlineUpdate => 10,
        RequestType::TemporaryCardEnroll => 11,
        // 12 and 13 are the types that retire and disable temporary cards.
        RequestType::OfflineUnblock => 14,
    }
}

/// The number of a status.
pub(super) const fn status_number(status: Status) -> u8 {
    match status {
        Status::Approved => 3,
        Status::Denied => 4,
        Status::Completed => 8,
        Status::Failed => 9,
        Status::Pending => 16,
        Status::Canceled => 17,
        Status::Executing => 18,
    }
}

/// The bits of `Flags`: 1 for an enrollment agent, 2 for a smart card.
pub(super) fn flags(request: &Request) -> u8 {
    let agent = u8::from(request.policy.enrollment_agent_required);
    let smartcard = match request.medium {
        Medium::Software => 0,
        Medium::Smartcard => 2,
    };
    agent | smartcard
}

/// The bits of `DataCollectionFlags`, one per party that has provided its items: 16 the subscriber, 32 the certificate manager.
pub(super) fn data_collection_flags(request: &Request) -> u8 {
    let bit = |provider, bit| if request.is_provided_by(provider) { bit } else { 0 };
    bit(Provider::Subscriber, 16) | bit(Provider::CertificateManager, 32)
}

/// The number of a data item's type. The documents list only names; the numbers follow their order.
pub(super) const fn item_type_number(kind: DataItemType) -> u8 {
    match kind {
        DataItemType::String => 1,
        DataItemType::Number => 2,
        DataItemType::Date => 3,
    }
}

/// The number of a data item's validation: 0 none, 1 by type, 2 by regular expression. Like the types, the numbers follow the
/// order of the names.
pub(super) const fn validation_number(definition: &DataItemDefinition) -> u8 {
    match (&definition.pattern, definition.kind) {
        (Some(_), _) => 2,
        (None, DataItemType::Number | DataItemType::Date) => 1,
        (None, DataItemType::String) => 0,
    }
}

/// The number of a smart card's status. The documents show 2, 3 and 6; the others follow the order of the names.
pub(super) const fn smartcard_status_number(status: CredentialStatus) -> u8 {
    match status {
        CredentialStatus::New => 1,
        CredentialStatus::Assigned => 2,
        CredentialStatus::Active => 3,
        CredentialStatus::Disabled => 4,
        CredentialStatus::Suspended => 5,
        CredentialStatus::Retired => 6,
    }
}

/// The number of a profile's status. The documents show 2, active; the others follow the order of the names.
pub(super) const fn profile_status_number(status: CredentialStatus) -> u8 {
    match status {
        // Profiles have no status `Assigned`; one that is not in use yet is new.
        CredentialStatus::New | CredentialStatus::Assigned => 1,
        CredentialStatus::Active => 2,
        CredentialStatus::Disabled => 3,
        CredentialStatus::Suspended => 4,
        CredentialStatus::Retired => 5,
    }
}

/// The bits of `Flags` in cards and profiles: 1 primary, as the documents show; 2 duplicate and 32 temporary follow the order of
/// the names.
pub(super) const fn credential_flags(lineage: Lineage) -> u8 {
    match lineage {
        Lineage::First | Lineage::Replaces(_) => 1,
        Lineage::Duplicates(_) => 2,
        Lineage::StandsInFor(_) => 32,
    }
}

/// The documented operations by their names in answers.
const OPERATIONS: [(&str, RequestType); 7] = [
    ("onlineupdate", RequestType::OnlineUpdate),
    ("renew", RequestType::Renew),
    ("unblock", RequestType::Unblock),
    ("retire", RequestType::Retire),
    ("disable", RequestType::Disable),
    ("recover", RequestType::Recover),
    ("recoveronbehalf", RequestType::RecoverOnBehalf),
];

/// The names of operations, in the order of the documented examples.
pub(super) fn operations(kinds: &[RequestType]) -> Vec<&'static str> {
    OPERATIONS.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| *name).collect()
}

/// The status filter of a list of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProfileStatus {
    /// All profiles.
    Any,
    /// Profiles with this status.
    Is(CredentialStatus),
    /// A status that only requests have: no profile matches.
    OfRequests,
}

/// The status names that the page about profiles lists.
pub(super) const PROFILE_STATUS_NAMES: &str =
    "Active, Approved, Canceled, Completed, Denied, Executing, Failed, None, Pending";

/// Reads a status filter of profiles by name, in any case; an empty one matches all profiles.
pub(super) fn read_profile_status(text: &str) -> Option<ProfileStatus> {
    if text.is_empty() {
        return Some(ProfileStatus::Any);
    }
    if let Some(status) = read_credential_status(text) {
        return Some(ProfileStatus::Is(status));
    }
    // The number of a request's status is not a profile status.
    let is_name = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    read_status(text).filter(|_| is_name).map(|_| ProfileStatus::OfRequests)
}

/// Reads a status that a caller may set on a card, by name in any case or by a documented number. The numbers 4 and 5 are
/// refused: they are not documented and could be swapped in MIM CM, and a disabled card cannot be reactivated.
pub(super) fn read_smartcard_status(text: &str) -> Option<CredentialStatus> {
    let text = text.trim();
    let documented = [CredentialStatus::Active, CredentialStatus::Retired];
    let numbered = documented.into_iter().find(|status| is_number(text, smartcard_status_number(*status)));
    let named = read_credential_status(text)
        .filter(|status| !matches!(status, CredentialStatus::New | CredentialStatus::Assigned));
    named.or(numbered)
}

fn read_credential_status(text: &str) -> Option<CredentialStatus> {
    CredentialStatus::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(text))
}

/// Reads a type by name in any case or by number, as the framework binds an enumeration.
pub(super) fn read_type(text: &str) -> Option<RequestType> {
    let text = text.trim();
    let named = TYPE_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind);
    named.or_else(|| RequestType::ALL.into_iter().find(|kind| is_number(text, type_number(*kind))))
}

/// The type names that the create page lists.
pub(super) fn type_names() -> String {
    TYPE_NAMES[..DOCUMENTED_TYPES].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Reads a status by name in any case or by number: `Some(None)` for `None`, which no request has.
#[expect(clippy::option_option, reason = "the inner None is the status of that name")]
pub(super) fn read_status(text: &str) -> Option<Option<Status>> {
    let text = text.trim();
    if text.eq_ignore_ascii_case(NO_STATUS) || is_number(text, 0) {
        return Some(None);
    }
    Status::ALL.into_iter().find(|status| is_status(text, *status)).map(Some)
}

/// Removes a fraction of zeros, which some serialisers add to every number.
pub(super) fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => number,
    }
}

/// Whether a text is the name of a status in any case, or its number.
pub(super) fn is_status(text: &str, status: Status) -> bool {
    text.eq_ignore_ascii_case(status.name()) || is_number(text, status_number(status))
}

fn is_number(text: &str, number: u8) -> bool {
    text.parse() == Ok(number)
}

#[cfg(test)]
mod tests {
    use super::{read_status, read_type, status_number, type_names, type_number};
    use crate::domain::{RequestType, Status};

    #[test]
    fn every_type_is_read_by_its_names_and_its_number() {
        for (name, kind) in super::TYPE_NAMES {
            for text in [name.to_owned(), name.to_uppercase(), name.to_lowercase(), format!(" {name} ")] {
                assert_eq!(read_type(&text), Some(kind), "{text}");
            }
        }
        for kind in RequestType::ALL {
            assert_eq!(read_type(&type_number(kind).to_string()), Some(kind));
        }
        for other in ["", "0", "12", "-1", "256", "Abandon", "enroll,renew", "recover_on_behalf"] {
            assert_eq!(read_type(other), None, "{other}");
        }
        assert_eq!(type_names().split(", ").count(), 12);
    }

    #[test]
    fn every_status_is_read_by_its_name_and_its_number() {
        for status in Status::ALL {
            assert_eq!(read_status(status.name()), Some(Some(status)));
            assert_eq!(read_status(&status.name().to_uppercase()), Some(Some(status)));
            assert_eq!(read_status(&status_number(status).to_string()), Some(Some(status)));
        }
        assert_eq!(read_status("none"), Some(None));
        for other in ["", "Abandoned", "1", "Cancelled"] {
            assert_eq!(read_status(other), None, "{other}");
        }
    }
}
