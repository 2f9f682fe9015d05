//! Why a token is refused: one variant for each check, in the order of the checks.

use std::time::Duration;

use thiserror::Error;

use super::json::Flaw;
use super::public_key::Unusable;

/// Why a token is refused. `Display` is for the log of the operator and never shows what the token holds. The caller only learns
/// that the token is invalid (RFC 6750, 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The request has several `Authorization` headers.
    #[error("the request has several Authorization headers; send one")]
    SeveralAuthorizations,
    /// The credentials do not follow the scheme.
    #[error("the credentials of the scheme Bearer are not a token68 (RFC 9110, 11.2)")]
    NotToken68,
    /// The token is too long.
    #[error("the token is longer than {limit} bytes; raise max_bytes of the issuer if it issues such tokens")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The token is not of the form `header.payload.signature`.
    #[error("the token does not have three parts; encrypted tokens (JWE) are not supported")]
    Parts,
    /// A part is not base64url.
    #[error("the {} is not canonical base64url without padding (RFC 7515, 2)", .0.name())]
    Encoding(Part),
    /// The header is too long.
    #[error("the header is longer than {limit} bytes")]
    HeaderTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The header is not acceptable JSON.
    #[error("the header {0}")]
    HeaderJson(Flaw),
    /// The header has a member that changes the meaning of the token.
    #[error("the header has {}, which is not supported", .0.name())]
    Forbidden(ForbiddenMember),
    /// The signature algorithm is not one of the issuer.
    #[error("alg is not one of the issuer's algorithms")]
    Algorithm,
    /// The token is of another type.
    #[error("typ is not one of the issuer's types")]
    Type,
    /// The key id is unusable.
    #[error("kid is not a text of 1 to 256 bytes without control characters")]
    KeyId,
    /// The payload has no usable issuer.
    #[error("iss is not a single text")]
    NoIssuer,
    /// No entry of the configuration accepts the issuer.
    #[error("no entry of auth.jwt lists the issuer")]
    UnknownIssuer,
    /// The issuer's key set has no such key. A newer key set may have it.
    #[error("the key set of the issuer has no key for the token")]
    UnknownKey,
    /// Several keys fit.
    #[error("several keys of the issuer fit the token; their key ids must differ")]
    AmbiguousKey,
    /// The key does not fit the token.
    #[error("the key of the token is unusable: {0}")]
    UnfitKey(Unusable),
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// The payload is not acceptable JSON.
    #[error("the payload {0}")]
    PayloadJson(Flaw),
    /// A time is missing or not a whole number of seconds.
    #[error("claim {} is not a whole number of seconds since 1970", .0.name())]
    Time(TimeClaim),
    /// The token lives too long.
    #[error("the lifetime of the token is not within {} s; max_lifetime of the issuer sets the limit", .limit.as_secs())]
    Lifetime {
        /// The limit.
        limit: Duration,
    },
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet (nbf); compare the clocks")]
    NotYetValid,
    /// The token comes from the future.
    #[error("the token was issued in the future (iat); compare the clocks")]
    IssuedInFuture,
    /// The token is for someone else.
    #[error("aud does not contain an audience of the issuer's entry")]
    Audience,
    /// A required claim is missing or has another value.
    #[error("claim {claim} does not have a required value")]
    Requirement {
        /// The claim, as configured.
        claim: String,
    },
    /// The subject of a JWT-SVID is not a SPIFFE ID of the entry's trust domains.
    #[error("sub is not a SPIFFE ID of a trust domain of the issuer's entry")]
    TrustDomain,
    /// The token is bound to a key in a way that is not supported, so accepting it as a bearer token would be a downgrade.
    #[error("cnf holds something else than one x5t#S256 (RFC 8705, 3.1); DPoP is not supported")]
    Confirmation,
    /// A claim cannot be mapped to the caller.
    #[error("claim {claim} {problem}")]
    Mapping {
        /// The claim, as configured.
        claim: String,
        /// What is wrong with it; the rest of a sentence that starts with the claim.
        problem: &'static str,
    },
}

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first: algorithm, type and key.
    Header,
    /// The second: the claims.
    Payload,
    /// The third.
    Signature,
}

/// A member of the header that a verifier must understand or refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForbiddenMember {
    /// Extensions that must be understood (RFC 7515, 4.1.11).
    Crit,
    /// An unencoded payload (RFC 7797).
    B64,
    /// A compressed payload (RFC 7516, 4.1.3).
    Zip,
    /// An encrypted payload (RFC 7516, 4.1.2).
    Enc,
    /// A payload that is no claims set, such as a nested token (RFC 7519, 5.2).
    Cty,
}

/// A claim that is a time (RFC 7519, 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeClaim {
    /// Expiry.
    Exp,
    /// Begin of validity.
    Nbf,
    /// Time of issue.
    Iat,
}

impl Rejection {
    pub(super) fn mapping(claim: &str, problem: &'static str) -> Self {
        Self::Mapping { claim: claim.to_owned(), problem }
    }

    /// Stable name of the check that failed: a label of metrics and of the log.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        match self {
            Self::SeveralAuthorizations => "authorization",
            Self::NotToken68 => "token68",
            Self::TooLong { .. } => "size",
            Self::Parts => "parts",
            Self::Encoding(Part::Header) => "header_encoding",
            Self::Encoding(Part::Payload) => "payload_encoding",
            Self::Encoding(Part::Signature) => "signature_encoding",
            Self::HeaderTooLong { .. } => "header_size",
            Self::HeaderJson(Flaw::Syntax) => "header_json",
            Self::HeaderJson(Flaw::Duplicate) => "header_duplicate",
            Self::HeaderJson(Flaw::Depth) => "header_depth",
            Self::HeaderJson(Flaw::Nul) => "header_nul",
            Self::Forbidden(ForbiddenMember::Crit) => "header_crit",
            Self::Forbidden(ForbiddenMember::B64) => "header_b64",
            Self::Forbidden(ForbiddenMember::Zip) => "header_zip",
            Self::Forbidden(ForbiddenMember::Enc) => "header_enc",
            Self::Forbidden(ForbiddenMember::Cty) => "header_cty",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::KeyId => "key_id",
            Self::NoIssuer => "issuer_format",
            Self::UnknownIssuer => "issuer",
            Self::UnknownKey => "key_unknown",
            Self::AmbiguousKey => "key_ambiguous",
            Self::UnfitKey(_) => "key_unfit",
            Self::Signature => "signature",
            Self::PayloadJson(Flaw::Syntax) => "payload_json",
            Self::PayloadJson(Flaw::Duplicate) => "payload_duplicate",
            Self::PayloadJson(Flaw::Depth) => "payload_depth",
            Self::PayloadJson(Flaw::Nul) => "payload_nul",
            Self::Time(TimeClaim::Exp) => "exp_format",
            Self::Time(TimeClaim::Nbf) => "nbf_format",
            Self::Time(TimeClaim::Iat) => "iat_format",
            Self::Lifetime { .. } => "lifetime",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::Audience => "audience",
            Self::Requirement { .. } => "requirement",
            Self::TrustDomain => "trust_domain",
            Self::Confirmation => "confirmation",
            Self::Mapping { .. } => "mapping",
        }
    }
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        }
    }
}

impl ForbiddenMember {
    pub(super) const ALL: [Self; 5] = [Self::Crit, Self::B64, Self::Zip, Self::Enc, Self::Cty];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Crit => "crit",
            Self::B64 => "b64",
            Self::Zip => "zip",
            Self::Enc => "enc",
            Self::Cty => "cty",
        }
    }
}

impl TimeClaim {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Nbf => "nbf",
            Self::Iat => "iat",
        }
    }
}
