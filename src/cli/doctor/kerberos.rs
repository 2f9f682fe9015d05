//! The keytab, and its comparison with the keys of the domain.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::report::Finding;
use super::{TooSlow, blocking, proofs, too_slow};
use crate::http::auth::AuthenticationSettings;
use crate::http::auth::negotiate::NegotiateSettings;
use crate::http::auth::negotiate::keytab::{Keytab, PrincipalKeys, describe};
use crate::runtime::telemetry::error_chain;

const KEYTAB: &str = "auth.negotiate.keytab";
const REPLAY_CACHE: &str = "auth.negotiate.replay_cache";
const DOMAIN: &str = "domain";

/// The program of MIT krb5 that asks the domain for a ticket and shows the version of its key.
const KVNO: &str = "kvno";
/// Longest time of that program.
const KVNO_LIMIT: Duration = Duration::from_secs(4);
/// How often its end is checked.
const POLL: Duration = Duration::from_millis(20);
/// Limit on the principals that are compared.
const MAX_COMPARED: usize = 16;

/// Checks the files of Negotiate, if it is configured.
pub(super) async fn check(settings: &AuthenticationSettings) -> Vec<Finding> {
    let Some(negotiate) = configured(settings) else { return Vec::new() };
    let (mut findings, _) = files(negotiate).await;
    if !cfg!(feature = "negotiate") {
        let advice = "use the container image, or build with --features negotiate";
        findings.push(Finding::fault("auth.negotiate", "this build lacks Kerberos", advice));
    }
    findings
}

/// `cmgate doctor keytab`: the files, and the versions of the keys in the domain.
pub(super) async fn examine(settings: &AuthenticationSettings) -> Vec<Finding> {
    let Some(negotiate) = configured(settings) else {
        let text = "auth.negotiate is not configured, so no ticket is accepted";
        return vec![Finding::fault("auth.negotiate", text, "add [auth.negotiate] with keytab and replay_cache")];
    };
    let (mut findings, keytab) = files(negotiate).await;
    for principal in keytab.iter().flat_map(Keytab::principals).take(MAX_COMPARED) {
        let wanted = principal.clone();
        let compared = blocking(move || compare(&wanted)).await;
        findings.push(compared.unwrap_or_else(|TooSlow| Finding::skipped(DOMAIN, "not checked: no answer in time")));
    }
    findings
}

fn configured(settings: &AuthenticationSettings) -> Option<&NegotiateSettings> {
    proofs(settings)?.negotiate.as_ref()
}

async fn files(settings: &NegotiateSettings) -> (Vec<Finding>, Option<Keytab>) {
    let (path, replay_cache) = (settings.keytab.clone(), settings.replay_cache.clone());
    let read = blocking(move || (describe(&path), replay_cache_finding(&replay_cache))).await;
    let (keytab, replay_cache) = match read {
        Err(TooSlow) => return (vec![too_slow(KEYTAB, "move the keytab to a local disk")], None),
        Ok((Err(error), replay_cache)) => {
            let advice = "export the keys of the service account into a keytab that this user can read";
            return (vec![Finding::fault(KEYTAB, error_chain(&error), advice), replay_cache], None);
        }
        Ok((Ok(keytab), replay_cache)) => (keytab, replay_cache),
    };
    let mut findings: Vec<Finding> =
        keytab.principals().iter().map(|principal| Finding::ok(KEYTAB, principal)).collect();
    if let Some(warning) = keytab.warning() {
        let advice = "renew the keys of the account with AES";
        findings.push(Finding::warning(KEYTAB, warning, advice));
    }
    findings.push(replay_cache);
    (findings, Some(keytab))
}

/// Whether the replay cache can be written; the service creates it. Opening it for writing changes nothing.
fn replay_cache_finding(path: &Path) -> Finding {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    let (problem, advice) = match std::fs::File::options().read(true).write(true).open(path) {
        Ok(_) => return Finding::ok(REPLAY_CACHE, path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if parent.is_dir() {
                return Finding::ok(
                    REPLAY_CACHE,
                    format!("{} does not exist yet; the service creates it", path.display()),
                );
            }
            (format!("{} is not a directory", parent.display()), "create the directory for the user of the service")
        }
        Err(error) => (format!("cannot write {}: {error}", path.display()), "correct its owner and mode"),
    };
    Finding::fault(REPLAY_CACHE, problem, advice)
}

/// Compares the newest key of a principal with that of the domain, if a ticket can be had.
fn compare(principal: &PrincipalKeys) -> Finding {
    let name = &principal.principal;
    let versions: Vec<u32> = principal.keys.iter().map(|(version, _)| *version).collect();
    match version_in_domain(name) {
        Err(why) => Finding::skipped(DOMAIN, format!("{name} not checked: {why}")),
        Ok(version) if versions.contains(&version) => Finding::ok(
            DOMAIN,
            format!("the keytab has the key of {name} with which the domain issues tickets, version {version}"),
        ),
        Ok(version) => {
            let mut known: Vec<String> = versions.iter().map(u32::to_string).collect();
            known.dedup();
            let text = format!(
                "the domain issues tickets for {name} with key version {version}; the keytab has {}",
                known.join(", ")
            );
            Finding::fault(DOMAIN, text, "export the keytab again")
        }
    }
}

/// The version of a principal's key, from a ticket that the domain issues to the user who runs this. The error says why there is
/// none.
fn version_in_domain(principal: &str) -> Result<u32, String> {
    // The ticket is not stored in the credential cache of the user.
    let started = Command::new(KVNO)
        .args(["--no-store", principal])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| format!("cannot run {KVNO} (package krb5-user): {error}"))?;
    let deadline = Instant::now() + KVNO_LIMIT;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() >= deadline {
            // It may have ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err("the domain did not answer in time".to_owned());
        }
        thread::sleep(POLL);
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let version = answer
        .lines()
        .find_map(|line| line.split_once("kvno = "))
        .and_then(|(_, rest)| rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok());
    version.filter(|_| output.status.success()).ok_or_else(|| {
        let told = String::from_utf8_lossy(&output.stderr);
        let told = told.trim().trim_start_matches("kvno: ");
        if told.is_empty() { format!("{KVNO} ended with {}", output.status) } else { told.to_owned() }
    })
}
