//! Audit lines: who tried to call without being authenticated, from where, and which check refused the call. The target of the lines is
//! `cmgate::audit`; a counter has every refused call, also those without a line.

mod checks;
mod lines;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::request::Parts;

use self::lines::{INTERVAL, Lines, Verdict};
use super::jwt;
use super::refusal::{AuthRefusal, ProofKind};
use crate::domain::{Caller, CorrelationId};
use crate::http::server::PeerAddress;
use crate::runtime::telemetry::names;
use crate::service::Exceeded;

/// Longest message and longest unverified value in a line, in characters.
const MAX_MESSAGE: usize = 500;
const MAX_CLAIM: usize = 128;

/// The call of an audit line.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Name of the transport.
    pub transport: &'static str,
    /// Name of the called method.
    pub method: &'static str,
    /// Its correlation id.
    pub correlation: CorrelationId,
}

/// Writes the audit lines. Clones share the limits.
#[derive(Clone, Debug)]
pub struct Audit(Arc<Mutex<Lines>>);

impl Default for Audit {
    /// Registers the counter of each check, so that monitoring sees the first refusal as a change.
    fn default() -> Self {
        for check in checks::ALL {
            metrics::counter!(names::CALLS_NOT_AUTHENTICATED, "check" => check).increment(0);
        }
        Self(Arc::default())
    }
}

impl Audit {
    /// Counts and records a call that is not authenticated.
    pub(in crate::http) fn refused(&self, attempt: &Attempt, parts: &Parts, refusal: &AuthRefusal) {
        let check = refusal.check();
        metrics::counter!(names::CALLS_NOT_AUTHENTICATED, "check" => check).increment(1);
        let peer = PeerAddress::of(&parts.extensions);
        if !self.admits(check, peer) {
            return;
        }
        let Attempt { transport, method, correlation } = attempt;
        let proof = refusal.proof();
        let claimed = if proof == ProofKind::Token { jwt::claimed(&parts.headers) } else { jwt::Claimed::default() };
        let (issuer, key_id) = (claimed.issuer.as_deref().map(claim), claimed.key_id.as_deref().map(claim));
        let user = refusal.user().map(tracing::field::display);
        let message = printable(&refusal.to_string(), MAX_MESSAGE);
        // Without a parent: the line is complete on its own, whatever spans the filter of the log leaves out.
        tracing::info!(
            target: "cmgate::audit", parent: None, check, id = %correlation, transport, method, peer = name(peer), proof = proof.name(),
            entry = refusal.entry(), user, unverified_issuer = issuer, unverified_key_id = key_id,
            "call not authenticated: {message}"
        );
    }

    /// Records a call that is refused because its caller exceeds a limit.
    pub(in crate::http) fn over_limit(&self, attempt: &Attempt, parts: &Parts, caller: &Caller, exceeded: Exceeded) {
        let check = match exceeded {
            Exceeded::Rate(_) => checks::CALLER_LIMIT_RATE,
            Exceeded::Calls(_) => checks::CALLER_LIMIT_CALLS,
        };
        let peer = PeerAddress::of(&parts.extensions);
        if !self.admits(check, peer) {
            return;
        }
        let Attempt { transport, method, correlation } = attempt;
        let (proof, entry) = (ProofKind::of(caller.proof.method).name(), caller.proof.entry.as_deref());
        tracing::info!(
            target: "cmgate::audit", parent: None, check, id = %correlation, transport, method, peer = name(peer), proof, entry,
            user = %caller.user, "limit exceeded: {exceeded}"
        );
    }

    /// Whether a line may be written. The lines left out are reported at the end of an interval, also if no further call comes.
    fn admits(&self, check: &'static str, peer: Option<SocketAddr>) -> bool {
        let verdict = self.lock().admit(check, peer.map(|peer| peer.ip()), Instant::now());
        if verdict == Verdict::LeaveOutFirst {
            let audit = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(INTERVAL).await;
                audit.report_left_out();
            });
        }
        verdict == Verdict::Write
    }

    fn report_left_out(&self) {
        let left_out = self.lock().take_left_out();
        for (check, lines) in left_out {
            tracing::info!(target: "cmgate::audit", parent: None, check, left_out = lines, "audit lines left out");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(
        || "unix".to_owned(),
        |peer| SocketAddr::new(IpAddr::to_canonical(&peer.ip()), peer.port()).to_string(),
    )
}

/// What a stranger writes, in ASCII: other characters could change how a terminal shows the line.
fn claim(text: &str) -> String {
    let text = printable(text, MAX_CLAIM);
    text.chars().map(|char| if char.is_ascii() { char } else { '?' }).collect()
}

/// A text on one line, shortened.
fn printable(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests;
