//! `cmgate doctor`: checks the configuration and everything outside of the process that it names. No check writes anything.

mod access;
mod certificate;
mod clocks;
mod configuration;
mod credential;
mod database;
mod directory;
mod issuers;
mod kafka;
mod kerberos;
mod report;
mod tls;
mod token;

use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;

use self::report::{Finding, Report};
use super::arguments::{Doctor, Examine};
use super::exit::ExitError;
use super::run_to_end;
use super::settings::Settings;
use crate::config::{Config, ConfigErrors};
use crate::http::auth::{AuthenticationSettings, ProofSettings};
use crate::runtime::clock::Clock;

/// Longest time of a check.
const LIMIT: Duration = Duration::from_secs(5);

/// Examines what the command names, and prints the findings.
///
/// # Errors
/// There is a fault, or the findings cannot be printed.
pub(super) fn run(doctor: &Doctor, config: Result<Config, ConfigErrors>) -> Result<(), ExitError> {
    let report = match config {
        Err(problems) => Report::of(configuration::faults(&problems)),
        Ok(config) => {
            let settings = Settings::of(&config);
            run_to_end(async {
                Ok(match &doctor.examine {
                    None => Report::of(everything(&config, &settings).await),
                    Some(Examine::Token { file }) => token::examine(&settings.authentication, file).await,
                    Some(Examine::Cert { file }) => certificate::examine(settings, file.clone()).await,
                    Some(Examine::Keytab) => Report::of(kerberos::examine(&settings.authentication).await),
                })
            })?
        }
    };
    report.print(doctor.json, &mut io::stdout())
}

/// All checks, side by side.
async fn everything(config: &Config, settings: &Settings) -> Vec<Finding> {
    let clock = &Clock::System;
    let (database, kafka, issuers, tls, keytab, access) = tokio::join!(
        database::examine(&settings.store),
        kafka::examine(settings),
        issuers::examine(proofs(&settings.authentication)),
        tls::examine(settings, clock),
        kerberos::check(&settings.authentication),
        access::examine(settings),
    );
    let skew = clocks::tolerance(proofs(&settings.authentication));
    let mut findings = configuration::examine(config, settings);
    findings.extend(database.findings);
    findings.extend(database.users.map(|users| directory::judge(users, proofs(&settings.authentication))));
    findings.extend(kafka.findings);
    findings.extend(kafka.topic.judge(database.topic.as_ref(), &settings.relay.kafka));
    findings.extend(kafka::judge_mode(database.publishing, settings));
    findings.extend(database.clock.map(|reading| clocks::compare("database", &reading, clock, skew)));
    for issuer in issuers {
        findings.extend(issuer.findings);
        let subject = format!("auth.jwt[{}]", issuer.index);
        findings.extend(issuer.clock.map(|reading| clocks::compare(&subject, &reading, clock, skew)));
    }
    findings.extend(tls);
    findings.extend(keytab);
    findings.extend(access);
    findings
}

fn proofs(settings: &AuthenticationSettings) -> Option<&ProofSettings> {
    match settings {
        AuthenticationSettings::Development(_) => None,
        AuthenticationSettings::Proof(proofs) => Some(proofs),
    }
}

/// Runs a check within the limit.
async fn bounded<T>(check: impl Future<Output = T>) -> Result<T, TooSlow> {
    tokio::time::timeout(LIMIT, check).await.map_err(|_elapsed| TooSlow)
}

/// Runs a check that blocks within the limit. A check that is given up ends with the process.
async fn blocking<T: Send + 'static>(check: impl FnOnce() -> T + Send + 'static) -> Result<T, TooSlow> {
    // A task fails only if it panics or the runtime ends.
    bounded(spawn_blocking(check)).await?.map_err(|_| TooSlow)
}

/// A check did not end within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooSlow;

/// The finding about a check that did not end within the limit.
fn too_slow(subject: &str, advice: &str) -> Finding {
    Finding::fault(subject, format!("no answer within {} s", LIMIT.as_secs()), advice)
}
