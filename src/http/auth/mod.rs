//! Authentication: who the [`Caller`](crate::domain::Caller) is. `domain` decides what the caller may do.

pub mod certificate;
pub mod jwt;
pub mod negotiate;
pub mod proxy;

mod admission;
mod audit;
mod authenticated;
mod development;
mod refusal;
mod tokens;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::certificate::{Certificates, Rules};
use self::jwt::keys::KeySourceError;
use self::negotiate::keytab::Keytab;
use self::negotiate::{Negotiate, NegotiateSettings, StartError};
use self::proxy::{Identified, ProxySettings, TrustedProxy};
use self::tokens::{DeniedTokens, NotProven, Tokens, denied_file};
use crate::domain::ErrorKind;
use crate::http::server::CertificateRefused;
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::tls::PeerCertificate;
use crate::runtime::watched_file::{WatchedFile, WatchedFileError};

pub use admission::{Admission, AdmissionError};
pub use audit::{Attempt, Audit};
pub use authenticated::Authenticated;
pub use development::Development;
pub use refusal::AuthRefusal;
pub use tokens::TokenIssuer;

/// Header that selects a user other than the default, in the development mode.
pub const DEVELOPMENT_HEADER: &str = "X-Dev-User";
/// The challenge to a call without credentials (RFC 6750, 3.1).
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"cmgate\"");
/// The challenge to a call with a token that is not accepted.
const TOKEN_CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"cmgate\", error=\"invalid_token\"");

/// How callers are to be authenticated.
#[derive(Clone, Debug)]
pub enum AuthenticationSettings {
    /// Without proof.
    Development(Development),
    /// By proof.
    Proof(Box<ProofSettings>),
}

/// The accepted proofs.
#[derive(Clone, Debug, Default)]
pub struct ProofSettings {
    /// The issuers of bearer tokens, in the order of the configuration.
    pub tokens: Vec<TokenIssuer>,
    /// The file with denied tokens.
    pub denied: Option<PathBuf>,
    /// The rules that map client certificates to callers.
    pub certificates: Rules,
    /// Kerberos tickets.
    pub negotiate: Option<NegotiateSettings>,
    /// The trusted proxy.
    pub proxy: Option<ProxySettings>,
}

/// What a check of the settings found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The keys for Kerberos tickets; `None` if tickets are not accepted.
    pub keytab: Option<Keytab>,
}

/// How callers are authenticated. Clones share their state.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Without proof: the caller is a default user, or the user named by a header.
    Development(Development),
    /// By proof.
    Proof(Arc<Proofs>),
}

/// The accepted proofs.
#[derive(Debug)]
pub struct Proofs {
    tokens: Tokens,
    certificates: Certificates,
    negotiate: Option<Negotiate>,
    proxy: Option<TrustedProxy>,
}

/// Why authentication cannot be set up.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The keys of an issuer cannot be read.
    #[error("auth.jwt[{index}] ({name})")]
    Keys {
        /// Index of the issuer's entry.
        index: usize,
        /// Name of the entry.
        name: Arc<str>,
        /// Why.
        source: KeySourceError,
    },
    /// The file with denied tokens cannot be used.
    #[error(transparent)]
    Denied(#[from] WatchedFileError),
    /// Tickets cannot be accepted.
    #[error(transparent)]
    Negotiate(#[from] StartError),
}

/// Why authentication failed. `Display` is the message for the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// The header that identifies the caller is invalid.
    #[error("header {header} {problem}")]
    BadHeader {
        /// The header.
        header: &'static str,
        /// What is wrong with it; the rest of a sentence that starts with the header.
        problem: &'static str,
    },
    /// The call has no credentials.
    #[error("the call has no credentials; send them in the header Authorization, as the header WWW-Authenticate asks")]
    NoCredentials,
    /// The credentials are not accepted. The message does not say why: whoever guesses tokens would learn from it.
    #[error("the token is not accepted; the log of the service has the reason")]
    InvalidToken,
    /// The client certificate identifies no caller.
    #[error("the client certificate identifies no caller of this service; the log of the service has the reason")]
    UnknownCertificate,
    /// The client certificate of the connection does not permit any call.
    #[error(transparent)]
    Certificate(#[from] CertificateRefused),
    /// The headers of the trusted proxy do not identify one caller.
    #[error("the identity headers of the proxy are not accepted; the log of the service has the reason")]
    InvalidIdentity,
    /// The ticket is not accepted.
    #[error("the ticket is not accepted; the log of the service has the reason")]
    InvalidTicket,
    /// The ticket was sent over another version of HTTP.
    #[error("a Kerberos ticket is accepted over HTTP/1.1 only")]
    TicketNeedsHttp1,
    /// The caller is a user who has left.
    #[error("your user is inactive in the directory of this service; an administrator can activate it")]
    InactiveUser,
    /// Too many calls wait to be authenticated.
    #[error("the service is overloaded; retry later")]
    Overloaded,
}

/// Whether the sender of a call can use tickets, which are accepted over HTTP/1.1 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tickets {
    /// In this version of HTTP.
    Accepted,
    /// After it has fallen back to HTTP/1.1. Browsers and `WinHTTP` do that when HTTP/2 offers Negotiate.
    AfterFallback,
    /// It cannot.
    Impossible,
}

impl AuthenticationSettings {
    /// Checks the files that the settings name. Blocks.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn check(&self) -> Result<Checked, SetupError> {
        let Self::Proof(proof) = self else { return Ok(Checked::default()) };
        for (index, entry) in proof.tokens.iter().enumerate() {
            let name = || Arc::clone(&entry.issuer.name);
            entry.keys.check().map_err(|source| SetupError::Keys { index, name: name(), source })?;
        }
        proof.load_denied()?;
        Ok(Checked { keytab: proof.negotiate.as_ref().map(NegotiateSettings::check).transpose()? })
    }
}

impl Authentication {
    /// Starts the parts that a method needs, such as tasks that read key sets until `end`.
    ///
    /// # Errors
    /// The settings name something that cannot be read.
    pub async fn start(
        settings: AuthenticationSettings,
        clock: Clock,
        end: &CancellationToken,
    ) -> Result<Self, SetupError> {
        match settings {
            AuthenticationSettings::Development(development) => Ok(Self::Development(development)),
            AuthenticationSettings::Proof(settings) => {
                // Reading a small local file does not hold up the start noticeably.
                let denied = settings.load_denied()?;
                let ProofSettings { tokens, denied: _, certificates, negotiate, proxy } = *settings;
                let negotiate = negotiate.map(|settings| Negotiate::start(settings, clock.clone())).transpose()?;
                let names: Vec<Arc<str>> = tokens.iter().map(|entry| Arc::clone(&entry.issuer.name)).collect();
                let tokens = Tokens::start(tokens, denied, clock, end).await.map_err(|(index, source)| {
                    let name = names.get(index).cloned().unwrap_or_else(|| Arc::from(""));
                    SetupError::Keys { index, name, source }
                })?;
                let (certificates, proxy) = (Certificates::new(certificates), proxy.map(TrustedProxy::new));
                Ok(Self::Proof(Arc::new(Proofs { tokens, certificates, negotiate, proxy })))
            }
        }
    }

    /// Follows changes of the file with denied tokens until `end`: at each SIGHUP, and at this interval.
    pub fn watch(&self, interval: Duration, hangups: &Hangups, end: &CancellationToken) {
        let Self::Proof(proofs) = self else { return };
        if let Some(denied) = proofs.tokens.denied() {
            let watch = denied.clone().watch(interval, hangups.clone());
            tokio::spawn(end.clone().run_until_cancelled_owned(watch));
        }
    }

    /// Authenticates the sender of a request. Identity headers that are not the word of the trusted proxy are removed from it.
    ///
    /// # Errors
    /// The identity of the caller is missing or invalid.
    pub async fn authenticate(&self, parts: &mut Parts) -> Result<Authenticated, AuthRefusal> {
        match self {
            Self::Development(development) => Ok(development.authenticate(&parts.headers)?.into()),
            // Boxed: the state of the checks would enlarge the future of every call.
            Self::Proof(proofs) => Box::pin(proofs.authenticate(parts)).await,
        }
    }

    /// Sets the challenges (RFC 9110, 11.6.1) that the response to a call must carry which failed with an [`AuthError`] of this
    /// reason.
    pub fn challenge(&self, tickets: Tickets, reason: &str, headers: &mut HeaderMap) {
        match self {
            // Nothing that a caller could prove.
            Self::Development(_) => {}
            Self::Proof(proofs) => {
                headers.remove(WWW_AUTHENTICATE);
                let offers_negotiate = proofs.negotiate.is_some() && tickets != Tickets::Impossible;
                // A response with the status 401 must have a challenge (RFC 9110, 15.5.2).
                if proofs.tokens.has_issuers() || !offers_negotiate {
                    let is_refused = reason == AuthError::InvalidToken.reason();
                    headers.insert(WWW_AUTHENTICATE, if is_refused { TOKEN_CHALLENGE } else { CHALLENGE });
                }
                if offers_negotiate {
                    headers.append(WWW_AUTHENTICATE, negotiate::CHALLENGE);
                }
            }
        }
    }

    /// The names of the entries that can prove the identity of a caller.
    #[must_use]
    pub fn entries(&self) -> Vec<Arc<str>> {
        let Self::Proof(proofs) = self else { return Vec::new() };
        let mut names: Vec<Arc<str>> = proofs.tokens.entries().chain(proofs.certificates.entries()).cloned().collect();
        names.extend(proofs.negotiate.as_ref().map(|_| Arc::from(negotiate::ENTRY)));
        names.extend(proofs.proxy.as_ref().map(|_| Arc::from(proxy::ENTRY)));
        names
    }

    /// Records what the metrics show about the present state, such as the age of key sets.
    pub fn record_gauges(&self) {
        match self {
            Self::Development(_) => {}
            Self::Proof(proofs) => proofs.tokens.record_gauges(),
        }
    }
}

impl ProofSettings {
    /// Reads the file with denied tokens and counts its entries; 0 without a file. Blocks.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn denied_entries(&self) -> Result<usize, WatchedFileError> {
        Ok(self.load_denied()?.map_or(0, |denied| denied.current().content.entries()))
    }

    /// Reads the file with denied tokens. Blocks.
    fn load_denied(&self) -> Result<Option<WatchedFile<DeniedTokens>>, WatchedFileError> {
        let Some(path) = self.denied.clone() else { return Ok(None) };
        let issuers = self.tokens.iter().map(|entry| Arc::clone(&entry.issuer.name)).collect();
        WatchedFile::load(denied_file(path, issuers)).map(Some)
    }
}

impl Proofs {
    /// A token is the caller even beside a client certificate, which then only proves that the token is not stolen (RFC 8705).
    async fn authenticate(&self, parts: &mut Parts) -> Result<Authenticated, AuthRefusal> {
        let identified = self.proxy.as_ref().map_or(Ok(Identified::Elsewhere), |proxy| proxy.identify(parts));
        let is_through_proxy = match identified? {
            Identified::Caller(caller) => return Ok(Arc::new(caller).into()),
            Identified::Nobody => true,
            Identified::Elsewhere => false,
        };
        if let Some(negotiate) = &self.negotiate
            && Negotiate::has_ticket(&parts.headers)
        {
            return Ok(negotiate.authenticate(parts).await?);
        }
        let peer = parts.extensions.get::<PeerCertificate>();
        if let Some(peer) = peer
            && !self.certificates.is_empty()
            && !is_through_proxy
            && !parts.headers.contains_key(AUTHORIZATION)
        {
            return Ok(self.certificates.caller(peer)?.into());
        }
        let checked = self.tokens.authenticate(parts, peer).await.map(Into::into);
        checked.map_err(|NotProven { entry, refusal }| AuthRefusal::of_entry(entry, refusal))
    }
}

impl AuthError {
    /// The kind of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::BadHeader { .. }
            | Self::NoCredentials
            | Self::InvalidToken
            | Self::UnknownCertificate
            | Self::Certificate(_)
            | Self::InvalidIdentity
            | Self::InvalidTicket
            | Self::TicketNeedsHttp1
            | Self::InactiveUser => ErrorKind::Unauthenticated,
            Self::Overloaded => ErrorKind::Overloaded,
        }
    }

    /// Stable name of the reason, for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BadHeader { .. } => "BAD_IDENTITY_HEADER",
            Self::NoCredentials => "NO_CREDENTIALS",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::UnknownCertificate => "CLIENT_CERTIFICATE_UNKNOWN",
            Self::Certificate(CertificateRefused::Missing) => "CLIENT_CERTIFICATE_REQUIRED",
            Self::Certificate(CertificateRefused::Withdrawn) => "CLIENT_CERTIFICATE_REFUSED",
            Self::InvalidIdentity => "INVALID_IDENTITY_HEADERS",
            Self::InvalidTicket => "INVALID_TICKET",
            Self::TicketNeedsHttp1 => "TICKET_NEEDS_HTTP1",
            Self::InactiveUser => "USER_INACTIVE",
            Self::Overloaded => "OVERLOADED",
        }
    }
}
