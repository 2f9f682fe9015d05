//! Stored words for the variants of domain enums.
//!
//! The match in each conversion is exhaustive: a new variant of the domain does not compile until it has a word here.

use serde::{Deserialize, Serialize};

use crate::domain;

macro_rules! words {
    ($(#[$doc:meta])* $stored:ident of $domain:ident: $($variant:ident),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $stored {
            $($variant),+
        }

        impl From<domain::$domain> for $stored {
            fn from(value: domain::$domain) -> Self {
                match value {
                    $(domain::$domain::$variant => Self::$variant),+
                }
            }
        }

        impl From<$stored> for domain::$domain {
            fn from(stored: $stored) -> Self {
                match stored {
                    $($stored::$variant => Self::$variant),+
                }
            }
        }
    };
}

words! {
    /// Stored form of [`domain::RequestType`].
    StoredRequestType of RequestType:
    Enroll, Recover, Renew, Disable, Unblock, Duplicate, Retire, RecoverOnBehalf, SuspendOrReinstate, OnlineUpdate,
    TemporaryCardEnroll, OfflineUnblock
}
words! {
    /// Stored form of [`domain::Medium`].
    StoredMedium of Medium: Software, Smartcard
}
words! {
    /// Stored form of [`domain::Provider`].
    StoredProvider of Provider: Subscriber, CertificateManager
}
words! {
    /// Stored form of [`domain::DataItemType`].
    StoredDataItemType of DataItemType: String, Number, Date
}
words! {
    /// Stored form of [`domain::FailReason`].
    StoredFailReason of FailReason: Error, Abandoned
}
words! {
    /// Stored form of [`domain::CancelReason`].
    StoredCancelReason of CancelReason: Withdrawn
}
words! {
    /// Stored form of [`domain::CredentialStatus`].
    StoredCredentialStatus of CredentialStatus: New, Assigned, Active, Disabled, Suspended, Retired
}
words! {
    /// Stored form of [`domain::UserStatus`].
    StoredUserStatus of UserStatus: Active, Inactive
}
