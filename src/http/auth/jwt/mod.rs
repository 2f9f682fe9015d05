//! The check of a bearer token (RFC 6750, RFC 7519, RFC 8725): a pure function of the token, the configured issuers, a key set and
//! the time.
//!
//! [`bearer()`] takes the token from the request, [`Token::read`] finds its issuer, and [`Token::verify`] checks it with the keys of
//! that issuer. A [`Rejection`] names the check that failed; the operator sees it, the caller does not.

pub mod keys;

mod algorithm;
mod bearer;
mod caller;
mod claimed;
mod claims;
mod header;
mod issuer;
mod json;
mod key_set;
mod mapping;
mod provider;
mod public_key;
mod rejection;
pub(in crate::http::auth) mod spiffe;
mod step;
#[cfg(test)]
mod tests;
mod token;

pub use bearer::{bearer, is_token68};
pub use claimed::{Claimed, claimed};
pub use claims::CertificateThumbprint;
pub(in crate::http::auth) use header::IGNORED;
pub use issuer::{Issuer, Requirement};
pub use json::Flaw;
pub use key_set::{KeySet, KeySetError};
pub use mapping::ClaimMapping;
pub use provider::provider;
pub use public_key::Unusable;
pub use rejection::{ForbiddenMember, Part, Rejection, TimeClaim};
pub use step::Step;
pub use token::{Token, Verified};
