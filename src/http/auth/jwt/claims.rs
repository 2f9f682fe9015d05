//! The claims of a token (RFC 7519, 4): steps 8 to 11 of the check, and the certificate of step 13.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::issuer::{Issuer, Requirement};
use super::json;
use super::rejection::{Rejection, TimeClaim};
use crate::domain::Timestamp;

/// Maximum number of values of `aud`.
const MAX_AUDIENCES: usize = 128;
/// Longest text that is taken from a claim, in bytes; that of a SPIFFE ID.
const MAX_TEXT_BYTES: usize = 2048;

/// The claims of a token whose signature is right.
#[derive(Debug)]
pub(super) struct Claims(Value);

/// The times of a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Timestamp,
}

/// SHA-256 of a certificate in DER form, to which a token can be bound (RFC 8705, 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CertificateThumbprint([u8; 32]);

impl Claims {
    pub(super) fn read(payload: &[u8]) -> Result<Self, Rejection> {
        json::object(payload).map(Value::Object).map(Self).map_err(Rejection::PayloadJson)
    }

    /// A claim by its name, or by a JSON pointer (RFC 6901). Null counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let value = if name.starts_with('/') { self.0.pointer(name) } else { self.0.get(name) };
        value.filter(|value| !value.is_null())
    }

    /// The text of a claim; `None` if it is missing.
    pub(super) fn text(&self, claim: &str) -> Result<Option<&str>, Rejection> {
        let Some(value) = self.get(claim) else { return Ok(None) };
        let is_usable = |text: &&str| {
            (1..=MAX_TEXT_BYTES).contains(&text.len()) && !text.trim().is_empty() && !text.contains(char::is_control)
        };
        let problem = "is not a text of 1 to 2,048 bytes without control characters";
        value.as_str().filter(is_usable).map(Some).ok_or_else(|| Rejection::mapping(claim, problem))
    }

    /// Checks expiry, lifetime, begin and time of issue.
    pub(super) fn times(&self, issuer: &Issuer, now: Timestamp) -> Result<Times, Rejection> {
        let expires_at = self.time(TimeClaim::Exp)?.ok_or(Rejection::Time(TimeClaim::Exp))?;
        let issued_at = self.time(TimeClaim::Iat)?;
        let not_before = self.time(TimeClaim::Nbf)?;
        let skew = micros_of(issuer.skew);
        let micros = |time: Timestamp| i128::from(time.micros());

        // Without a time of issue, the rest of the life is bounded instead.
        let lifetime = micros(expires_at) - issued_at.map_or(micros(now) + skew, micros);
        let is_overdue = issued_at.is_some() && lifetime < 0;
        if is_overdue || lifetime > micros_of(issuer.max_lifetime) {
            return Err(Rejection::Lifetime { limit: issuer.max_lifetime });
        }
        if micros(now) >= micros(expires_at) + skew {
            return Err(Rejection::Expired);
        }
        let is_ahead = |time: Timestamp| micros(time) > micros(now) + skew;
        if not_before.is_some_and(is_ahead) {
            return Err(Rejection::NotYetValid);
        }
        if issued_at.is_some_and(is_ahead) {
            return Err(Rejection::IssuedInFuture);
        }
        Ok(Times { issued_at, expires_at })
    }

    fn time(&self, claim: TimeClaim) -> Result<Option<Timestamp>, Rejection> {
        let Some(value) = self.0.get(claim.name()) else { return Ok(None) };
        let seconds = value.as_i64().filter(|seconds| *seconds >= 0);
        let time = seconds.and_then(|seconds| seconds.checked_mul(1_000_000)).and_then(Timestamp::from_micros);
        time.map(Some).ok_or(Rejection::Time(claim))
    }

    /// Checks that the token is for one of `accepted`.
    pub(super) fn audience(&self, accepted: &[String]) -> Result<(), Rejection> {
        let is_accepted = |audience: &str| accepted.iter().any(|ours| ours == audience);
        let is_ours = match self.get("aud") {
            Some(Value::String(audience)) => is_accepted(audience),
            Some(Value::Array(audiences)) if audiences.len() <= MAX_AUDIENCES => {
                audiences.iter().all(Value::is_string) && audiences.iter().filter_map(Value::as_str).any(is_accepted)
            }
            _ => false,
        };
        if is_ours { Ok(()) } else { Err(Rejection::Audience) }
    }

    /// Checks the required claims.
    pub(super) fn require(&self, requirements: &[Requirement]) -> Result<(), Rejection> {
        let is_met = |requirement: &&Requirement| {
            let Some(value) = self.get(&requirement.claim) else { return false };
            requirement.values.is_empty() || has_one_of(&requirement.claim, value, &requirement.values)
        };
        match requirements.iter().find(|requirement| !is_met(requirement)) {
            Some(requirement) => Err(Rejection::Requirement { claim: requirement.claim.clone() }),
            None => Ok(()),
        }
    }

    /// The certificate to which the token is bound. Every other kind of binding is refused, also beside a certificate.
    pub(super) fn confirmation(&self) -> Result<Option<CertificateThumbprint>, Rejection> {
        let Some(confirmation) = self.0.get("cnf") else { return Ok(None) };
        let only = confirmation.as_object().filter(|methods| methods.len() == 1);
        let text = only.and_then(|methods| methods.get("x5t#S256")).and_then(Value::as_str);
        let digest = text.and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
        let digest = digest.and_then(|digest| <[u8; 32]>::try_from(digest).ok());
        digest.map(CertificateThumbprint).map(Some).ok_or(Rejection::Confirmation)
    }
}

/// Whether a claim has one of the accepted values.
fn has_one_of(claim: &str, value: &Value, accepted: &[String]) -> bool {
    let is_accepted = |text: &str| accepted.iter().any(|accepted| accepted == text);
    let is_accepted_scalar = |value: &Value| match value {
        Value::String(text) => is_accepted(text),
        Value::Bool(flag) => is_accepted(if *flag { "true" } else { "false" }),
        Value::Number(number) => is_accepted(&number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    match value {
        Value::Array(values) => values.iter().any(is_accepted_scalar),
        // Only scopes are lists in a text (RFC 8693, 4.2; Entra ID). Splitting others would let a name such as "an admin" pass.
        Value::String(scopes) if matches!(claim, "scope" | "scp") => scopes.split(' ').any(is_accepted),
        other => is_accepted_scalar(other),
    }
}

fn micros_of(duration: Duration) -> i128 {
    i128::from(duration.as_secs()) * 1_000_000 + i128::from(duration.subsec_micros())
}

impl CertificateThumbprint {
    /// The thumbprint of a certificate in DER form.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Debug for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}
