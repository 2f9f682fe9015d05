//! Why a call is not authenticated: for the audit line and the counter of the operator. The caller learns an [`AuthError`], which says
//! less.

use std::sync::Arc;

use thiserror::Error;

use super::certificate::CertificateRejection;
use super::jwt::Rejection;
use super::negotiate::{self, Refusal as TicketRefusal};
use super::proxy::{self, IdentityRejection};
use super::{AuthError, DEVELOPMENT_HEADER};
use crate::domain::{ProofMethod, UserId};
use crate::http::server::CertificateRefused;

/// A refused call, and the entry of the configuration that would have accepted its proof, if it is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{refusal}")]
pub struct AuthRefusal {
    entry: Option<Arc<str>>,
    refusal: Refusal,
}

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
    /// The connection lacks an acceptable client certificate, so it must not call at all.
    #[error(transparent)]
    Connection(#[from] CertificateRefused),
    /// The headers of the trusted proxy do not identify one caller.
    #[error(transparent)]
    Identity(#[from] IdentityRejection),
    /// The ticket is not accepted.
    #[error(transparent)]
    Ticket(#[from] TicketRefusal),
    /// The header of the development mode does not name a user.
    #[error("header {DEVELOPMENT_HEADER} {0}")]
    DevelopmentHeader(&'static str),
    /// The caller has proven its identity, but is an inactive user of the directory.
    #[error("user {0} of the directory is inactive")]
    Inactive(UserId, ProofMethod),
}

/// A kind of proof, as audit lines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProofKind {
    /// The call has none.
    Nothing,
    /// A bearer token.
    Token,
    /// A client certificate.
    Certificate,
    /// A Kerberos ticket.
    Ticket,
    /// The headers of the trusted proxy.
    ProxyHeaders,
    /// The header of the development mode, which proves nothing.
    DevelopmentHeader,
}

impl AuthRefusal {
    pub(super) fn of_entry(entry: Option<&str>, refusal: Refusal) -> Self {
        Self { entry: entry.map(Arc::from), refusal }
    }

    /// The connection is not accepted, whatever the call has to prove the identity of its caller.
    pub(in crate::http) fn of_connection(refused: CertificateRefused) -> Self {
        Self { entry: None, refusal: refused.into() }
    }

    /// The user has left.
    pub(super) const fn of_inactive(user: UserId, method: ProofMethod, entry: Option<Arc<str>>) -> Self {
        Self { entry, refusal: Refusal::Inactive(user, method) }
    }

    /// Stable name of the check that failed: a label of metrics and of audit lines.
    pub(super) const fn check(&self) -> &'static str {
        self.refusal.check()
    }

    pub(super) fn entry(&self) -> Option<&str> {
        let of_method = match &self.refusal {
            Refusal::Identity(_) => Some(proxy::ENTRY),
            Refusal::Ticket(_) => Some(negotiate::ENTRY),
            _ => None,
        };
        self.entry.as_deref().or(of_method)
    }

    /// The user whose identity is proven.
    pub(super) const fn user(&self) -> Option<UserId> {
        match self.refusal {
            Refusal::Inactive(user, _) => Some(user),
            _ => None,
        }
    }

    pub(super) const fn proof(&self) -> ProofKind {
        match &self.refusal {
            Refusal::NoToken | Refusal::Connection(CertificateRefused::Missing) => ProofKind::Nothing,
            Refusal::Token(_) | Refusal::NoKeys | Refusal::Denied | Refusal::Certificate => ProofKind::Token,
            Refusal::UnknownCertificate(_) | Refusal::Connection(CertificateRefused::Withdrawn) => {
                ProofKind::Certificate
            }
            Refusal::Identity(_) => ProofKind::ProxyHeaders,
            Refusal::Ticket(_) => ProofKind::Ticket,
            Refusal::DevelopmentHeader(_) => ProofKind::DevelopmentHeader,
            Refusal::Inactive(_, method) => ProofKind::of(*method),
        }
    }

    /// What the caller learns.
    #[must_use]
    pub const fn error(&self) -> AuthError {
        match &self.refusal {
            Refusal::NoToken => AuthError::NoCredentials,
            Refusal::Token(_) | Refusal::NoKeys | Refusal::Denied | Refusal::Certificate => AuthError::InvalidToken,
            Refusal::UnknownCertificate(_) => AuthError::UnknownCertificate,
            Refusal::Connection(refused) => AuthError::Certificate(*refused),
            Refusal::Identity(_) => AuthError::InvalidIdentity,
            Refusal::Ticket(TicketRefusal::Version) => AuthError::TicketNeedsHttp1,
            Refusal::Ticket(TicketRefusal::Overloaded) => AuthError::Overloaded,
            Refusal::Ticket(_) => AuthError::InvalidTicket,
            Refusal::DevelopmentHeader(problem) => AuthError::BadHeader { header: DEVELOPMENT_HEADER, problem },
            Refusal::Inactive(..) => AuthError::InactiveUser,
        }
    }
}

impl Refusal {
    pub(super) const fn check(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Token(rejection) => rejection.check(),
            Self::NoKeys => "no_keys",
            Self::Denied => "denied",
            Self::Certificate => "certificate",
            Self::UnknownCertificate(rejection) => rejection.check(),
            Self::Connection(CertificateRefused::Missing) => "connection_certificate_missing",
            Self::Connection(CertificateRefused::Withdrawn) => "connection_certificate_refused",
            Self::Identity(rejection) => rejection.check(),
            Self::Ticket(refusal) => refusal.check(),
            Self::DevelopmentHeader(_) => "development_header",
            Self::Inactive(..) => "user_inactive",
        }
    }
}

impl ProofKind {
    pub(super) const fn of(method: ProofMethod) -> Self {
        match method {
            ProofMethod::Development => Self::DevelopmentHeader,
            ProofMethod::Token => Self::Token,
            ProofMethod::Certificate => Self::Certificate,
            ProofMethod::Kerberos => Self::Ticket,
            ProofMethod::Proxy => Self::ProxyHeaders,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Token => "token",
            Self::Certificate => "certificate",
            Self::Ticket => "ticket",
            Self::ProxyHeaders => "proxy_headers",
            Self::DevelopmentHeader => "development_header",
        }
    }
}

impl<R: Into<Refusal>> From<R> for AuthRefusal {
    fn from(refusal: R) -> Self {
        Self { entry: None, refusal: refusal.into() }
    }
}
