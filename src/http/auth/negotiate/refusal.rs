//! Why a ticket is not accepted: a label of the counter, and a line of the log for the operator. The caller learns neither.

use thiserror::Error;

use super::pac::PacError;

/// Why a call with `Authorization: Negotiate` is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[cfg_attr(not(feature = "negotiate"), expect(dead_code, reason = "only Kerberos finds most of them"))]
pub enum Refusal {
    /// Too many tickets wait for their check.
    #[error("too many tickets wait for their check")]
    Overloaded,
    /// The version of HTTP is not 1.1.
    #[error("the ticket was sent over another version of HTTP than 1.1")]
    Version,
    /// There is more than one header Authorization.
    #[error("the call has more than one header Authorization")]
    Repeated,
    /// The header exceeds the limit on bytes.
    #[error("the token is too long")]
    TooLong,
    /// The token is not base64.
    #[error("the token is not base64")]
    NotBase64,
    /// There is no token.
    #[error("the token is empty")]
    Empty,
    /// The client offers NTLM.
    #[error(
        "the client offers NTLM instead of Kerberos; usual causes: no service principal for the host name of the URL, an IP \
         address in the URL, or a client outside the domain"
    )]
    Ntlm,
    /// The client offers neither Kerberos nor NTLM.
    #[error("the client offers no Kerberos")]
    Mechanism,
    /// The ticket needs a second token.
    #[error("the token has no ticket")]
    Incomplete,
    /// The token is damaged.
    #[error("the token is damaged: {0}")]
    Token(String),
    /// The ticket was used before.
    #[error("the ticket was used before")]
    Replay,
    /// The ticket is bound to another channel.
    #[error("the ticket is bound to another TLS connection or certificate")]
    Bindings,
    /// The ticket is not bound to the channel.
    #[error("the ticket is not bound to the TLS connection, which auth.negotiate.channel_binding requires")]
    Unbound,
    /// The ticket has expired, or is not valid yet.
    #[error("the ticket is not valid at this time: {0}")]
    Expired(String),
    /// The clocks differ.
    #[error("the clock of the client differs too much from that of this machine")]
    Clock,
    /// No key decrypts the ticket.
    #[error("no key of the keytab decrypts the ticket; compare its principals and key versions with the domain: {0}")]
    Key(String),
    /// The client is anonymous, or its principal cannot be read.
    #[error("the client has no usable name: {0}")]
    Name(String),
    /// The client belongs to a realm that is not accepted.
    #[error("the realm of {0} is not one of auth.negotiate.realms")]
    Realm(String),
    /// The signatures of the logon information are not verified.
    #[error("the logon information of the ticket is not authenticated")]
    NotAuthenticated,
    /// The logon information cannot be read.
    #[error(transparent)]
    LogonInfo(#[from] PacError),
    /// A fault of this machine, such as a replay cache that cannot be written.
    #[error("Kerberos failed: {0}")]
    Fault(String),
}

impl Refusal {
    /// Stable name of the check that failed: a label of the counter and a field of the log line.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Overloaded => "negotiate_overloaded",
            Self::Version => "negotiate_http_version",
            Self::Repeated => "negotiate_repeated",
            Self::TooLong => "negotiate_too_long",
            Self::NotBase64 | Self::Token(_) => "negotiate_token",
            Self::Empty | Self::Incomplete => "negotiate_incomplete",
            Self::Ntlm => "negotiate_ntlm",
            Self::Mechanism => "negotiate_mechanism",
            Self::Replay => "negotiate_replay",
            Self::Bindings => "negotiate_bindings",
            Self::Unbound => "negotiate_unbound",
            Self::Expired(_) => "negotiate_expired",
            Self::Clock => "negotiate_clock",
            Self::Key(_) => "negotiate_key",
            Self::Name(_) => "negotiate_name",
            Self::Realm(_) => "negotiate_realm",
            Self::NotAuthenticated | Self::LogonInfo(_) => "negotiate_logon_info",
            Self::Fault(_) => "negotiate_fault",
        }
    }
}
