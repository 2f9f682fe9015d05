//! Idempotency keys: a caller gives one to a command that must take effect once.

use std::fmt;

use super::UserId;

/// A key chosen by a caller. Each caller has a namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey {
    /// The caller that owns the key.
    pub user: UserId,
    key: String,
}

impl IdempotencyKey {
    /// Longest key, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Parses a key; in messages the error follows the field name.
    pub(super) fn read(user: UserId, key: &str) -> Result<Self, String> {
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > Self::MAX_CHARS || !visible {
            return Err(format!("must be 1 to {} visible ASCII characters", Self::MAX_CHARS));
        }
        Ok(Self { user, key: key.to_owned() })
    }

    /// The key as the caller chose it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}
