//! The tokens of the admin port: a file with one per line, any of which is accepted, so that they can be replaced one by one.

use std::fmt;
use std::path::PathBuf;

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::http::auth::jwt::{bearer, is_token68};
use crate::runtime::watched_file::FileSettings;

/// The key of the configuration that names the file.
const KEY: &str = "admin_token_file";
/// Limit on the file, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// Maximum number of tokens; each is compared with every token that is sent.
const MAX_TOKENS: usize = 16;
/// Shortest token, in characters: half a line of base64 cannot be guessed.
const MIN_LENGTH: usize = 16;
/// Longest token, in characters.
const MAX_LENGTH: usize = 512;

/// The accepted tokens.
pub struct AdminTokens {
    /// SHA-256 of each. Digests have one length, so a comparison does not tell that of a token.
    digests: Vec<[u8; 32]>,
}

/// The file with its rules.
#[must_use]
pub fn admin_token_file(path: PathBuf) -> FileSettings<AdminTokens> {
    FileSettings { key: KEY, path, max_bytes: MAX_BYTES, parse: Box::new(AdminTokens::parse) }
}

impl AdminTokens {
    /// Reads the file. Empty lines and those that begin with `#` are skipped.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        let mut digests = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let token = line.trim();
            if token.is_empty() || token.starts_with('#') {
                continue;
            }
            if !(MIN_LENGTH..=MAX_LENGTH).contains(&token.len()) || !is_token68(token) {
                let problem = format!(
                    "has no token in line {number}: a token has {MIN_LENGTH} to {MAX_LENGTH} letters, digits and -._~+/"
                );
                return Err(problem);
            }
            digests.push(Sha256::digest(token).into());
        }
        match digests.len() {
            0 => Err("contains no token".to_owned()),
            1..=MAX_TOKENS => Ok(Self { digests }),
            more => Err(format!("contains {more} tokens; at most {MAX_TOKENS} are allowed")),
        }
    }

    /// Number of tokens.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.digests.len()
    }

    /// Whether a request has one of the tokens. The time does not depend on which characters are right.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        let Ok(Some(token)) = bearer(headers) else { return false };
        let digest: [u8; 32] = Sha256::digest(token).into();
        let found = self.digests.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&digest));
        found.into()
    }
}

impl fmt::Debug for AdminTokens {
    /// Omits the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminTokens").field("count", &self.digests.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
