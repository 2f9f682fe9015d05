//! The status of a profile or smart card, and its transitions.
//!
//! Names are those of `SmartcardStatus` of FIM CM 2010 (SDK page bb490439). The documents print no transitions; these
//! follow from the names of the request types.

use crate::domain::RequestType;

/// The status of a profile or smart card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialStatus {
    /// Registered and not yet assigned.
    New,
    /// Bound to an open request; smart cards only.
    Assigned,
    /// In use.
    Active,
    /// Out of use; its certificates are revoked.
    Disabled,
    /// Temporarily out of use.
    Suspended,
    /// Permanently out of use.
    Retired,
}

impl CredentialStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::New, Self::Assigned, Self::Active, Self::Disabled, Self::Suspended, Self::Retired];

    /// Whether the certificates of a profile with this status are valid or can become valid.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        match self {
            Self::New | Self::Assigned | Self::Active | Self::Suspended => true,
            Self::Disabled | Self::Retired => false,
        }
    }

    /// Whether a credential with this status accepts requests of this type.
    #[must_use]
    pub const fn takes(self, kind: RequestType) -> bool {
        match self {
            Self::Active => true,
            Self::New | Self::Assigned => matches!(kind, RequestType::Retire | RequestType::Disable),
            Self::Suspended => matches!(
                kind,
                RequestType::SuspendOrReinstate
                    | RequestType::Disable
                    | RequestType::Retire
                    | RequestType::Recover
                    | RequestType::RecoverOnBehalf
                    | RequestType::TemporaryCardEnroll
            ),
            Self::Disabled => matches!(
                kind,
                RequestType::Retire
                    | RequestType::Recover
                    | RequestType::RecoverOnBehalf
                    | RequestType::TemporaryCardEnroll
            ),
            Self::Retired => false,
        }
    }

    /// The status after a completed request of this type; a recovery or renewal disables what it replaces.
    #[must_use]
    pub const fn after(self, kind: RequestType) -> Self {
        match (kind, self) {
            (RequestType::Retire, _) | (_, Self::Retired) => Self::Retired,
            (RequestType::Disable | RequestType::Recover | RequestType::Renew, _) => Self::Disabled,
            (RequestType::SuspendOrReinstate, Self::Active) => Self::Suspended,
            (RequestType::SuspendOrReinstate, Self::Suspended) => Self::Active,
            (
                RequestType::Enroll
                | RequestType::Unblock
                | RequestType::Duplicate
                | RequestType::RecoverOnBehalf
                | RequestType::SuspendOrReinstate
                | RequestType::OnlineUpdate
                | RequestType::TemporaryCardEnroll
                | RequestType::OfflineUnblock,
                _,
            ) => self,
        }
    }

    /// Whether the executor of a request may change its card to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match next {
            Self::New | Self::Assigned => false,
            Self::Active => matches!(self, Self::Assigned | Self::Suspended),
            Self::Suspended => matches!(self, Self::Active),
            Self::Disabled => matches!(self, Self::Assigned | Self::Active | Self::Suspended),
            Self::Retired => !matches!(self, Self::Retired),
        }
    }

    /// Name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Assigned => "assigned",
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::CredentialStatus;
    use crate::domain::RequestType;

    #[test]
    fn nothing_leads_out_of_retirement() {
        for kind in RequestType::ALL {
            assert_eq!(CredentialStatus::Retired.after(kind), CredentialStatus::Retired, "{}", kind.name());
            assert!(!CredentialStatus::Retired.takes(kind), "{}", kind.name());
        }
        assert!(CredentialStatus::ALL.iter().all(|next| !CredentialStatus::Retired.may_become(*next)));
    }

    #[test]
    fn what_is_suspended_can_be_reinstated() {
        let turned = |status: CredentialStatus| status.after(RequestType::SuspendOrReinstate);
        assert_eq!(turned(CredentialStatus::Active), CredentialStatus::Suspended);
        assert_eq!(turned(CredentialStatus::Suspended), CredentialStatus::Active);
        assert_eq!(turned(CredentialStatus::Disabled), CredentialStatus::Disabled);
    }

    #[test]
    fn a_request_that_is_taken_never_brings_back_what_was_out_of_use() {
        for status in CredentialStatus::ALL {
            for kind in RequestType::ALL {
                let revives = status.takes(kind)
                    && status != CredentialStatus::Active
                    && status.after(kind) == CredentialStatus::Active;
                assert!(!revives || status == CredentialStatus::Suspended, "{} {}", status.name(), kind.name());
            }
        }
    }
}
