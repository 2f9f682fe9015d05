//! An issuer of tokens as configured: one entry of `[[auth.jwt]]`.

use std::sync::Arc;
use std::time::Duration;

use super::mapping::ClaimMapping;
use crate::runtime::jwt::{Algorithm, KeyUse};

/// An issuer whose tokens are accepted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Name of the entry. It is part of a caller's identity, so it must not change.
    pub name: Arc<str>,
    /// Accepted values of `iss`, compared byte by byte. For [`KeyUse::JwtSvid`] also trust domains, such as `spiffe://corp.test`.
    pub issuers: Vec<String>,
    /// Values of `aud`, of which a token must have one. An empty list accepts no token.
    pub audiences: Vec<String>,
    /// Accepted signature algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Accepted values of `typ`, in any case and with or without `application/`. An empty text accepts a token without `typ`.
    pub types: Vec<String>,
    /// Claims that a token must have.
    pub require: Vec<Requirement>,
    /// Which claims describe the caller.
    pub user: ClaimMapping,
    /// Maximum time from `iat` to `exp`.
    pub max_lifetime: Duration,
    /// Maximum difference between the clocks of the issuer and of the service.
    pub skew: Duration,
    /// Longest token.
    pub max_bytes: usize,
    /// Which keys of the issuer's key set may sign tokens.
    pub key_use: KeyUse,
}

/// A claim that a token must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Name of the claim, or a JSON pointer (RFC 6901) such as `/realm_access/roles`.
    pub claim: String,
    /// Accepted values. The claim must be one of them, or an array that contains one. `scope` and `scp` may also be a text of
    /// values separated by spaces. An empty list accepts every value but null.
    pub values: Vec<String>,
}

impl Issuer {
    /// Whether `typ` is one of the entry's types (RFC 7515, 4.1.9).
    pub(super) fn accepts_type(&self, typ: Option<&str>) -> bool {
        match typ {
            None => self.types.iter().any(String::is_empty),
            Some("") => false,
            Some(typ) => self.types.iter().any(|accepted| short(accepted).eq_ignore_ascii_case(short(typ))),
        }
    }

    /// Whether the entry lists an issuer or trust domain.
    pub(super) fn lists(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|listed| listed == issuer)
    }
}

/// A media type without `application/`, which may be omitted if no other slash follows.
fn short(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    let rest = typ.split_at_checked(PREFIX.len()).filter(|(prefix, _)| prefix.eq_ignore_ascii_case(PREFIX));
    rest.map_or(typ, |(_, rest)| if rest.contains('/') || rest.is_empty() { typ } else { rest })
}
