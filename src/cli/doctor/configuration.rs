//! The configuration itself, and the templates.

use super::report::Finding;
use crate::cli::settings::{Settings, StoreSettings};
use crate::config::{Config, ConfigError, ConfigErrors, Mode, templates};
use crate::runtime::telemetry::error_chain;

/// A fault for each problem of a configuration that the service would refuse.
pub(super) fn faults(problems: &ConfigErrors) -> Vec<Finding> {
    let fault = |problem: &ConfigError| Finding::plain_fault("configuration", error_chain(problem));
    let mut findings: Vec<Finding> = problems.iter().map(fault).collect();
    findings.push(Finding::skipped("everything else", "needs a valid configuration"));
    findings
}

/// A configuration that the service accepts.
pub(super) fn examine(config: &Config, settings: &Settings) -> Vec<Finding> {
    let mode = match config.mode {
        Mode::Development => "development",
        Mode::Production => "production",
    };
    let proof = if config.trusts_everyone() { ", callers need no proof" } else { "" };
    let store = match settings.store {
        StoreSettings::Postgres(_) => "Postgres",
        StoreSettings::Sqlite(_) => "SQLite",
    };
    let text = format!("mode {mode}{proof}, listens on {} and {}, {store}", settings.listen, settings.admin_listen);
    let templates = match templates::load(&settings.templates) {
        Ok(loaded) => {
            let text = format!("{} in {}", loaded.templates.len(), settings.templates.display());
            Finding::ok("templates", text)
        }
        Err(error) => Finding::plain_fault("templates", error_chain(&error)),
    };
    let mut findings = vec![Finding::ok("configuration", text), templates];
    if let (Mode::Production, StoreSettings::Sqlite(_)) = (config.mode, &settings.store) {
        let text = "production uses SQLite, which serves one process and has no standby";
        findings.push(Finding::warning("database.url", text, "use Postgres for more than one process"));
    }
    findings
}
