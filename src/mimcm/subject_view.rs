//! Smart cards and profiles as the legacy API shows them, properties in the documented order.

use serde::Serialize;
use uuid::Uuid;

use super::numbers;
use crate::domain::{CardId, Credential, Lineage, ProfileId, RequestType, SmartcardId, Subject};

/// The middleware of every card in the documents; the service knows of no other.
const MIDDLEWARE: &str = "MSBaseCSP";

/// A smart card. What is not known is a zero GUID or an empty string.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SmartcardView<'a> {
    uuid: Uuid,
    status: u8,
    flags: u8,
    parent_smartcard_uuid: Uuid,
    primary_smartcard_uuid: Uuid,
    permanent_smartcard_uuid: Uuid,
    assigned_user_uuid: Uuid,
    profile_template_uuid: Uuid,
    profile_template_version: u32,
    comment: &'a str,
    serial_number: String,
    middleware: &'static str,
    atr: &'a str,
}

/// A profile, with what the caller may ask for about it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProfileView<'a> {
    uuid: Uuid,
    status: u8,
    flags: u8,
    parent_profile_uuid: Uuid,
    primary_profile_uuid: Uuid,
    assigned_user_uuid: Uuid,
    profile_template_uuid: Uuid,
    profile_template_version: u32,
    comment: &'a str,
    profile_operations: Vec<&'static str>,
}

impl<'a> SmartcardView<'a> {
    /// A smart card as it is shown.
    pub(super) fn of(subject: &'a Subject) -> Self {
        let card = subject.card();
        let family = Family::of(subject.lineage);
        let id = |credential: Credential| credential.smartcard.map_or(Uuid::nil(), SmartcardId::uuid);
        Self {
            uuid: subject.id(),
            status: numbers::smartcard_status_number(subject.standing),
            flags: numbers::subject_flags(subject.lineage),
            parent_smartcard_uuid: id(family.parent),
            primary_smartcard_uuid: id(family.primary),
            permanent_smartcard_uuid: id(family.permanent),
            assigned_user_uuid: subject.owner.uuid(),
            profile_template_uuid: subject.template.id.uuid(),
            profile_template_version: subject.template.version,
            comment: subject.comment.as_str(),
            serial_number: card.map(|card| serial_number(&card.card_id)).unwrap_or_default(),
            middleware: card.map_or("", |_| MIDDLEWARE),
            atr: card.map_or("", |card| card.atr.as_str()),
        }
    }
}

impl<'a> ProfileView<'a> {
    /// A profile as it is shown.
    pub(super) fn of(subject: &'a Subject, operations: &[RequestType]) -> Self {
        let family = Family::of(subject.lineage);
        let id = |credential: Credential| credential.profile.map_or(Uuid::nil(), ProfileId::uuid);
        Self {
            uuid: subject.id(),
            status: numbers::profile_status_number(subject.standing),
            flags: numbers::subject_flags(subject.lineage),
            parent_profile_uuid: id(family.parent),
            primary_profile_uuid: id(family.primary),
            assigned_user_uuid: subject.owner.uuid(),
            profile_template_uuid: subject.template.id.uuid(),
            profile_template_version: subject.template.version,
            comment: subject.comment.as_str(),
            profile_operations: numbers::operations(operations),
        }
    }
}

/// Where the profiles and cards before stand in the answer.
#[derive(Default)]
struct Family {
    parent: Credential,
    primary: Credential,
    permanent: Credential,
}

impl Family {
    fn of(lineage: Lineage) -> Self {
        match lineage {
            Lineage::First => Self::default(),
            Lineage::Replaces(parent) => Self { parent, ..Self::default() },
            Lineage::Duplicates(primary) => Self { primary, ..Self::default() },
            Lineage::StandsInFor(permanent) => Self { permanent, ..Self::default() },
        }
    }
}

/// A GUID is shown in braces, anything else as it is.
fn serial_number(card_id: &CardId) -> String {
    if card_id.is_guid() { format!("{{{card_id}}}") } else { card_id.to_string() }
}
