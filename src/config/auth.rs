//! `[auth]`: the ways in which callers prove their identity. As long as there is none, the development mode trusts every caller,
//! and production does not start.

mod certificate;
pub(super) mod entries;
mod jwt;
mod negotiate;
mod proxy;

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require};
use super::{Mode, OptionalPath, setting};

pub use certificate::{CaName, CertificateCaller, CertificateEntry, CertificateSource};
pub use jwt::{DEMO_ISSUER, JwtEntry, KeySetSource, UserClaims};
pub use negotiate::NegotiateEntry;
pub use proxy::{ProxyEntry, ProxyName, UserHeaders};

/// `[auth]`: the ways in which callers prove their identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// TOML file with tokens of `[[auth.jwt]]` that are refused before they expire. Default: empty, no file.
    #[serde(with = "setting")]
    pub denied: OptionalPath,
    /// `[[auth.jwt]]`: the issuers of bearer tokens. Default: none.
    #[serde(deserialize_with = "entries::deserialize", skip_serializing_if = "Vec::is_empty")]
    pub jwt: Vec<JwtEntry>,
    /// `[[auth.certificate]]`: the rules that map client certificates to callers. Default: none.
    #[serde(deserialize_with = "entries::deserialize", skip_serializing_if = "Vec::is_empty")]
    pub certificate: Vec<CertificateEntry>,
    /// `[auth.negotiate]`: Kerberos tickets. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negotiate: Option<NegotiateEntry>,
    /// `[auth.proxy]`: the trusted proxy. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyEntry>,
}

/// Maximum number of issuers: each has a key set in memory and a connection to its server.
const MAX_ISSUERS: usize = 32;
/// Maximum number of rules for certificates: each is tried for each new certificate.
const MAX_RULES: usize = 64;

impl Auth {
    /// Whether callers have no way to prove their identity.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.jwt.is_empty() && self.certificate.is_empty() && self.negotiate.is_none() && self.proxy.is_none()
    }

    /// `has_tls` says whether the public port has TLS.
    pub(super) fn check(&self, mode: Mode, has_tls: bool) -> Result<(), Invalid> {
        let can_prove = mode == Mode::Development || !self.is_empty();
        require(
            can_prove,
            "auth",
            "is required in production: add an [[auth.jwt]] entry for each issuer of tokens, [[auth.certificate]] rules for client \
             certificates, [auth.negotiate] for Kerberos, or [auth.proxy]",
        )?;
        let has_tokens = self.denied.0.is_none() || !self.jwt.is_empty();
        require(has_tokens, "auth.denied", "lists tokens: it needs an entry in auth.jwt")?;
        require(self.jwt.len() <= MAX_ISSUERS, "auth.jwt", format!("must have at most {MAX_ISSUERS} entries"))?;
        for (index, entry) in self.jwt.iter().enumerate() {
            let key = |name: &str| format!("auth.jwt[{index}].{name}");
            entry.check(mode, key)?;
            check_free(&entry.name, key("name"))?;
            for (other, earlier) in self.jwt.iter().take(index).enumerate() {
                let is_new = entry.name != earlier.name;
                require(is_new, key("name"), format!("must differ from auth.jwt[{other}].name, {:?}", entry.name))?;
                if let Some(issuer) = entry.issuers.0.iter().find(|issuer| earlier.issuers.0.contains(issuer)) {
                    let problem = format!("must not contain {issuer:?}, which auth.jwt[{other}].issuers contains");
                    return Err(Invalid { path: key("issuers").into(), problem });
                }
            }
        }
        self.check_certificates(mode)?;
        self.negotiate.as_ref().map_or(Ok(()), |entry| entry.check(has_tls))?;
        self.proxy.as_ref().map_or(Ok(()), |proxy| proxy.check(mode))
    }

    fn check_certificates(&self, mode: Mode) -> Result<(), Invalid> {
        let rules = &self.certificate;
        require(rules.len() <= MAX_RULES, "auth.certificate", format!("must have at most {MAX_RULES} entries"))?;
        for (index, rule) in rules.iter().enumerate() {
            let key = |name: &str| format!("auth.certificate[{index}].{name}");
            rule.check(mode, key)?;
            // The name is a part of the identity of callers, so two entries must not share one.
            let names = self.jwt.iter().map(|entry| &entry.name);
            let mut names = names.chain(rules.iter().take(index).map(|earlier| &earlier.name));
            let is_new = names.all(|name| *name != rule.name);
            require(
                is_new,
                key("name"),
                format!("must differ from the names of other entries, {:?} does not", rule.name),
            )?;
            check_free(&rule.name, key("name"))?;
        }
        Ok(())
    }

    /// Whether client certificates identify callers or the proxy.
    pub(super) fn needs_client_certificates(&self) -> bool {
        !self.certificate.is_empty() || self.proxy.as_ref().is_some_and(|proxy| proxy.certificate.is_some())
    }
}

/// Refuses the names of the entries that have no name of their own.
fn check_free(name: &str, key: String) -> Result<(), Invalid> {
    let taken = [NegotiateEntry::NAME, ProxyEntry::NAME];
    require(!taken.contains(&name), key, format!("must not be {name}, the name of [auth.{name}]"))
}

#[cfg(test)]
mod tests;
