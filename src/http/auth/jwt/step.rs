//! The steps of the check of a token, for diagnosis.

use super::rejection::{Part, Rejection};

/// A step of the check, in the order of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The credentials of the request.
    Credentials,
    /// Size and parts.
    Form,
    /// The header alone.
    Header,
    /// The issuer, which chooses the entry.
    Issuer,
    /// Algorithm and type, against the entry.
    Type,
    /// The key of the issuer.
    Key,
    /// The signature.
    Signature,
    /// The form of the claims.
    Payload,
    /// The times.
    Times,
    /// The audience.
    Audience,
    /// The required claims.
    Claims,
    /// The binding to a client certificate.
    Confirmation,
    /// The claims that describe the caller.
    Mapping,
}

impl Step {
    /// All steps.
    pub const ALL: [Self; 13] = [
        Self::Credentials,
        Self::Form,
        Self::Header,
        Self::Issuer,
        Self::Type,
        Self::Key,
        Self::Signature,
        Self::Payload,
        Self::Times,
        Self::Audience,
        Self::Claims,
        Self::Confirmation,
        Self::Mapping,
    ];

    /// What is checked, in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Form => "form",
            Self::Header => "header",
            Self::Issuer => "issuer",
            Self::Type => "algorithm and type",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Payload => "payload",
            Self::Times => "times",
            Self::Audience => "audience",
            Self::Claims => "required claims",
            Self::Confirmation => "confirmation",
            Self::Mapping => "mapping",
        }
    }
}

impl Rejection {
    /// The step that failed.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::SeveralAuthorizations | Self::NotToken68 => Step::Credentials,
            Self::TooLong { .. } | Self::Parts => Step::Form,
            Self::Encoding(Part::Header)
            | Self::HeaderTooLong { .. }
            | Self::HeaderJson(_)
            | Self::Forbidden(_)
            | Self::KeyId => Step::Header,
            Self::Encoding(Part::Payload) | Self::NoIssuer | Self::UnknownIssuer => Step::Issuer,
            Self::Algorithm | Self::Type => Step::Type,
            Self::UnknownKey | Self::AmbiguousKey | Self::UnfitKey(_) => Step::Key,
            Self::Encoding(Part::Signature) | Self::Signature => Step::Signature,
            Self::PayloadJson(_) => Step::Payload,
            Self::Time(_) | Self::Lifetime { .. } | Self::Expired | Self::NotYetValid | Self::IssuedInFuture => {
                Step::Times
            }
            Self::Audience => Step::Audience,
            Self::Requirement { .. } | Self::TrustDomain => Step::Claims,
            Self::Confirmation => Step::Confirmation,
            Self::Mapping { .. } => Step::Mapping,
        }
    }
}
