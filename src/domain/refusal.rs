//! Refusals: every reason to reject a call that is not a fault of the service, each with its kind.
//!
//! `Display` is the message for the caller. Transports map the kind, never a single refusal.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

use super::{
    CredentialStatus, IdempotencyKey, ProfileId, RequestId, RequestType, SerialNumber, SmartcardId, Status, TemplateId,
    UserId, UserName, Version,
};

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Invalid input, field by field.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldViolation>),
    /// There is no such request.
    #[error("there is no request {0}")]
    RequestNotFound(RequestId),
    /// The id of a new request is taken.
    #[error("request {0} already exists")]
    RequestExists(RequestId),
    /// There is no such template.
    #[error("there is no profile template {0}")]
    TemplateNotFound(TemplateId),
    /// The service does not know the smart card.
    #[error("smart card {0} is not known")]
    SmartcardNotFound(SmartcardId),
    /// The service does not know the profile.
    #[error("profile {0} is not known")]
    ProfileNotFound(ProfileId),
    /// The credential belongs to another user or another request.
    #[error("{field} is already in use")]
    CredentialTaken {
        /// Path of the field.
        field: String,
    },
    /// The card is in use.
    #[error("smart card {0} is already in use")]
    CardInUse(SerialNumber),
    /// Another card is bound to the request.
    #[error("another smart card is bound to this request: {0}")]
    OtherCardBound(SmartcardId),
    /// The request is not about this card.
    #[error("the request has no smart card {0}")]
    NotItsSmartcard(SmartcardId),
    /// The status of the profile or card does not allow this type of request.
    #[error("the credential is {} and does not accept {} requests", .status.name(), .kind.name())]
    CredentialUnfit {
        /// The requested type.
        kind: RequestType,
        /// Status of the profile or card.
        status: CredentialStatus,
    },
    /// The status of the card does not allow this change.
    #[error("a smart card cannot change from {} to {}", .from.name(), .to.name())]
    IllegalCredentialStatus {
        /// Current status.
        from: CredentialStatus,
        /// Requested status.
        to: CredentialStatus,
    },
    /// A retired card would hold a valid profile.
    #[error("{field}: profile {profile} cannot be on a retired smart card; disable or retire it in the same import")]
    ProfileOnRetiredCard {
        /// Path of the field.
        field: String,
        /// The profile.
        profile: Uuid,
    },
    /// There is no such profile or smart card.
    #[error("there is no profile or smart card {0}")]
    CredentialNotFound(Uuid),
    /// The service knows no card with this serial number.
    #[error("no smart card with the id {0} is known")]
    SerialNumberNotFound(SerialNumber),
    /// The directory has no such user.
    #[error("there is no user {0}")]
    UserNotFound(UserName),
    /// The directory has no user with the name that a draft gives its target.
    #[error("the directory has no user {0}")]
    TargetNotFound(UserName),
    /// The target of a new request has left.
    #[error("user {user} is inactive and takes no {} requests", .kind.name())]
    TargetInactive {
        /// Path of the field that names the target.
        field: &'static str,
        /// The target.
        user: UserId,
        /// The requested type.
        kind: RequestType,
    },
    /// Another user has the security identifier or user principal name.
    #[error("{field} belongs to user {holder}")]
    UserKeyTaken {
        /// Path of the field.
        field: String,
        /// The other user.
        holder: UserId,
    },
    /// The template does not accept this type of request.
    #[error("profile template {template:?} does not accept requests of type {}", .kind.name())]
    WorkflowDisabled {
        /// Name of the template.
        template: String,
        /// The requested type.
        kind: RequestType,
    },
    /// The caller may not enroll for this template.
    #[error("you may not enroll for the profile template {template:?}")]
    TemplateNotOffered {
        /// Name of the template.
        template: String,
    },
    /// A software profile cannot have this type of request.
    #[error("a request of type {} needs a smart-card template; {template:?} issues software profiles", .kind.name())]
    SmartcardOnly {
        /// Name of the template.
        template: String,
        /// The requested type.
        kind: RequestType,
    },
    /// Originator and target may not approve or deny their own request.
    #[error("the originator and the target of a request may not {action} it")]
    OwnRequest {
        /// The attempted action.
        action: &'static str,
    },
    /// The caller may not take this action.
    #[error("only {allowed} may {action} this request")]
    NotPermitted {
        /// The attempted action.
        action: &'static str,
        /// Who may take it.
        allowed: &'static str,
    },
    /// The caller is not an administrator.
    #[error("only an administrator may do this")]
    NotAdministrator,
    /// The status of the request does not allow it.
    #[error("cannot {action} a request that is {}", .status.name())]
    IllegalTransition {
        /// The attempted action.
        action: &'static str,
        /// Current status.
        status: Status,
    },
    /// The caller has already approved this request.
    #[error("you have already approved this request; another person must give the next approval")]
    AlreadyApproved,
    /// The request has another version than the caller expected.
    #[error("the request has changed: its version is {actual}, not {expected}")]
    VersionMismatch {
        /// Version that the caller expected.
        expected: Version,
        /// Current version.
        actual: Version,
    },
    /// The request would leave no room for its later steps.
    #[error("the request would take {bytes} bytes with this {field}; at most {limit} leave room for its later steps")]
    TooLarge {
        /// Path of the field to shorten.
        field: &'static str,
        /// Bytes that it would take.
        bytes: usize,
        /// Bytes that it may take.
        limit: usize,
    },
    /// The caller used this idempotency key for another call.
    #[error("the idempotency key {:?} was used for another call", .0.as_str())]
    KeyReused(IdempotencyKey),
}

/// One invalid field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field, as the caller wrote it.
    pub field: String,
    /// The problem; in messages it follows the field name.
    pub problem: String,
}

/// The kinds of error that callers see. Transports map these, and only these, to codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is invalid in any state.
    Invalid,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller may not do this.
    PermissionDenied,
    /// The resource does not exist.
    NotFound,
    /// The state of the resource does not allow this.
    Conflict,
    /// The resource has another version than the caller expected.
    VersionMismatch,
    /// The idempotency key was used for another call.
    KeyReused,
    /// The input exceeds a limit.
    TooLarge,
    /// The service is overloaded; retry later.
    Overloaded,
    /// The caller exceeds one of its limits; retry later.
    CallerLimit,
    /// The deadline passed; nothing has changed unless the message says otherwise.
    DeadlineExceeded,
    /// A dependency is unavailable; the outcome of a write may be unknown.
    Unavailable,
    /// The service does not offer this.
    Unimplemented,
    /// The service has a fault.
    Internal,
}

impl Refusal {
    /// Invalid input in one field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldViolation { field: field.into(), problem: problem.into() }])
    }

    /// The kind of this refusal.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::RequestNotFound(_)
            | Self::NotItsSmartcard(_)
            | Self::CredentialNotFound(_)
            | Self::SerialNumberNotFound(_)
            | Self::UserNotFound(_) => ErrorKind::NotFound,
            // A draft that names something unknown has an invalid field.
            Self::Invalid(_)
            | Self::TemplateNotFound(_)
            | Self::SmartcardNotFound(_)
            | Self::ProfileNotFound(_)
            | Self::TargetNotFound(_) => ErrorKind::Invalid,
            Self::WorkflowDisabled { .. }
            | Self::SmartcardOnly { .. }
            | Self::TemplateNotOffered { .. }
            | Self::OwnRequest { .. }
            | Self::NotPermitted { .. }
            | Self::NotAdministrator => ErrorKind::PermissionDenied,
            Self::IllegalTransition { .. }
            | Self::AlreadyApproved
            | Self::RequestExists(_)
            | Self::CredentialTaken { .. }
            | Self::CardInUse(_)
            | Self::OtherCardBound(_)
            | Self::CredentialUnfit { .. }
            | Self::IllegalCredentialStatus { .. }
            | Self::ProfileOnRetiredCard { .. }
            | Self::TargetInactive { .. }
            | Self::UserKeyTaken { .. } => ErrorKind::Conflict,
            Self::VersionMismatch { .. } => ErrorKind::VersionMismatch,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::KeyReused(_) => ErrorKind::KeyReused,
        }
    }

    /// Stable, machine-readable name of the reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::RequestNotFound(_) => "REQUEST_NOT_FOUND",
            Self::RequestExists(_) => "REQUEST_EXISTS",
            Self::TemplateNotFound(_) => "PROFILE_TEMPLATE_NOT_FOUND",
            Self::SmartcardNotFound(_) => "SMARTCARD_NOT_FOUND",
            Self::ProfileNotFound(_) => "PROFILE_NOT_FOUND",
            Self::CredentialTaken { .. } => "CREDENTIAL_TAKEN",
            Self::CardInUse(_) => "SMARTCARD_IN_USE",
            Self::OtherCardBound(_) => "OTHER_SMARTCARD_BOUND",
            Self::NotItsSmartcard(_) => "SMARTCARD_NOT_OF_REQUEST",
            Self::CredentialUnfit { .. } => "CREDENTIAL_UNFIT",
            Self::IllegalCredentialStatus { .. } => "ILLEGAL_CREDENTIAL_STATUS",
            Self::ProfileOnRetiredCard { .. } => "PROFILE_ON_RETIRED_SMARTCARD",
            Self::CredentialNotFound(_) => "CREDENTIAL_NOT_FOUND",
            Self::SerialNumberNotFound(_) => "SERIAL_NUMBER_NOT_FOUND",
            Self::UserNotFound(_) => "USER_NOT_FOUND",
            Self::TargetNotFound(_) => "TARGET_NOT_FOUND",
            Self::TargetInactive { .. } => "TARGET_INACTIVE",
            Self::UserKeyTaken { .. } => "USER_KEY_TAKEN",
            Self::WorkflowDisabled { .. } => "WORKFLOW_DISABLED",
            Self::SmartcardOnly { .. } => "SMARTCARD_TEMPLATE_NEEDED",
            Self::TemplateNotOffered { .. } => "PROFILE_TEMPLATE_NOT_OFFERED",
            Self::OwnRequest { .. } => "OWN_REQUEST",
            Self::NotPermitted { .. } => "NOT_PERMITTED",
            Self::NotAdministrator => "NOT_ADMINISTRATOR",
            Self::IllegalTransition { .. } => "ILLEGAL_TRANSITION",
            Self::AlreadyApproved => "ALREADY_APPROVED",
            Self::VersionMismatch { .. } => "VERSION_MISMATCH",
            Self::TooLarge { .. } => "REQUEST_TOO_LARGE",
            Self::KeyReused(_) => "IDEMPOTENCY_KEY_REUSED",
        }
    }

    /// The invalid fields, if that is the reason.
    #[must_use]
    pub fn violations(&self) -> Vec<FieldViolation> {
        let one = |field: &str| vec![FieldViolation { field: field.to_owned(), problem: self.to_string() }];
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::TemplateNotFound(_) => one("profile_template"),
            Self::SmartcardNotFound(_) => one("old_credential.smartcard"),
            Self::ProfileNotFound(_) => one("old_credential.profile"),
            Self::CredentialTaken { field } => {
                vec![FieldViolation { field: field.clone(), problem: "is already in use".to_owned() }]
            }
            Self::ProfileOnRetiredCard { field, profile } => {
                let problem = format!(
                    "has profile {profile} on a retired smart card; disable or retire the profile in the same import"
                );
                vec![FieldViolation { field: field.clone(), problem }]
            }
            Self::CardInUse(_) => one("serial_number"),
            Self::TargetNotFound(name) => {
                let problem = "names no user of the directory".to_owned();
                vec![FieldViolation { field: name.target_field().to_owned(), problem }]
            }
            Self::TargetInactive { field, kind, .. } => {
                let problem = format!("is an inactive user, who takes no {} requests", kind.name());
                vec![FieldViolation { field: (*field).to_owned(), problem }]
            }
            Self::UserKeyTaken { field, holder } => {
                vec![FieldViolation { field: field.clone(), problem: format!("belongs to user {holder}") }]
            }
            Self::TooLarge { field, bytes, limit } => {
                let problem = format!(
                    "must be shorter by {} bytes: the request would take {bytes}, and at most {limit} leave room for its \
                     later steps",
                    bytes.saturating_sub(*limit)
                );
                vec![FieldViolation { field: (*field).to_owned(), problem }]
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for FieldViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

fn list(violations: &[FieldViolation]) -> String {
    violations.iter().map(FieldViolation::to_string).collect::<Vec<_>>().join("; ")
}
