//! `cmgate doctor token`: the check of a bearer token, step by step. Nothing of the token is shown but the caller that it proves.

use std::path::Path;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::report::{Finding, Report};
use super::{TooSlow, bounded, credential, issuers, proofs};
use crate::http::auth::jwt::{Issuer, Rejection, Step, Token, Verified, bearer};
use crate::http::auth::{AuthenticationSettings, TokenIssuer};
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::error_chain;

/// Limit on the file, in bytes: the longest token that an entry may allow, and white space around it.
const MAX_BYTES: usize = (64 << 10) + 1_024;

/// Why a step failed.
struct Failed {
    step: Step,
    why: String,
}

/// Examines the token in a file.
pub(super) async fn examine(settings: &AuthenticationSettings, file: &Path) -> Report {
    let entries = proofs(settings).map_or(&[][..], |proofs| &proofs.tokens);
    if entries.is_empty() {
        let advice = "add an [[auth.jwt]] entry for the issuer of the token";
        return Report::of(vec![Finding::fault("auth.jwt", "there is no entry, so no token is accepted", advice)]);
    }
    let bytes = match credential::read(file, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(finding) => return Report::of(vec![finding]),
    };
    let text = String::from_utf8_lossy(&bytes);
    let token = text.trim();
    // A header copied from a call.
    let token = token
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "))
        .map_or(token, |(_, token)| token.trim());
    let issuers: Vec<Issuer> = entries.iter().map(|entry| entry.issuer.clone()).collect();
    let entry = Token::entry_of(token, &issuers);
    let outcome = check(token, &issuers, entries).await;
    let mut report = Report::of(steps(entry.and_then(|index| Some((index, entries.get(index)?))), outcome.as_ref()));
    if let Ok(verified) = outcome {
        report.prove(verified.caller);
    }
    report
}

/// The check as a call makes it.
async fn check(token: &str, issuers: &[Issuer], entries: &[TokenIssuer]) -> Result<Verified, Failed> {
    let refused = |rejection: Rejection| Failed { step: rejection.step(), why: rejection.to_string() };
    let mut headers = HeaderMap::new();
    let header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| refused(Rejection::NotToken68))?;
    headers.insert(AUTHORIZATION, header);
    let text = bearer(&headers).and_then(|text| text.ok_or(Rejection::NotToken68)).map_err(refused)?;
    let token = Token::read(text, issuers).map_err(|rejection| match rejection {
        // Before the signature, the payload is read for its issuer alone.
        Rejection::PayloadJson(_) => Failed { step: Step::Issuer, why: rejection.to_string() },
        rejection => refused(rejection),
    })?;
    let no_keys = |why: String| Failed { step: Step::Key, why };
    let entry = entries.get(token.issuer()).ok_or_else(|| refused(Rejection::UnknownIssuer))?;
    let fresh = match bounded(entry.keys.read()).await {
        Ok(Ok(fresh)) => fresh,
        Ok(Err(error)) => return Err(no_keys(format!("the key set cannot be read: {}", error_chain(&error)))),
        Err(TooSlow) => {
            return Err(no_keys(format!("the key set cannot be read in time from {}", issuers::place(entry))));
        }
    };
    token.verify(&fresh.keys, Clock::System.now()).map_err(refused)
}

/// A finding for each step of the check.
fn steps(entry: Option<(usize, &TokenIssuer)>, outcome: Result<&Verified, &Failed>) -> Vec<Finding> {
    let failed = outcome.err();
    let finding = |step: Step| match failed {
        Some(failed) if step == failed.step => Finding::plain_fault(step.name(), format!("refused: {}", failed.why)),
        Some(failed) if step > failed.step => Finding::skipped(step.name(), "not reached"),
        _ => passed(step, entry, outcome.ok()),
    };
    Step::ALL.into_iter().map(finding).collect()
}

fn passed(step: Step, entry: Option<(usize, &TokenIssuer)>, verified: Option<&Verified>) -> Finding {
    match (step, entry, verified) {
        (Step::Issuer, Some((index, entry)), _) => {
            Finding::ok(step.name(), format!("auth.jwt[{index}] ({})", entry.issuer.name))
        }
        // The algorithm was refused before the issuer was read.
        (Step::Issuer, None, _) => Finding::skipped(step.name(), "not reached"),
        (Step::Times, _, Some(verified)) => {
            Finding::ok(step.name(), format!("passed; valid until {}", verified.expires_at.utc()))
        }
        (Step::Confirmation, _, Some(Verified { confirmation: Some(thumbprint), .. })) => {
            let text = format!("passed; the connection must have the client certificate with x5t#S256 {thumbprint:?}");
            Finding::ok(step.name(), text)
        }
        _ => Finding::ok(step.name(), "passed"),
    }
}
