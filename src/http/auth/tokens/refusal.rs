//! Why a call is not authenticated, as the operator learns it: a counter by check, and log lines at a limited rate.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::http::auth::certificate::CertificateRejection;
use crate::http::auth::jwt::Rejection;
use crate::runtime::telemetry::{LineLimit, names};

/// Minimum time between two log lines about the same check.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Why a call is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has no bearer token.
    NoToken,
    /// A check of the token failed.
    Token(Rejection),
    /// No key set of the issuer is in force.
    NoKeys,
    /// The token is bound to a client certificate that the connection does not have.
    Certificate,
    /// The client certificate identifies no caller.
    UnknownCertificate(CertificateRejection),
}

/// Counts and logs refusals.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The log lines about each check. Checks are few and not chosen by callers.
    lines: Mutex<HashMap<&'static str, LineLimit>>,
}

impl Reports {
    /// Counts a refusal, and logs it unless there was a line about the same check a moment ago. The line has the correlation id
    /// of the call from its span.
    pub(super) fn refused(&self, issuer: Option<&str>, refusal: &Refusal) {
        let check = refusal.check();
        metrics::counter!(names::CALLS_NOT_AUTHENTICATED, "check" => check).increment(1);
        let suppressed = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.entry(check).or_insert_with(|| LineLimit::new(1, LINE_INTERVAL)).admit()
        };
        if let Some(suppressed) = suppressed {
            tracing::info!(check, issuer, suppressed, "the caller is not authenticated: {refusal}");
        }
    }
}

impl Refusal {
    /// Stable name of the check that failed: a label of metrics and of the log.
    const fn check(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Token(rejection) => rejection.check(),
            Self::NoKeys => "no_keys",
            Self::Certificate => "certificate",
            Self::UnknownCertificate(rejection) => rejection.check(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("the call has no bearer token"),
            Self::Token(rejection) => rejection.fmt(f),
            Self::UnknownCertificate(rejection) => rejection.fmt(f),
            Self::NoKeys => {
                f.write_str("no key set of the issuer is in force; an earlier line says why it cannot be read")
            }
            Self::Certificate => {
                f.write_str("the token is bound to a client certificate (cnf), which the connection does not have")
            }
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Token(rejection)
    }
}
