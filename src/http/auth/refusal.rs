//! Why a call is not authenticated, as the operator learns it: a counter by check, and log lines at a limited rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::AuthError;
use super::certificate::CertificateRejection;
use super::jwt::Rejection;
use super::proxy::IdentityRejection;
use crate::runtime::telemetry::{LineLimit, names};

/// Minimum time between two log lines about the same check.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Why a call is not authenticated. `Display` is for the log of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    /// It has no bearer token.
    #[error("the call has no bearer token")]
    NoToken,
    /// A check of the token failed.
    #[error(transparent)]
    Token(#[from] Rejection),
    /// No key set of the issuer is in force.
    #[error("no key set of the issuer is in force; an earlier line says why it cannot be read")]
    NoKeys,
    /// The file `auth.denied` lists the token.
    #[error("the file auth.denied lists the token, its subject or its time of issue")]
    Denied,
    /// The token is bound to a client certificate that the connection does not have.
    #[error("the token is bound to a client certificate (cnf), which the connection does not have")]
    Certificate,
    /// The client certificate identifies no caller.
    #[error(transparent)]
    UnknownCertificate(#[from] CertificateRejection),
    /// The headers of the trusted proxy do not identify one caller.
    #[error(transparent)]
    Identity(#[from] IdentityRejection),
}

/// Counts and logs refusals.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The log lines about each check. Checks are few and not chosen by callers.
    lines: Mutex<HashMap<&'static str, LineLimit>>,
}

impl Reports {
    /// Counts a refusal, and logs it unless there was a line about the same check a moment ago. `entry` is the entry of the
    /// configuration that would have accepted the proof, if it is known. The line has the correlation id of the call from its span.
    pub(super) fn refused(&self, entry: Option<&str>, refusal: &Refusal) {
        let check = refusal.check();
        metrics::counter!(names::CALLS_NOT_AUTHENTICATED, "check" => check).increment(1);
        let suppressed = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.entry(check).or_insert_with(|| LineLimit::new(1, LINE_INTERVAL)).admit()
        };
        if let Some(suppressed) = suppressed {
            tracing::info!(check, entry, suppressed, "the caller is not authenticated: {refusal}");
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
            Self::Denied => "denied",
            Self::Certificate => "certificate",
            Self::UnknownCertificate(rejection) => rejection.check(),
            Self::Identity(rejection) => rejection.check(),
        }
    }

    /// What the caller learns.
    pub(super) const fn error(&self) -> AuthError {
        match self {
            Self::NoToken => AuthError::NoCredentials,
            Self::Token(_) | Self::NoKeys | Self::Denied | Self::Certificate => AuthError::InvalidToken,
            Self::UnknownCertificate(_) => AuthError::UnknownCertificate,
            Self::Identity(_) => AuthError::InvalidIdentity,
        }
    }
}
