//! Why the headers of the trusted proxy do not identify a caller.

use http::HeaderName;
use thiserror::Error;

/// Why the identity headers of a call are refused. `Display` is for the operator's log and never shows a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityRejection {
    /// A header has a name that other programs take for an identity header.
    #[error("the call has the header {found}, which some programs read as {header}; the proxy must remove it")]
    Variant {
        /// The header of the call.
        found: HeaderName,
        /// The identity header.
        header: HeaderName,
    },
    /// A header occurs more than once: the caller may have sent one of them.
    #[error("the call has the header {header} more than once; the proxy must remove the caller's own")]
    Repeated {
        /// The header.
        header: HeaderName,
    },
    /// The call also has credentials.
    #[error("the call has identity headers beside Authorization; the proxy must send one of them")]
    BesideAuthorization,
    /// A required header is missing.
    #[error("the call has identity headers, but not {header}")]
    Missing {
        /// The header.
        header: HeaderName,
    },
    /// A header has a value that is not valid.
    #[error("the header {header} {problem}")]
    Malformed {
        /// The header.
        header: HeaderName,
        /// What is wrong with it; the rest of a sentence that starts with the header.
        problem: &'static str,
    },
    /// There are too many groups.
    #[error("the header {header} lists more than {limit} groups")]
    Groups {
        /// The header.
        header: HeaderName,
        /// The limit.
        limit: usize,
    },
}

impl IdentityRejection {
    /// Stable name of the check that failed: a label of metrics and of the log.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Variant { .. } => "identity_variant",
            Self::Repeated { .. } => "identity_repeated",
            Self::BesideAuthorization => "identity_and_token",
            Self::Missing { .. } => "identity_missing",
            Self::Malformed { .. } => "identity_malformed",
            Self::Groups { .. } => "identity_groups",
        }
    }
}
