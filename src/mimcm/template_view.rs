//! JSON views of profile templates, their policies and their card configuration, with the properties in documented order. The
//! documents have no examples of them.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::codes;
use crate::domain::{
    DataItemDefinition, Distribution, Medium, Pattern, Policy, Principal, ProfileTemplate, Provider, RequestType,
    SmartcardConfiguration,
};

/// A template in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemplateView<'a> {
    name: &'a str,
    description: &'a str,
    uuid: Uuid,
    is_smartcard_profile_template: bool,
    is_virtual_smartcard_profile_template: bool,
}

/// The policy of one type of request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "they are documented properties")]
pub(super) struct PolicyView<'a> {
    approvals_needed: u8,
    authorized_approver: Authorized,
    authorized_enrollment_agent: Authorized,
    authorized_initiator: Authorized,
    collect_comments: bool,
    collect_request_priority: bool,
    default_request_priority: u8,
    documents: &'a [String],
    enabled: bool,
    enroll_agent_required: bool,
    one_time_password_policy: OneTimePasswordView<'a>,
    personalization: &'a BTreeMap<String, String>,
    policy_data_collection: Vec<DefinitionView<'a>>,
    self_service_enabled: bool,
    #[serde(flatten)]
    extra: Extra,
}

/// `ApplicationSecurityDescriptor`: who has an extended right. The documents do not give the GUIDs of the rights.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Authorized {
    security_descriptor: String,
    uuid: Uuid,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OneTimePasswordView<'a> {
    secret_provider_type: &'a str,
    secret_provider_data: &'a str,
    distribution: Vec<DistributionView<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DistributionView<'a> {
    distribution_type: u8,
    email_template: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DefinitionView<'a> {
    name: &'a str,
    required: bool,
    r#type: u8,
    validation: ValidationView<'a>,
    /// The party that provides the item. The documents mention it without naming the property.
    provider: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ValidationView<'a> {
    validation_type: u8,
    validation_data: Option<&'a str>,
}

/// Further properties in the policies of some types.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Extra {
    None {},
    #[serde(rename_all = "PascalCase")]
    OnlineUpdate {
        allow_specify_certificate_template: bool,
    },
    #[serde(rename_all = "PascalCase")]
    TemporaryCards {
        allow_kiosk_retirement: bool,
        autoenroll_enabled: bool,
        block_admin_pin: bool,
        unlimited_issued_allowed: bool,
    },
}

/// The smart card configuration of a template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "they are documented properties")]
pub(super) struct CardView<'a> {
    /// Always null: its members are not documented.
    admin_pin_policy: Option<()>,
    allow_smartcard_reuse: bool,
    card_initialization_data: &'a str,
    card_initialization_type: u8,
    certificate_label: &'a str,
    default_admin_key_hex: &'a str,
    diversify_admin_key: bool,
    do_not_install_ca_certificates: bool,
    erase_on_overflow: bool,
    user_pin_option: u8,
}

impl<'a> TemplateView<'a> {
    /// The view of a template.
    pub(super) fn of(template: &'a ProfileTemplate) -> Self {
        Self {
            name: &template.name,
            description: &template.description,
            uuid: template.id.uuid(),
            is_smartcard_profile_template: template.medium == Medium::Smartcard,
            is_virtual_smartcard_profile_template: template.smartcard.is_virtual,
        }
    }
}

impl<'a> PolicyView<'a> {
    /// The view of a policy.
    pub(super) fn of(kind: RequestType, policy: &'a Policy) -> Self {
        let has_agent = policy.enrollment_agent_required || !policy.agents.is_empty();
        Self {
            approvals_needed: policy.approvals_needed,
            authorized_approver: Authorized::among(&policy.approvers),
            authorized_enrollment_agent: if has_agent {
                Authorized::among(&policy.agents)
            } else {
                Authorized::nobody()
            },
            authorized_initiator: Authorized::among(&policy.initiators),
            collect_comments: policy.collect_comments,
            collect_request_priority: policy.collect_request_priority,
            default_request_priority: policy.default_priority.0,
            documents: &policy.documents,
            enabled: policy.enabled,
            enroll_agent_required: policy.enrollment_agent_required,
            one_time_password_policy: OneTimePasswordView {
                secret_provider_type: &policy.one_time_passwords.secret_provider_type,
                secret_provider_data: &policy.one_time_passwords.secret_provider_data,
                distribution: policy.one_time_passwords.distribution.iter().map(DistributionView::of).collect(),
            },
            personalization: &policy.personalization,
            policy_data_collection: policy.data_items.iter().map(DefinitionView::of).collect(),
            self_service_enabled: policy.self_service,
            extra: Extra::of(kind, policy),
        }
    }
}

impl Authorized {
    /// A descriptor that lists the groups; users are left out, as their SIDs are not known. An empty list means everybody, `WD`.
    fn among(principals: &[Principal]) -> Self {
        let sid = |principal: &Principal| match principal {
            Principal::Group(sid) => Some(format!("(A;;CR;;;{sid})")),
            Principal::User(_) => None,
        };
        let entries: String = principals.iter().filter_map(sid).collect();
        let entries = if principals.is_empty() { "(A;;CR;;;WD)" } else { &entries };
        Self { security_descriptor: format!("D:{entries}"), uuid: Uuid::nil() }
    }

    fn nobody() -> Self {
        Self { security_descriptor: "D:".to_owned(), uuid: Uuid::nil() }
    }
}

impl<'a> DistributionView<'a> {
    fn of(distribution: &'a Distribution) -> Self {
        Self { distribution_type: distribution.distribution_type, email_template: &distribution.email_template }
    }
}

impl<'a> DefinitionView<'a> {
    fn of(definition: &'a DataItemDefinition) -> Self {
        Self {
            name: &definition.name,
            required: definition.required,
            r#type: codes::item_type_number(definition.kind),
            validation: ValidationView {
                validation_type: codes::validation_number(definition),
                validation_data: definition.pattern.as_ref().map(Pattern::as_str),
            },
            provider: match definition.provider {
                Provider::Subscriber => "Subscriber",
                Provider::CertificateManager => "CertificateManager",
            },
        }
    }
}

impl Extra {
    fn of(kind: RequestType, policy: &Policy) -> Self {
        match kind {
            RequestType::OnlineUpdate => {
                Self::OnlineUpdate { allow_specify_certificate_template: policy.allow_specify_certificate_template }
            }
            RequestType::TemporaryCardEnroll => Self::TemporaryCards {
                allow_kiosk_retirement: policy.temporary_cards.allow_kiosk_retirement,
                autoenroll_enabled: policy.temporary_cards.autoenroll_enabled,
                block_admin_pin: policy.temporary_cards.block_admin_pin,
                unlimited_issued_allowed: policy.temporary_cards.unlimited_issued_allowed,
            },
            RequestType::Enroll
            | RequestType::Recover
            | RequestType::Renew
            | RequestType::Disable
            | RequestType::Unblock
            | RequestType::Duplicate
            | RequestType::Retire
            | RequestType::RecoverOnBehalf
            | RequestType::SuspendOrReinstate
            | RequestType::OfflineUnblock => Self::None {},
        }
    }
}

impl<'a> CardView<'a> {
    /// The view of a card configuration.
    pub(super) fn of(smartcard: &'a SmartcardConfiguration) -> Self {
        Self {
            admin_pin_policy: None,
            allow_smartcard_reuse: smartcard.allow_smartcard_reuse,
            card_initialization_data: &smartcard.card_initialization_data,
            card_initialization_type: smartcard.card_initialization_type,
            certificate_label: &smartcard.certificate_label,
            default_admin_key_hex: &smartcard.default_admin_key_hex,
            diversify_admin_key: smartcard.diversify_admin_key,
            do_not_install_ca_certificates: smartcard.do_not_install_ca_certificates,
            erase_on_overflow: smartcard.erase_on_overflow,
            user_pin_option: smartcard.user_pin_option,
        }
    }
}
