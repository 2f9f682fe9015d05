//! The twelve request types and their effect on the profile or card they concern.

use serde::Deserialize;

/// What a request asks for; named after the `RequestType` enumeration of FIM CM 2010 (SDK page bb490435).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestType {
    /// Issue a smart card or a software profile.
    Enroll,
    /// Recover a profile, or replace a smart card.
    Recover,
    /// Renew the certificates of a profile.
    Renew,
    /// Disable a profile or card and revoke its certificates.
    Disable,
    /// Reset the blocked PIN of a smart card online.
    Unblock,
    /// Make a second copy of a profile or card.
    Duplicate,
    /// Retire a smart card.
    Retire,
    /// Recover the archived certificates of another user.
    RecoverOnBehalf,
    /// Suspend a profile or card, or reinstate a suspended one.
    SuspendOrReinstate,
    /// Add, remove or change content of an issued profile or card.
    OnlineUpdate,
    /// Issue a temporary smart card.
    TemporaryCardEnroll,
    /// Reset the blocked PIN of a smart card that is not connected.
    OfflineUnblock,
}

/// The effect of a request type on the profile and card it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialEffect {
    /// Issues a new one; none exists before.
    Makes,
    /// Changes the existing one in place.
    Keeps,
    /// Issues a new one that supersedes or copies the existing one.
    Replaces,
}

/// Whether an enrollment agent executes requests of a type in place of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentRule {
    /// An agent executes them, whatever the policy says.
    Always,
    /// The target executes them, whatever the policy says.
    Never,
    /// The policy decides.
    ByPolicy,
}

impl RequestType {
    /// Every type, in the order of its MIM CM number.
    pub const ALL: [Self; 12] = [
        Self::Enroll,
        Self::Recover,
        Self::Renew,
        Self::Disable,
        Self::Unblock,
        Self::Duplicate,
        Self::Retire,
        Self::RecoverOnBehalf,
        Self::SuspendOrReinstate,
        Self::OnlineUpdate,
        Self::TemporaryCardEnroll,
        Self::OfflineUnblock,
    ];

    /// The effect on the profile and card that the request concerns.
    #[must_use]
    pub const fn effect(self) -> CredentialEffect {
        match self {
            Self::Enroll | Self::TemporaryCardEnroll => CredentialEffect::Makes,
            Self::Disable
            | Self::Unblock
            | Self::Retire
            | Self::SuspendOrReinstate
            | Self::OnlineUpdate
            | Self::OfflineUnblock => CredentialEffect::Keeps,
            Self::Recover | Self::Renew | Self::Duplicate | Self::RecoverOnBehalf => CredentialEffect::Replaces,
        }
    }

    /// Whether the type requires a smart-card template.
    #[must_use]
    pub const fn needs_smartcard(self) -> bool {
        match self {
            Self::Retire | Self::Unblock | Self::OfflineUnblock | Self::TemporaryCardEnroll => true,
            Self::Enroll
            | Self::Recover
            | Self::Renew
            | Self::Disable
            | Self::Duplicate
            | Self::RecoverOnBehalf
            | Self::SuspendOrReinstate
            | Self::OnlineUpdate => false,
        }
    }

    /// Whether an enrollment agent executes requests of this type (SDK page bb468281).
    #[must_use]
    pub const fn agent(self) -> AgentRule {
        match self {
            Self::RecoverOnBehalf => AgentRule::Always,
            Self::OnlineUpdate | Self::SuspendOrReinstate | Self::Retire | Self::Disable | Self::Unblock => {
                AgentRule::Never
            }
            Self::Enroll
            | Self::Recover
            | Self::Renew
            | Self::Duplicate
            | Self::TemporaryCardEnroll
            | Self::OfflineUnblock => AgentRule::ByPolicy,
        }
    }

    /// Whether a policy may allow self-service (SDK page bb468285).
    #[must_use]
    pub const fn allows_self_service(self) -> bool {
        match self {
            Self::RecoverOnBehalf => false,
            Self::Enroll
            | Self::Recover
            | Self::Renew
            | Self::Disable
            | Self::Unblock
            | Self::Duplicate
            | Self::Retire
            | Self::SuspendOrReinstate
            | Self::OnlineUpdate
            | Self::TemporaryCardEnroll
            | Self::OfflineUnblock => true,
        }
    }

    /// Whether the target may be a user who has left: the type takes credentials away, or hands keys to others.
    #[must_use]
    pub const fn is_for_leavers(self) -> bool {
        match self {
            Self::Disable | Self::Retire | Self::RecoverOnBehalf => true,
            Self::Enroll
            | Self::Recover
            | Self::Renew
            | Self::Unblock
            | Self::Duplicate
            | Self::SuspendOrReinstate
            | Self::OnlineUpdate
            | Self::TemporaryCardEnroll
            | Self::OfflineUnblock => false,
        }
    }

    /// Name in template files, metrics and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Recover => "recover",
            Self::Renew => "renew",
            Self::Disable => "disable",
            Self::Unblock => "unblock",
            Self::Duplicate => "duplicate",
            Self::Retire => "retire",
            Self::RecoverOnBehalf => "recover_on_behalf",
            Self::SuspendOrReinstate => "suspend_or_reinstate",
            Self::OnlineUpdate => "online_update",
            Self::TemporaryCardEnroll => "temporary_card_enroll",
            Self::OfflineUnblock => "offline_unblock",
        }
    }
}
