//! Authentication by bearer tokens: the check of a token with the keys of its issuer, the list of denied tokens, and the cache of
//! results.

mod cache;
mod denied;

use std::sync::Arc;

use http::request::Parts;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use self::cache::{Accepted, Cache, Generation};
use super::jwt::keys::{IssuerKeys, KeySource, KeySourceError};
use super::jwt::{CertificateThumbprint, IGNORED, Issuer, Token, bearer};
use super::refusal::Refusal;
use crate::domain::Caller;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::names;
use crate::runtime::tls::PeerCertificate;
use crate::runtime::watched_file::WatchedFile;

pub(super) use denied::{DeniedTokens, file as denied_file};

/// An issuer whose tokens are accepted, and the source of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIssuer {
    /// What its tokens must contain.
    pub issuer: Issuer,
    /// Where its keys are.
    pub keys: KeySource,
}

/// Why a token is missing or not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotProven<'t> {
    /// Name of the issuer's entry, if it is known.
    pub(super) entry: Option<&'t str>,
    /// The check that failed.
    pub(super) refusal: Refusal,
}

/// Authenticates callers by their bearer tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    issuers: Vec<Issuer>,
    /// The keys of each issuer, in the same order.
    keys: Vec<IssuerKeys>,
    /// Longest token of any issuer.
    max_bytes: usize,
    denied: Option<WatchedFile<DeniedTokens>>,
    clock: Clock,
    cache: Cache,
}

impl Tokens {
    /// Starts to read the keys of the issuers, until `end`.
    ///
    /// # Errors
    /// The index of an issuer, and why its source of keys cannot be used.
    pub(super) async fn start(
        issuers: Vec<TokenIssuer>,
        denied: Option<WatchedFile<DeniedTokens>>,
        clock: Clock,
        end: &CancellationToken,
    ) -> Result<Self, (usize, KeySourceError)> {
        for member in IGNORED {
            metrics::counter!(names::IGNORED_TOKEN_MEMBERS, "member" => member).increment(0);
        }
        let mut keys = Vec::with_capacity(issuers.len());
        for (index, TokenIssuer { issuer, keys: source }) in issuers.iter().enumerate() {
            let started = IssuerKeys::start(Arc::clone(&issuer.name), source, end.clone()).await;
            keys.push(started.map_err(|error| (index, error))?);
        }
        let issuers: Vec<Issuer> = issuers.into_iter().map(|entry| entry.issuer).collect();
        let max_bytes = issuers.iter().map(|issuer| issuer.max_bytes).max().unwrap_or(0);
        Ok(Self { issuers, keys, max_bytes, denied, clock, cache: Cache::default() })
    }

    /// The caller of a request according to its token.
    ///
    /// # Errors
    /// The request has no token, or one that is not accepted.
    pub(super) async fn authenticate(
        &self,
        parts: &Parts,
        peer: Option<&PeerCertificate>,
    ) -> Result<Arc<Caller>, NotProven<'_>> {
        let unknown = |refusal| NotProven { entry: None, refusal };
        let text = bearer(&parts.headers).map_err(|rejection| unknown(rejection.into()))?;
        let text = text.ok_or_else(|| unknown(Refusal::NoToken))?;
        let checked = self.check(text).await.and_then(|(entry, accepted)| {
            check_certificate(&accepted, peer)
                .map(|()| Arc::clone(&accepted.caller))
                .map_err(|refusal| (Some(entry), refusal))
        });
        checked.map_err(|(entry, refusal)| {
            let entry = entry.and_then(|entry| self.issuers.get(entry)).map(|issuer| &*issuer.name);
            NotProven { entry, refusal }
        })
    }

    /// What a token proves, and the index of its issuer. An error has the index as well, once it is known.
    async fn check(&self, text: &str) -> Result<(usize, Arc<Accepted>), (Option<usize>, Refusal)> {
        let digest = (text.len() <= self.max_bytes).then(|| Sha256::digest(text.as_bytes()).into());
        let denied = self.denied.as_ref().map(WatchedFile::current);
        let denied_generation = denied.as_ref().map_or(0, |list| list.generation);
        let of_keys = |keys: u64| Generation { keys, denied: denied_generation };
        let generation =
            |issuer: usize| self.keys.get(issuer).and_then(IssuerKeys::in_force).map(|set| of_keys(set.generation));
        if let Some(digest) = &digest
            && let Some(found) = self.cache.get(digest, self.clock.now(), generation)
        {
            return Ok(found);
        }
        let token = Token::read(text, &self.issuers).map_err(|rejection| (None, rejection.into()))?;
        for member in token.ignored_members() {
            metrics::counter!(names::IGNORED_TOKEN_MEMBERS, "member" => *member).increment(1);
        }
        let entry = token.issuer();
        let refuse = |refusal| (Some(entry), refusal);
        let Some(keys) = self.keys.get(entry) else { return Err(refuse(Refusal::NoKeys)) };
        let set = keys.with_key(token.key_id()).await.ok_or_else(|| refuse(Refusal::NoKeys))?;
        // Time may have passed.
        let now = self.clock.now();
        let verified = token.verify(&set.keys, now).map_err(|rejection| refuse(rejection.into()))?;
        if denied.is_some_and(|list| list.content.deny(entry, &verified)) {
            return Err(refuse(Refusal::Denied));
        }
        let accepted = Arc::new(Accepted {
            caller: Arc::new(verified.caller),
            expires_at: verified.expires_at,
            confirmation: verified.confirmation,
        });
        if let Some(digest) = digest {
            self.cache.insert(digest, entry, of_keys(set.generation), Arc::clone(&accepted), now);
        }
        Ok((entry, accepted))
    }

    /// The names of the issuers' entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<str>> {
        self.issuers.iter().map(|issuer| &issuer.name)
    }

    /// Whether any token can be accepted.
    pub(super) const fn has_issuers(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// The file with the denied tokens.
    pub(super) const fn denied(&self) -> Option<&WatchedFile<DeniedTokens>> {
        self.denied.as_ref()
    }

    /// Records what the metrics show about each issuer and about the denied tokens.
    pub(super) fn record_gauges(&self) {
        self.keys.iter().for_each(IssuerKeys::record_age);
        if let Some(denied) = &self.denied {
            denied.record_age();
            metrics::gauge!(names::DENIED_ENTRIES).set(denied.current().content.entries() as f64);
        }
    }
}

/// Refuses a token that is bound to another client certificate than that of the connection (RFC 8705, 3).
fn check_certificate(accepted: &Accepted, peer: Option<&PeerCertificate>) -> Result<(), Refusal> {
    let Some(confirmation) = accepted.confirmation else { return Ok(()) };
    let is_bound = peer.is_some_and(|peer| CertificateThumbprint::of_certificate(peer.der()) == confirmation);
    if is_bound { Ok(()) } else { Err(Refusal::Certificate) }
}

#[cfg(test)]
mod tests;
