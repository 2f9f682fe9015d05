//! `[auth.proxy]`: the trusted proxy, which authenticates callers and names them in headers.

use http::HeaderName;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, IF_MATCH, IF_NONE_MATCH, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use serde::{Deserialize, Serialize};

use super::super::error::{Invalid, require};
use super::super::setting::{self, Setting};
use super::super::{CallerLimits, Mode};
use super::certificate::{CaName, key_hash, write_key_hash};

/// `[auth.proxy]`: a proxy that authenticates callers and names them in headers. Needs `listen_unix` or a certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyEntry {
    /// The client certificate of the proxy: its SPIFFE ID, `sha256:` and the hash of its public key, or its subject in the form of
    /// RFC 4514. Default: none, the proxy connects through `listen_unix` only.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ProxyName>,
    /// The CAs that may have issued the certificate, as in `[[auth.certificate]]`. Default: every CA of `tls.client_ca`.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaName>,
    /// The headers that describe the caller.
    pub user: UserHeaders,
    /// Limits on each caller that the proxy names. Default: those of `[limits.caller]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<CallerLimits>,
}

/// `[auth.proxy] user`: the headers that describe the caller. The proxy must remove them from what its clients send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserHeaders {
    /// The subject, which identifies the caller. Default: `X-Forwarded-User`.
    #[serde(with = "setting")]
    pub subject: HeaderName,
    /// The user's UUID. Default: a UUID made from the subject.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<HeaderName>,
    /// The user's name. Default: the subject.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<HeaderName>,
    /// The user's security identifier. Default: none.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub sid: Option<HeaderName>,
    /// The security identifiers of the user's groups, separated by commas. Default: the user is in no groups.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub groups: Option<HeaderName>,
}

/// What identifies the certificate of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyName {
    /// Its SPIFFE ID.
    Spiffe(String),
    /// SHA-256 of its public key.
    KeyHash([u8; 32]),
    /// Its subject.
    Dn(String),
}

/// Headers that have another meaning.
const RESERVED: [HeaderName; 13] = [
    ACCEPT,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    IF_MATCH,
    IF_NONE_MATCH,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// The same, with names of no standard.
const RESERVED_NAMES: [&str; 4] = ["grpc-timeout", "idempotency-key", "traceparent", "x-correlation-id"];
/// Longest name of a certificate, in bytes.
const MAX_NAME: usize = 2_048;

impl Default for UserHeaders {
    fn default() -> Self {
        let subject = HeaderName::from_static("x-forwarded-user");
        Self { subject, uuid: None, name: None, sid: None, groups: None }
    }
}

impl ProxyEntry {
    /// Its name among the entries, a part of the identity of its callers.
    pub const NAME: &str = "proxy";

    pub(super) fn check(&self, mode: Mode) -> Result<(), Invalid> {
        match &self.certificate {
            // Otherwise any CA could issue a certificate of the proxy, which may name every user.
            Some(ProxyName::Spiffe(_) | ProxyName::Dn(_)) => {
                let is_bound = mode == Mode::Development || self.ca.is_some();
                let problem = "is required in production, unless auth.proxy.certificate is the hash of a public key";
                require(is_bound, "auth.proxy.ca", problem)?;
            }
            Some(ProxyName::KeyHash(_)) => {}
            None => require(self.ca.is_none(), "auth.proxy.ca", "must be set with auth.proxy.certificate only")?,
        }
        self.user.check()?;
        CallerLimits::check_of_entry(self.limits.as_ref(), |name| format!("auth.proxy.{name}"))
    }
}

impl UserHeaders {
    fn check(&self) -> Result<(), Invalid> {
        let headers = [
            ("subject", Some(&self.subject)),
            ("uuid", self.uuid.as_ref()),
            ("name", self.name.as_ref()),
            ("sid", self.sid.as_ref()),
            ("groups", self.groups.as_ref()),
        ];
        let mut earlier: Vec<&HeaderName> = Vec::new();
        for (key, header) in headers {
            let Some(header) = header else { continue };
            let key = format!("auth.proxy.user.{key}");
            let is_free = !RESERVED.contains(header) && !RESERVED_NAMES.contains(&header.as_str());
            require(is_free, key.clone(), format!("must not be {header}, which has another meaning"))?;
            require(
                !earlier.contains(&header),
                key,
                format!("must differ from the headers before it, {header} does not"),
            )?;
            earlier.push(header);
        }
        Ok(())
    }
}

impl Setting for ProxyName {
    const EXPECTED: &'static str =
        "a SPIFFE ID (spiffe://...), sha256: and 64 hexadecimal digits, or a subject such as CN=edge,O=Corp";

    fn read(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("sha256:") {
            return key_hash(digits).map(Self::KeyHash);
        }
        let is_text = text.len() <= MAX_NAME && !text.chars().any(char::is_control);
        if text.starts_with("spiffe://") {
            return is_text.then(|| Self::Spiffe(text.to_owned()));
        }
        (is_text && text.contains('=')).then(|| Self::Dn(text.to_owned()))
    }

    fn write(&self) -> String {
        match self {
            Self::Spiffe(text) | Self::Dn(text) => text.clone(),
            Self::KeyHash(hash) => write_key_hash(hash),
        }
    }
}

impl Setting for HeaderName {
    const EXPECTED: &'static str = "the name of a header without underscores, such as X-Forwarded-User";

    fn read(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes()).ok().filter(|name| !name.as_str().contains('_'))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests;
