//! The command line: arguments, the settings of each part, and the commands.

mod arguments;
mod banner;
mod doctor;
mod exit;
mod ports;
mod relay;
mod serve;
mod settings;
mod tail;
mod upkeep;
mod wiring;

use std::fmt::Write as _;
use std::io::{self, Write};

use tokio::runtime;

use self::arguments::Tail;
use self::ports::Ports;
use self::tail::TailSettings;
use crate::config::{Config, ConfigErrors, templates};
use crate::http::auth::negotiate::keytab::Keytab;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry;

pub use arguments::{Cli, Command};
pub use exit::{ExitError, ExitStatus};
pub use settings::{LogSettings, Settings, StoreSettings};

/// Runs a command with the configuration, or with the problems that the configuration has.
///
/// # Errors
/// Why the command failed, with its exit code.
pub fn run(command: &Command, config: Result<Config, ConfigErrors>) -> Result<(), ExitError> {
    match command {
        Command::Doctor(doctor) => doctor::run(doctor, config),
        Command::CheckConfig => {
            let (config, settings) = accepted(config)?;
            check_config(&config, &settings, io::stdout())
        }
        Command::Serve => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log.clone(), serve::serve(settings))
        }
        Command::Migrate => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, migrate(&settings))
        }
        Command::Tail(wanted) => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, print_tail(&settings, *wanted))
        }
        Command::Relay(command) => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, relay::decide(&settings, command))
        }
    }
}

/// A configuration without problems, and the settings that follow from it.
fn accepted(config: Result<Config, ConfigErrors>) -> Result<(Config, Settings), ExitError> {
    let config = config.map_err(|problems| problems.first)?;
    let settings = Settings::of(&config);
    Ok((config, settings))
}

/// Starts the log and runs a command to its end.
fn block_on(log: &LogSettings, command: impl Future<Output = Result<(), ExitError>>) -> Result<(), ExitError> {
    telemetry::start_log(log.format, &log.filter).map_err(|error| ExitError::of(ExitStatus::Usage, &error))?;
    run_to_end(command)
}

/// Runs a command to its end. Tasks of the database driver or of Kafka may outlive it and are not awaited.
fn run_to_end<T>(command: impl Future<Output = Result<T, ExitError>>) -> Result<T, ExitError> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ExitError::of(ExitStatus::Internal, &error))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    outcome
}

/// Migrates the schema by opening the store.
async fn migrate(settings: &Settings) -> Result<(), ExitError> {
    wiring::store(&settings.store).await?.close().await;
    Ok(())
}

async fn print_tail(settings: &Settings, wanted: Tail) -> Result<(), ExitError> {
    let store = wiring::store(&settings.store).await?;
    let wanted = TailSettings { shard: wanted.shard, from: wanted.from, follow: wanted.follow() };
    tail::tail(&*store, wanted, &mut io::stdout()).await?;
    store.close().await;
    Ok(())
}

/// Checks the files that the configuration names, and prints the effective configuration.
fn check_config(config: &Config, settings: &Settings, mut output: impl Write) -> Result<(), ExitError> {
    templates::load(&config.templates)?;
    Ports::load(settings, &Clock::System)?;
    let checked = settings.authentication.check().map_err(|error| ExitError::of(ExitStatus::Usage, &error))?;
    let text = config.render().map_err(|error| ExitError::of(ExitStatus::Internal, &error))?;
    let text = text + &checked.keytab.map(|keytab| remarks(&keytab)).unwrap_or_default();
    output.write_all(text.as_bytes()).map_err(|error| ExitError::of(ExitStatus::Internal, &error))
}

/// The keys of the service as comments of the printed configuration.
fn remarks(keytab: &Keytab) -> String {
    let mut text = "\n# auth.negotiate.keytab has keys of\n".to_owned();
    for principal in keytab.principals() {
        let _ = writeln!(text, "#   {principal}");
    }
    if let Some(warning) = keytab.warning() {
        let _ = writeln!(text, "# Warning: auth.negotiate.keytab: {warning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

    const CANARY: &str = "canary-7f3a";

    #[test]
    fn check_config_prints_the_effective_configuration_without_secrets() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates");
        let environment = [
            ("CMGATE__TEMPLATES".to_owned(), templates.display().to_string()),
            ("CMGATE__DATABASE__URL".to_owned(), format!("postgres://u:{CANARY}@db/x")),
            ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD".to_owned(), CANARY.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let config = Config::load(None, environment).unwrap();
        let mut output = Vec::new();
        check_config(&config, &Settings::of(&config), &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(!text.contains(CANARY), "{text}");
        for line in ["url = \"postgres://u:***@db/x\"", "\"sasl.password\" = \"***\"", "mode = \"development\""] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn check_config_refuses_missing_templates() {
        let config = Config { templates: "no/such/directory".into(), ..Config::default() };
        let error = check_config(&config, &Settings::of(&config), io::sink()).unwrap_err();
        assert_eq!(error.status.code(), 64);
        assert!(error.message.starts_with("cannot read the templates in no/such/directory: No such file"), "{error:?}");
    }
}
