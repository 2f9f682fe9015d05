//! The outcome of a successful authentication.

use std::sync::Arc;

use http::HeaderValue;

use crate::domain::Caller;

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The caller.
    pub caller: Arc<Caller>,
    /// Value of `WWW-Authenticate` in the response to the call, which proves the service to the caller (RFC 4559, 4.2); `None` if
    /// the way of authentication has no such proof.
    pub answer: Option<HeaderValue>,
}

impl From<Arc<Caller>> for Authenticated {
    fn from(caller: Arc<Caller>) -> Self {
        Self { caller, answer: None }
    }
}
