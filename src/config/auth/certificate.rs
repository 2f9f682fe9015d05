//! `[[auth.certificate]]`: rules that map client certificates to callers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::error::{Invalid, require};
use super::super::setting::{self, Setting};
use super::super::{CallerLimits, List, Mode};
use super::entries;
use crate::domain::{Sid, UserId};

/// `[[auth.certificate]]`: a rule that maps the client certificates of its CAs to callers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateEntry {
    /// Name of the rule, a part of the identity of callers without a UUID: renaming it makes them other users.
    #[serde(with = "setting")]
    pub name: String,
    /// The CAs that the rule applies to: a PEM file, or `sha256:` and the hash of a public key in hexadecimal digits. Default:
    /// every CA of `tls.client_ca`.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaName>,
    /// What identifies the caller: `spiffe`, `sid-extension`, `sid-uri`, `upn`, `san` or `dn`.
    #[serde(with = "setting")]
    pub source: CertificateSource,
    /// The trust domain of SPIFFE IDs, such as `corp.test`. Required for `spiffe`.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// Limits on each caller of the entry. Default: those of `[limits.caller]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<CallerLimits>,
    /// `[[auth.certificate.callers]]`: the accepted callers. Required for `san` and `dn`; without it, the other sources accept every
    /// value.
    #[serde(default, deserialize_with = "entries::deserialize", skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<CertificateCaller>,
}

/// `[[auth.certificate.callers]]`: a caller by a value of the rule's source.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateCaller {
    /// The exact value. A subject has the form of RFC 4514: `CN=agent,OU=Services,DC=corp,DC=test`.
    #[serde(with = "setting")]
    pub value: String,
    /// The user's UUID. Default: a UUID made from the rule and the value.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The user's security identifier. Default: that of the extension for `sid-extension`, else none.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub sid: Option<Sid>,
    /// The user's name. Default: the value.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The security identifiers of the user's groups. Default: none.
    #[serde(default)]
    pub groups: List<Sid>,
}

/// The CAs that a rule applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaName {
    /// The CA with this SHA-256 of its public key.
    KeyHash([u8; 32]),
    /// The CAs in a PEM file.
    File(PathBuf),
}

/// What identifies a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// The SPIFFE ID.
    Spiffe,
    /// The SID that AD CS adds to certificates.
    SidExtension,
    /// The SID in a URI of the subject alternative name.
    SidUri,
    /// The user principal name.
    Upn,
    /// A URI or DNS name in the subject alternative name.
    San,
    /// The whole subject.
    Dn,
}

/// Maximum number of callers of a rule.
const MAX_CALLERS: usize = 1_024;
/// Longest value or name, in bytes.
const MAX_TEXT: usize = 2_048;

impl CertificateEntry {
    /// Checks the entry; `key` makes the full key of a setting from its name.
    pub(super) fn check(&self, mode: Mode, key: impl Fn(&str) -> String) -> Result<(), Invalid> {
        entries::check_name(&self.name, key("name"))?;
        match (self.source, &self.trust_domain) {
            (CertificateSource::Spiffe, domain) => {
                let is_valid = domain.as_ref().is_some_and(|domain| is_trust_domain(domain));
                let problem = "must be the trust domain of the SPIFFE IDs, such as corp.test: lower-case letters, digits, \
                               dots, underscores and hyphens";
                require(is_valid, key("trust_domain"), problem)?;
            }
            (_, domain) => {
                require(domain.is_none(), key("trust_domain"), "must be set with source = \"spiffe\" only")?;
            }
        }
        // Otherwise any CA could issue the IDs of the trust domain, and any CA that takes names from requests every SID.
        let needs_ca = matches!(self.source, CertificateSource::Spiffe | CertificateSource::SidUri);
        let is_bound = mode == Mode::Development || self.ca.is_some() || !needs_ca;
        require(is_bound, key("ca"), format!("is required with source = {:?} in production", self.source.write()))?;
        let needs_callers = matches!(self.source, CertificateSource::San | CertificateSource::Dn);
        let problem = format!("must list the accepted values with source = {:?}", self.source.write());
        require(!needs_callers || !self.callers.is_empty(), key("callers"), problem)?;
        require(self.callers.len() <= MAX_CALLERS, key("callers"), format!("must have at most {MAX_CALLERS} entries"))?;
        CallerLimits::check_of_entry(self.limits.as_ref(), &key)?;
        for (index, caller) in self.callers.iter().enumerate() {
            let key = |name: &str| key(&format!("callers[{index}].{name}"));
            let is_text = |text: &str| (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
            let problem = format!("must be 1 to {MAX_TEXT} bytes without control characters");
            require(is_text(&caller.value), key("value"), problem.clone())?;
            require(caller.name.as_deref().is_none_or(is_text), key("name"), problem)?;
            let is_new = self.callers.iter().take(index).all(|earlier| earlier.value != caller.value);
            require(
                is_new,
                key("value"),
                format!("must differ from the values before it, {:?} does not", caller.value),
            )?;
        }
        Ok(())
    }
}

/// A trust domain (SPIFFE-ID, 2.1).
fn is_trust_domain(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(is_allowed)
}

impl Setting for CaName {
    const EXPECTED: &'static str = "a path, or sha256: and 64 hexadecimal digits";

    fn read(text: &str) -> Option<Self> {
        let Some(digits) = text.strip_prefix("sha256:") else {
            return (!text.is_empty()).then(|| Self::File(PathBuf::from(text)));
        };
        key_hash(digits).map(Self::KeyHash)
    }

    fn write(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::KeyHash(hash) => write_key_hash(hash),
        }
    }
}

/// The SHA-256 of a public key from its hexadecimal digits.
pub(super) fn key_hash(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// The text of the SHA-256 of a public key.
pub(super) fn write_key_hash(hash: &[u8; 32]) -> String {
    let digits: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

impl Setting for CertificateSource {
    const EXPECTED: &'static str = "\"spiffe\", \"sid-extension\", \"sid-uri\", \"upn\", \"san\" or \"dn\"";

    fn read(text: &str) -> Option<Self> {
        let all = [Self::Spiffe, Self::SidExtension, Self::SidUri, Self::Upn, Self::San, Self::Dn];
        all.into_iter().find(|source| source.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Spiffe => "spiffe",
            Self::SidExtension => "sid-extension",
            Self::SidUri => "sid-uri",
            Self::Upn => "upn",
            Self::San => "san",
            Self::Dn => "dn",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests;
