//! The check of a token, step by step. Each step assumes the ones before it; none of them fetches, waits or reads a clock.

use std::borrow::Cow;

use serde::Deserialize;

use super::caller::caller;
use super::claims::{CertificateThumbprint, Claims};
use super::header::{Header, decode};
use super::issuer::Issuer;
use super::json::Flaw;
use super::key_set::KeySet;
use super::rejection::{Part, Rejection};
use super::spiffe::trust_domain;
use crate::domain::{Caller, Timestamp};
use crate::runtime::jwt::KeyUse;

/// A token whose form is right and whose issuer is known. Nothing in it is proven yet.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    issuer: &'a Issuer,
    index: usize,
    header: Header,
    /// The signed text: header and payload as sent.
    message: &'a str,
    payload: Vec<u8>,
    /// The signature as sent.
    signature: &'a str,
}

/// What a valid token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The caller.
    pub caller: Caller,
    /// The subject, by which the entry identifies the caller.
    pub subject: String,
    /// When the token expires.
    pub expires_at: Timestamp,
    /// When it was issued, if it says so.
    pub issued_at: Option<Timestamp>,
    /// Its id (`jti`), if it has one.
    pub token_id: Option<String>,
    /// The client certificate to which it is bound. Without that certificate, the token must be refused (RFC 8705, 3).
    pub confirmation: Option<CertificateThumbprint>,
}

/// The issuer of a payload, read before the signature is verified.
#[derive(Deserialize)]
struct PeekedIssuer<'a> {
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
}

/// The subject of a payload, read before the signature is verified.
#[derive(Deserialize)]
struct PeekedSubject<'a> {
    #[serde(borrow)]
    sub: Option<Cow<'a, str>>,
}

impl<'a> Token<'a> {
    /// Splits a token, reads its header, and chooses the issuer: steps 2 to 4.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn read(text: &'a str, issuers: &'a [Issuer]) -> Result<Self, Rejection> {
        check_size(text, issuers.iter().map(|issuer| issuer.max_bytes).max().unwrap_or(0))?;
        let (message, signature) = text.rsplit_once('.').ok_or(Rejection::Parts)?;
        let (header, payload) = message.split_once('.').ok_or(Rejection::Parts)?;
        if payload.contains('.') {
            return Err(Rejection::Parts);
        }
        let header = Header::read(header)?;
        let payload = decode(payload, Part::Payload)?;
        let (index, issuer) = choose(&payload, issuers)?;
        check_size(text, issuer.max_bytes)?;
        if !issuer.algorithms.contains(&header.algorithm) {
            return Err(Rejection::Algorithm);
        }
        if !issuer.accepts_type(header.typ.as_deref()) {
            return Err(Rejection::Type);
        }
        Ok(Self { issuer, index, header, message, payload, signature })
    }

    /// Index of the issuer of a token, whatever else is wrong with it: for diagnosis.
    #[must_use]
    pub fn entry_of(text: &str, issuers: &[Issuer]) -> Option<usize> {
        let (message, _signature) = text.rsplit_once('.')?;
        let (_header, payload) = message.split_once('.')?;
        let payload = decode(payload, Part::Payload).ok()?;
        choose(&payload, issuers).ok().map(|(index, _)| index)
    }

    /// Index of the issuer.
    #[must_use]
    pub const fn issuer(&self) -> usize {
        self.index
    }

    /// Id of the key that is said to have signed the token.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// Members of the header that name or carry a key, and are ignored.
    #[must_use]
    pub fn ignored_members(&self) -> &[&'static str] {
        &self.header.ignored
    }

    /// Verifies the token with the keys of its issuer: steps 5 to 11, and 14. Of step 13, the caller compares
    /// [`Verified::confirmation`] with the client certificate. It also consults its list of denied tokens (step 12).
    ///
    /// # Errors
    /// The first check that failed. After [`Rejection::UnknownKey`], newer keys may verify the token.
    pub fn verify(&self, keys: &KeySet, now: Timestamp) -> Result<Verified, Rejection> {
        let algorithm = self.header.algorithm;
        let key = keys.find(self.key_id(), algorithm)?;
        let signature = decode(self.signature, Part::Signature)?;
        if !key.verifies(algorithm, self.message.as_bytes(), &signature) {
            return Err(Rejection::Signature);
        }
        let claims = Claims::read(&self.payload)?;
        let times = claims.times(self.issuer, now)?;
        claims.audience(&self.issuer.audiences)?;
        claims.require(&self.issuer.require)?;
        self.check_trust_domain(&claims)?;
        let confirmation = claims.confirmation()?;
        let (subject, caller) = caller(&self.issuer.user, &self.issuer.name, &claims, times.expires_at)?;
        Ok(Verified {
            caller,
            subject,
            expires_at: times.expires_at,
            issued_at: times.issued_at,
            token_id: claims.text("jti")?.map(str::to_owned),
            confirmation,
        })
    }

    /// Whoever holds the keys of a trust domain may only name workloads of that domain.
    fn check_trust_domain(&self, claims: &Claims) -> Result<(), Rejection> {
        match self.issuer.key_use {
            KeyUse::Sig => Ok(()),
            KeyUse::JwtSvid => {
                let domain = claims.text("sub")?.and_then(trust_domain);
                let is_ours = domain.is_some_and(|domain| self.issuer.lists(domain));
                if is_ours { Ok(()) } else { Err(Rejection::TrustDomain) }
            }
        }
    }
}

fn check_size(text: &str, limit: usize) -> Result<(), Rejection> {
    if text.len() > limit { Err(Rejection::TooLong { limit }) } else { Ok(()) }
}

/// The entry for a payload: the one that lists its `iss`, or, for a JWT-SVID without `iss`, the trust domain of its `sub`. Keys
/// play no part, so the keys of one issuer never verify a token of another.
fn choose<'a>(payload: &[u8], issuers: &'a [Issuer]) -> Result<(usize, &'a Issuer), Rejection> {
    let PeekedIssuer { iss } = peek(payload)?;
    let mut entries = issuers.iter().enumerate();
    let entry = if let Some(iss) = iss {
        entries.find(|(_, issuer)| issuer.lists(&iss))
    } else {
        let PeekedSubject { sub } = peek(payload)?;
        let domain = sub.as_deref().and_then(trust_domain).ok_or(Rejection::NoIssuer)?;
        entries.find(|(_, issuer)| issuer.key_use == KeyUse::JwtSvid && issuer.lists(domain))
    };
    entry.ok_or(Rejection::UnknownIssuer)
}

/// Reads one claim and skips the others without building them: the token may be anyone's. A claim that occurs twice or is no text
/// is an error of the data, not of the syntax.
fn peek<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Rejection> {
    let text = std::str::from_utf8(payload).map_err(|_| Rejection::PayloadJson(Flaw::Syntax))?;
    serde_json::from_str(text)
        .map_err(|error| if error.is_data() { Rejection::NoIssuer } else { Rejection::PayloadJson(Flaw::Syntax) })
}
