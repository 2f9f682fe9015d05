//! The issuers of tokens: whether their key sets can be read and used.

use futures::future::join_all;

use super::report::{Finding, count};
use super::{LIMIT, TooSlow, bounded};
use crate::http::auth::jwt::keys::{FreshKeys, KeySourceError, Location};
use crate::http::auth::{ProofSettings, TokenIssuer};
use crate::runtime::server_time::ServerTime;
use crate::runtime::telemetry::error_chain;

/// What the examination of an issuer found.
#[derive(Debug)]
pub(super) struct Examined {
    /// Index of the issuer's entry.
    pub(super) index: usize,
    pub(super) findings: Vec<Finding>,
    /// The clock of the issuer's server.
    pub(super) clock: Option<ServerTime>,
}

/// Examines all issuers.
pub(super) async fn examine(proofs: Option<&ProofSettings>) -> Vec<Examined> {
    let issuers = proofs.into_iter().flat_map(|proofs| &proofs.tokens).enumerate();
    join_all(issuers.map(|(index, entry)| one(index, entry))).await
}

async fn one(index: usize, entry: &TokenIssuer) -> Examined {
    let subject = format!("auth.jwt[{index}] ({})", entry.issuer.name);
    match bounded(entry.keys.read()).await {
        Ok(Ok(fresh)) => Examined { index, findings: judge(&subject, entry, &fresh), clock: fresh.clock },
        Ok(Err(error)) => {
            let finding = Finding::fault(subject, error_chain(&error), advice(&error));
            Examined { index, findings: vec![finding], clock: None }
        }
        Err(TooSlow) => {
            let text = format!("{} did not answer within {} s", place(entry), LIMIT.as_secs());
            let advice = "check the URL of the issuer, and the network in between";
            Examined { index, findings: vec![Finding::fault(subject, text, advice)], clock: None }
        }
    }
}

fn judge(subject: &str, entry: &TokenIssuer, fresh: &FreshKeys) -> Vec<Finding> {
    let skipped: Vec<String> =
        fresh.keys.skipped().map(|(id, reason)| format!("{}: {reason}", id.unwrap_or("without kid"))).collect();
    let others = match skipped.as_slice() {
        [] => String::new(),
        skipped => format!("; skipped {}", skipped.join(", ")),
    };
    let text = format!("{} from {}{others}", count(fresh.keys.usable(), "usable key"), place(entry));
    let mut findings = vec![Finding::ok(subject, text)];
    let is_useless = |algorithm: &&_| !fresh.keys.fits(**algorithm);
    let useless: Vec<&str> =
        entry.issuer.algorithms.iter().filter(is_useless).map(|algorithm| algorithm.name()).collect();
    if useless.len() == entry.issuer.algorithms.len() {
        let text = format!("no key of the set fits the algorithms {}", useless.join(", "));
        findings.push(Finding::fault(subject, text, "set algorithms to those with which the issuer signs"));
    }
    findings
}

/// Where the keys of an issuer are.
pub(super) fn place(entry: &TokenIssuer) -> String {
    match &entry.keys.location {
        Location::Discovery { base, .. } => base.clone(),
        Location::Uri { url, .. } => url.clone(),
        Location::File(path) => path.display().to_string(),
    }
}

/// What to do about a key set that cannot be read.
pub(super) const fn advice(error: &KeySourceError) -> &'static str {
    match error {
        KeySourceError::Roots(_) => "set ca to the PEM file of the authorities of the issuer's server",
        KeySourceError::Url(_) => "correct discovery or jwks_uri",
        KeySourceError::File(_) => "correct jwks_file, or its owner and mode",
        KeySourceError::Fetch { .. } => "check discovery or jwks_uri, ca, and the network in between",
        KeySourceError::Discovery { .. } => "discovery must be the URL without /.well-known/openid-configuration",
        KeySourceError::WrongIssuer { .. } => "add the issuer to issuers if it is the right one, or correct discovery",
        KeySourceError::UnsafeUri { .. } => "set jwks_uri to the URL of the key set over https",
        KeySourceError::KeySet(_) | KeySourceError::NoKeys { .. } => "name the place of the issuer's signing keys",
    }
}
