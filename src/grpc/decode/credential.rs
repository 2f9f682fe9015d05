//! Profiles and smart cards: reads by name, lists and imports.

use uuid::Uuid;

use super::list::page_size;
use super::{fields, list};
use crate::contract::v1;
use crate::contract::v1::credential::Item as ItemMessage;
use crate::contract::v1::get_credential_request::Name;
use crate::domain::{
    Atr, Credential, CredentialPage, CredentialQuery, Item, Lineage, PAGE_BYTES_MAX, PhysicalCard, ProfileId, Refusal,
    SerialNumber, SmartcardId, TemplateId, TemplateRef, UserId,
};
use crate::grpc::page_token;
use crate::service::Violations;

/// Most credentials in one import.
const IMPORT_MAX: usize = 1_000;

/// The name of a profile or smart card.
#[derive(Debug)]
pub(crate) enum CredentialName {
    Profile(ProfileId),
    Smartcard(SmartcardId),
    SerialNumber(SerialNumber),
}

/// The filters and the page of a list.
#[derive(Debug)]
pub(crate) struct CredentialList {
    pub(crate) query: CredentialQuery,
    pub(crate) page: CredentialPage,
}

pub(crate) fn credential_name(message: &v1::GetCredentialRequest) -> Result<CredentialName, Refusal> {
    let mut violations = Violations::default();
    let name = match &message.name {
        Some(Name::Profile(id)) => {
            fields::uuid(&mut violations, "profile", id, ProfileId::new).map(CredentialName::Profile)
        }
        Some(Name::Smartcard(id)) => {
            fields::uuid(&mut violations, "smartcard", id, SmartcardId::new).map(CredentialName::Smartcard)
        }
        Some(Name::SerialNumber(id)) => {
            violations.keep(SerialNumber::parse("serial_number", id)).map(CredentialName::SerialNumber)
        }
        None => fields::unspecified(&mut violations, "name"),
    };
    violations.finish(name)
}

pub(crate) fn credential_list(user: UserId, message: &v1::GetCredentialsRequest) -> Result<CredentialList, Refusal> {
    let mut violations = Violations::default();
    let owner = fields::optional_uuid(&mut violations, "owner", &message.owner, UserId::new).unwrap_or(user);
    let statuses = list::values(&mut violations, "statuses", &message.statuses, |violations, field, number| {
        fields::credential_status(violations, field, *number)
    });
    let query = CredentialQuery { owner, statuses };
    let limit = page_size(&mut violations, message.page_size);
    let after = match message.page_token.as_str() {
        "" => None,
        token => violations.keep(page_token::parse_id(token, &query)),
    };
    violations.finish(Some(CredentialList { query, page: CredentialPage { after, limit, max_bytes: PAGE_BYTES_MAX } }))
}

pub(crate) fn credentials(message: v1::ImportCredentialsRequest) -> Result<Vec<Credential>, Refusal> {
    let mut violations = Violations::default();
    let count = message.credentials.len();
    if !(1..=IMPORT_MAX).contains(&count) {
        violations.add("credentials", format!("must have 1 to {IMPORT_MAX} members"));
        return violations.finish(None);
    }
    let numbered = message.credentials.into_iter().enumerate();
    let read =
        numbered.filter_map(|(index, message)| credential(&mut violations, &format!("credentials[{index}]"), message));
    let read = read.collect();
    violations.finish(Some(read))
}

fn credential(violations: &mut Violations, field: &str, message: v1::Credential) -> Option<Credential> {
    let item = item(violations, field, message.item.as_ref());
    let owner = fields::uuid(violations, format_args!("{field}.owner"), &message.owner, UserId::new);
    let template =
        fields::uuid(violations, format_args!("{field}.profile_template"), &message.profile_template, TemplateId::new);
    let version = message.profile_template_version;
    if !(1..=i32::MAX.unsigned_abs()).contains(&version) {
        violations.add(format!("{field}.profile_template_version"), "must be from 1 to 2,147,483,647");
    }
    let status = fields::credential_status(violations, format_args!("{field}.status"), message.status);
    let parent = fields::credential_ids(violations, format_args!("{field}.parent"), message.parent.as_ref());
    let lineage = match v1::CredentialLineage::try_from(message.lineage) {
        Ok(v1::CredentialLineage::Unspecified | v1::CredentialLineage::First) => Some(Lineage::First),
        Ok(v1::CredentialLineage::Replaces) => Some(Lineage::Replaces(parent)),
        Ok(v1::CredentialLineage::Duplicates) => Some(Lineage::Duplicates(parent)),
        Ok(v1::CredentialLineage::StandsInFor) => Some(Lineage::StandsInFor(parent)),
        Err(_) => fields::unknown(violations, format_args!("{field}.lineage"), message.lineage),
    };
    let comment = fields::comment(violations, &format!("{field}.comment"), message.comment);
    Some(Credential {
        item: item?,
        owner: owner?,
        template: TemplateRef { id: template?, version },
        status: status?,
        lineage: lineage?,
        comment: comment?,
    })
}

fn item(violations: &mut Violations, field: &str, message: Option<&ItemMessage>) -> Option<Item> {
    match message {
        Some(ItemMessage::Profile(message)) => {
            let id = fields::uuid(violations, format_args!("{field}.profile.id"), &message.id, ProfileId::new);
            let smartcard = format_args!("{field}.profile.smartcard");
            let smartcard = fields::optional_uuid(violations, smartcard, &message.smartcard, SmartcardId::new);
            differ(violations, field, id.map(ProfileId::uuid), smartcard.map(SmartcardId::uuid));
            Some(Item::Profile { id: id?, smartcard })
        }
        Some(ItemMessage::Smartcard(message)) => {
            let id = fields::uuid(violations, format_args!("{field}.smartcard.id"), &message.id, SmartcardId::new);
            let profile = format_args!("{field}.smartcard.profile");
            let profile = fields::optional_uuid(violations, profile, &message.profile, ProfileId::new);
            differ(violations, field, id.map(SmartcardId::uuid), profile.map(ProfileId::uuid));
            let card = card(violations, &format!("{field}.smartcard"), message);
            Some(Item::Smartcard { id: id?, profile, card })
        }
        None => fields::unspecified(violations, format_args!("{field}.item")),
    }
}

fn differ(violations: &mut Violations, field: &str, one: Option<Uuid>, other: Option<Uuid>) {
    if one.is_some() && one == other {
        violations.add(field, "has the same id for the profile and for the smart card");
    }
}

/// The physical card; `None` without a serial number.
fn card(violations: &mut Violations, field: &str, message: &v1::Smartcard) -> Option<PhysicalCard> {
    let atr = violations.keep(Atr::parse(&format!("{field}.atr"), &message.atr));
    if message.serial_number.is_empty() {
        if !message.atr.is_empty() {
            violations.add(format!("{field}.serial_number"), "must be given with an atr");
        }
        return None;
    }
    let serial_number = violations.keep(SerialNumber::parse(&format!("{field}.serial_number"), &message.serial_number));
    serial_number.zip(atr).map(|(serial_number, atr)| PhysicalCard { serial_number, atr })
}
