//! JSON views of smart cards and profiles, with the properties in the documented order.

use serde::Serialize;
use uuid::Uuid;

use super::codes;
use crate::domain::{Credential, CredentialIds, Lineage, ProfileId, RequestType, SerialNumber, SmartcardId};

/// The middleware of every card in the documents; the service does not store it.
const MIDDLEWARE: &str = "MSBaseCSP";

/// A smart card. Missing values are zero GUIDs or empty strings.
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

/// A profile, with the operations that the caller may request for it.
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
    /// The view of a smart card.
    pub(super) fn of(credential: &'a Credential) -> Self {
        let card = credential.card();
        let family = Family::of(credential.lineage);
        let id = |credential_ids: CredentialIds| credential_ids.smartcard.map_or(Uuid::nil(), SmartcardId::uuid);
        Self {
            uuid: credential.id(),
            status: codes::smartcard_status_number(credential.status),
            flags: codes::credential_flags(credential.lineage),
            parent_smartcard_uuid: id(family.parent),
            primary_smartcard_uuid: id(family.primary),
            permanent_smartcard_uuid: id(family.permanent),
            assigned_user_uuid: credential.owner.uuid(),
            profile_template_uuid: credential.template.id.uuid(),
            profile_template_version: credential.template.version,
            comment: credential.comment.as_str(),
            serial_number: card.map(|card| serial_number(&card.serial_number)).unwrap_or_default(),
            middleware: card.map_or("", |_| MIDDLEWARE),
            atr: card.map_or("", |card| card.atr.as_str()),
        }
    }
}

impl<'a> ProfileView<'a> {
    /// The view of a profile.
    pub(super) fn of(credential: &'a Credential, operations: &[RequestType]) -> Self {
        let family = Family::of(credential.lineage);
        let id = |credential_ids: CredentialIds| credential_ids.profile.map_or(Uuid::nil(), ProfileId::uuid);
        Self {
            uuid: credential.id(),
            status: codes::profile_status_number(credential.status),
            flags: codes::credential_flags(credential.lineage),
            parent_profile_uuid: id(family.parent),
            primary_profile_uuid: id(family.primary),
            assigned_user_uuid: credential.owner.uuid(),
            profile_template_uuid: credential.template.id.uuid(),
            profile_template_version: credential.template.version,
            comment: credential.comment.as_str(),
            profile_operations: codes::operations(operations),
        }
    }
}

/// The related credentials by the property that shows them; a lineage fills at most one of the three.
#[derive(Default)]
struct Family {
    parent: CredentialIds,
    primary: CredentialIds,
    permanent: CredentialIds,
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

/// The serial number as shown: a GUID in braces, anything else unchanged.
fn serial_number(serial_number: &SerialNumber) -> String {
    if serial_number.is_guid() { format!("{{{serial_number}}}") } else { serial_number.to_string() }
}
