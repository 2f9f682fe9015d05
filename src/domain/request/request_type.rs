//! The twelve types of request and what each does to the profile or card that it is about.

use serde::Deserialize;

/// What a request asks for. Names are those of the `RequestType` enumeration of FIM CM 2010 (SDK page bb490435).
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
    /// Recover archived certificates for somebody else.
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

/// What a type of request does to the profile and card it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialEffect {
    /// Makes a new one; there is none before.
    Makes,
    /// Works on the existing one, which stays.
    Keeps,
    /// Makes a new one from the existing one.
    Replaces,
}

/// Whether an enrollment agent executes requests of a type, instead of their target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentRule {
    /// Whatever the policy says.
    Always,
    /// Whatever the policy says.
    Never,
    /// As the policy says.
    ByPolicy,
}

impl RequestType {
    /// Every type, in the order of the numbers of MIM CM.
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

    /// What a request of this type does to the profile and card it is about.
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

    /// Whether only a smart-card template can carry this type.
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

    /// Whether a policy may let users ask for themselves (SDK page bb468285).
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

    /// Name in stored documents, in metrics and in messages.
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
