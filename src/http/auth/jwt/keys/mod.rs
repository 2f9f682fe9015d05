//! The key set of each issuer: where it is read, and the set in force.
//!
//! A set is read again in the background, so that a rotation of keys does not depend on calls, and when a token names a key that the
//! set does not have. The last good set stays in force while its issuer is unavailable.

mod demand;
mod fetch;
#[cfg(test)]
pub(crate) mod fixture;
mod issuer_keys;
mod source;

pub use issuer_keys::{IssuerKeys, KeysInForce};
pub use source::{FreshKeys, KeySource, KeySourceError, Location};
