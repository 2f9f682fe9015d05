//! Why a verified client certificate identifies no caller.

use std::sync::Arc;

use thiserror::Error;

/// Why a certificate identifies no caller. `Display` is for the operator's log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateRejection {
    /// A part of the certificate that a rule reads is malformed.
    #[error("the {part} of the certificate is malformed")]
    Malformed {
        /// The part.
        part: &'static str,
    },
    /// The certificate has several values where a rule allows one, so it does not identify one caller.
    #[error("the certificate has several {what}, but identifies a caller only by a single one")]
    Several {
        /// The values.
        what: &'static str,
    },
    /// Two entries of a rule apply.
    #[error("two entries of auth.certificate {rule:?} apply, {first:?} and {second:?}")]
    AmbiguousEntry {
        /// The name of the rule.
        rule: Arc<str>,
        /// The value of one entry.
        first: String,
        /// The value of the other entry.
        second: String,
    },
    /// Two rules apply.
    #[error("two rules apply, auth.certificate {first:?} and {second:?}")]
    AmbiguousRule {
        /// The name of one rule.
        first: Arc<str>,
        /// The name of the other rule.
        second: Arc<str>,
    },
    /// No rule applies.
    #[error("no rule of auth.certificate applies to the certificate of {subject:?}, which the CA {ca:?} issued")]
    Unmapped {
        /// The subject in the form of RFC 4514, which a rule can list.
        subject: String,
        /// The configured CA.
        ca: String,
    },
}

impl CertificateRejection {
    /// Stable name of the check that failed: a label of metrics and of the log.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "certificate_malformed",
            Self::Several { .. } => "certificate_several_names",
            Self::AmbiguousEntry { .. } | Self::AmbiguousRule { .. } => "certificate_ambiguous",
            Self::Unmapped { .. } => "certificate_unmapped",
        }
    }
}
