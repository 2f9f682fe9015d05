//! `[auth]`: the ways in which callers prove their identity. As long as there is none, the development mode trusts every caller,
//! and production does not start.

mod entries;
mod jwt;

use serde::{Deserialize, Serialize};

use super::Mode;
use super::error::{Invalid, require};

pub use jwt::{ClaimEncoding, ClaimReader, JwtAlgorithm, JwtEntry, KeySetSource, KeyUse, UserClaims};

/// `[auth]`: the ways in which callers prove their identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// `[[auth.jwt]]`: the issuers of bearer tokens. Default: none.
    #[serde(deserialize_with = "entries::deserialize", skip_serializing_if = "Vec::is_empty")]
    pub jwt: Vec<JwtEntry>,
}

/// Maximum number of issuers: each has a key set in memory and a connection to its server.
const MAX_ISSUERS: usize = 32;

impl Auth {
    /// Whether no way to prove an identity is configured.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.jwt.is_empty()
    }

    pub(super) fn check(&self, mode: Mode) -> Result<(), Invalid> {
        let can_prove = mode == Mode::Development || !self.is_empty();
        require(can_prove, "auth", "is required in production: add an [[auth.jwt]] entry for each issuer of tokens")?;
        require(self.jwt.len() <= MAX_ISSUERS, "auth.jwt", format!("must have at most {MAX_ISSUERS} entries"))?;
        for (index, entry) in self.jwt.iter().enumerate() {
            let key = |name: &str| format!("auth.jwt[{index}].{name}");
            entry.check(mode, key)?;
            for (other, earlier) in self.jwt.iter().take(index).enumerate() {
                let is_new = entry.name != earlier.name;
                require(is_new, key("name"), format!("must differ from auth.jwt[{other}].name, {:?}", entry.name))?;
                if let Some(issuer) = entry.issuers.0.iter().find(|issuer| earlier.issuers.0.contains(issuer)) {
                    let problem = format!("must not contain {issuer:?}, which auth.jwt[{other}].issuers contains");
                    return Err(Invalid { path: key("issuers").into(), problem });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
