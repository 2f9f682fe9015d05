//! Commands: the only way in which a request comes to be or changes.

use std::fmt;

use super::{
    Caller, Card, Comment, Creation, Credential, DataItem, Refusal, RequestId, SmartcardId, Standing, Timestamp,
    UserId, Version,
};

/// One wish of one caller about one request.
#[derive(Clone, Debug)]
pub struct Command {
    /// The request that it is about.
    pub request: RequestId,
    /// What is to happen.
    pub action: Action,
    /// Who wants it.
    pub caller: Caller,
    /// When it arrived.
    pub now: Timestamp,
    /// Act on this version only.
    pub expected: Option<Version>,
    /// Act once only, however often the caller asks.
    pub idempotent: Option<Idempotent>,
    /// W3C trace context of the call, passed on with the event.
    pub traceparent: Option<String>,
}

/// What is to happen to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bring it into being.
    Create(Box<Creation>),
    /// Approve it.
    Approve {
        /// What the approver says.
        comment: Comment,
        /// Items that the approver delivers.
        data_items: Vec<DataItem>,
    },
    /// Refuse approval.
    Deny {
        /// Why.
        comment: Comment,
    },
    /// Start its execution.
    Start {
        /// What the executor says.
        comment: Comment,
    },
    /// Bind a smart card to it, which alone may then be used for it.
    BindSmartcard {
        /// The card.
        card: Card,
        /// The id that it gets if it is new here. What is asked for is the same under another one.
        id: SmartcardId,
        /// What the executor says.
        comment: Comment,
    },
    /// Say where a smart card of the request stands.
    ChangeSmartcard {
        /// The card.
        smartcard: SmartcardId,
        /// Where it stands from now on.
        standing: Standing,
        /// What the executor says.
        comment: Comment,
    },
    /// End it well.
    Complete {
        /// What it produced.
        new: Credential,
        /// What the executor says.
        comment: Comment,
    },
    /// End it with an error.
    Fail {
        /// The error.
        comment: Comment,
    },
    /// Take it back.
    Cancel {
        /// Why.
        comment: Comment,
    },
    /// Give up its execution.
    Abandon {
        /// Why.
        comment: Comment,
    },
}

impl Action {
    /// Name in messages, as the rest of a sentence that ends with "the request".
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Approve { .. } => "approve",
            Self::Deny { .. } => "deny",
            Self::Start { .. } => "start",
            Self::BindSmartcard { .. } => "bind a smart card to",
            Self::ChangeSmartcard { .. } => "change the smart card of",
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Cancel { .. } => "cancel",
            Self::Abandon { .. } => "abandon",
        }
    }
}

/// What makes a command act once: the caller's key, and what the caller asked for under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotent {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of what was asked.
    pub fingerprint: [u8; 32],
}

/// A key chosen by a caller; keys of different callers never meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey {
    /// Whose key it is.
    pub user: UserId,
    key: String,
}

impl IdempotencyKey {
    /// Longest key, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Checks a key that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, unless the key is 1 to 128 visible ASCII characters.
    pub fn parse(field: &str, user: UserId, key: &str) -> Result<Self, Refusal> {
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > Self::MAX_CHARS || !visible {
            let problem = format!("must be 1 to {} visible ASCII characters", Self::MAX_CHARS);
            return Err(Refusal::invalid(field, problem));
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

#[cfg(test)]
mod tests {
    use super::IdempotencyKey;
    use crate::domain::Refusal;
    use crate::domain::fixtures::{STRANGER, TARGET};

    #[test]
    fn a_key_is_visible_ascii_within_limits() {
        let longest = "k".repeat(IdempotencyKey::MAX_CHARS);
        for key in ["8e03978e-40d5-43dd-bc93-6894a57f9324", "~!", longest.as_str()] {
            assert_eq!(IdempotencyKey::parse("key", TARGET, key).unwrap().as_str(), key);
        }
        let too_long = longest + "k";
        for key in ["", " ", "two words", "tab\t", "nul\0", "schlüssel", too_long.as_str()] {
            let expected = Refusal::invalid("key", "must be 1 to 128 visible ASCII characters");
            assert_eq!(IdempotencyKey::parse("key", TARGET, key), Err(expected), "{key:?}");
        }
    }

    #[test]
    fn keys_of_different_callers_never_meet() {
        let key = |user| IdempotencyKey::parse("key", user, "same").unwrap();
        assert_eq!(key(TARGET), key(TARGET));
        assert_ne!(key(TARGET), key(STRANGER));
    }
}
