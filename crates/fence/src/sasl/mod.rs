//! SASL exchanges: PLAIN, SCRAM and OAUTHBEARER.

mod scram;

use std::time::Duration;

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use crate::Sasl;

/// Where an exchange is.
pub(crate) enum Exchange {
    /// One message says all.
    Single(Bytes),
    /// OAUTHBEARER: as `Single`, but a refusal is a message.
    Bearer(Bytes),
    /// A refused token was acknowledged, as RFC 7628 section 3.2.3 demands.
    BearerRefused(String),
    Scram(Box<scram::Client>),
}

/// What follows a message of the broker.
pub(crate) enum Step {
    Send(Bytes),
    Done,
}

impl Exchange {
    pub(crate) async fn begin(mechanism: &Sasl) -> Result<Self, String> {
        match mechanism {
            Sasl::Plain { username, password } => {
                if username.contains('\0') || password.expose_secret().contains('\0') {
                    return Err("user name and password must not contain NUL".to_owned());
                }
                Ok(Self::Single(format!("\0{username}\0{}", password.expose_secret()).into()))
            }
            Sasl::Scram { hash, username, password } => {
                let mut nonce = [0; 24];
                SystemRandom::new().fill(&mut nonce).map_err(|_| "the system has no random numbers".to_owned())?;
                Ok(Self::Scram(Box::new(scram::Client::new(*hash, username, password.clone(), &nonce))))
            }
            Sasl::OauthBearer(source) => {
                let token = source().await.map_err(|error| format!("no token: {error}"))?;
                Ok(Self::Bearer(bearer_message(&token)?))
            }
        }
    }

    pub(crate) fn first(&self) -> Bytes {
        match self {
            Self::Single(message) | Self::Bearer(message) => message.clone(),
            Self::BearerRefused(_) => Bytes::new(),
            Self::Scram(client) => client.first(),
        }
    }

    /// The step after a message of the broker that reports no error.
    pub(crate) fn next(&mut self, received: &[u8]) -> Result<Step, String> {
        match self {
            Self::Single(_) => Ok(Step::Done),
            Self::Bearer(_) if received.is_empty() => Ok(Step::Done),
            Self::Bearer(_) => {
                let said = String::from_utf8_lossy(received.get(..1_000).unwrap_or(received)).into_owned();
                *self = Self::BearerRefused(said);
                Ok(Step::Send(Bytes::from_static(b"\x01")))
            }
            Self::BearerRefused(said) => Err(std::mem::take(said)),
            Self::Scram(client) => client.next(received),
        }
    }
}

fn bearer_message(token: &SecretString) -> Result<Bytes, String> {
    let token = token.expose_secret();
    // b64token of RFC 6750, so that a token can't add fields to the message.
    let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/=".contains(&c);
    if token.is_empty() || !token.bytes().all(is_allowed) {
        return Err("the token has characters that RFC 6750 does not allow".to_owned());
    }
    Ok(format!("n,,\x01auth=Bearer {token}\x01\x01").into())
}

/// When to authenticate again in a session of this many milliseconds: after 85 % of it. 0 means that the session does not end.
pub(crate) fn renew_after(lifetime_millis: i64) -> Option<Duration> {
    let lifetime = u64::try_from(lifetime_millis).ok().filter(|lifetime| *lifetime > 0)?;
    Some(Duration::from_millis(lifetime / 100 * 85 + lifetime % 100 * 85 / 100))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_session_is_renewed_before_it_ends() {
        assert_eq!(renew_after(0), None);
        assert_eq!(renew_after(-1), None);
        assert_eq!(renew_after(1), Some(Duration::ZERO));
        assert_eq!(renew_after(3_600_000), Some(Duration::from_mins(51)));
        assert!(renew_after(i64::MAX).is_some());
    }

    #[tokio::test]
    async fn plain_sends_user_and_password() {
        let plain = |username: &str| Sasl::Plain { username: username.to_owned(), password: "let-me-in".into() };
        assert_eq!(Exchange::begin(&plain("relay")).await.ok().unwrap().first().as_ref(), b"\0relay\0let-me-in");
        assert!(Exchange::begin(&plain("a\0b")).await.is_err());
    }

    #[tokio::test]
    async fn a_refused_token_is_acknowledged_and_reported() {
        let source =
            |token: &'static str| Sasl::OauthBearer(Arc::new(move || Box::pin(async move { Ok(token.into()) })));
        let mut exchange = Exchange::begin(&source("abc.def")).await.ok().unwrap();
        assert_eq!(exchange.first().as_ref(), b"n,,\x01auth=Bearer abc.def\x01\x01");
        let Ok(Step::Send(message)) = exchange.next(br#"{"status":"invalid_token"}"#) else { panic!("it continues") };
        assert_eq!(message.as_ref(), b"\x01");
        assert_eq!(exchange.next(b"").err().unwrap(), r#"{"status":"invalid_token"}"#);
        let mut exchange = Exchange::begin(&source("abc.def")).await.ok().unwrap();
        assert!(matches!(exchange.next(b""), Ok(Step::Done)));
        assert!(Exchange::begin(&source("a\x01b")).await.is_err());
        assert!(Exchange::begin(&source("")).await.is_err());
    }
}
