//! The command line: arguments, the settings of each part, and the commands.

mod arguments;
mod banner;
mod demo;
mod doctor;
mod exit;
mod ports;
mod relay;
mod serve;
mod settings;
mod tail;
mod templates;
mod upkeep;
mod vitals;
mod wiring;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};

use tokio::runtime;

use self::arguments::{Serve, Tail, Templates};
use self::banner::Examples;
use self::ports::Ports;
use self::tail::TailSettings;
use crate::config::{self, Config, ConfigErrors, ignored_variables};
use crate::http::auth::negotiate::keytab::Keytab;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry;
use crate::store::{Postgres, SchemaUpdate};

pub use arguments::{Cli, Command};
pub use exit::{ExitError, ExitStatus};
pub use settings::{LogSettings, Settings, StoreSettings};

/// Loads the configuration and runs the command.
///
/// # Errors
/// Why the command failed, with its exit code.
pub fn run(cli: &Cli, environment: Vec<(OsString, OsString)>) -> Result<(), ExitError> {
    let command = cli.command();
    let warnings = ignored_variables(&environment);
    let (file, examples) = match &command {
        Command::Demo(demo) => {
            if cli.config.is_some() {
                let problem = "demo writes its own configuration; run it without --config";
                return Err(ExitError::new(ExitStatus::Usage, problem));
            }
            let prepared = demo::prepare(&demo.directory, Clock::System.now())?;
            (Some(prepared.configuration), Examples::Demo(prepared.session))
        }
        Command::Grants(grants) => return print_grants(&grants.role, &mut io::stdout()),
        Command::Serve(_)
        | Command::Migrate
        | Command::CheckConfig
        | Command::Doctor(_)
        | Command::Tail(_)
        | Command::Templates(_)
        | Command::Relay(_) => (cli.config.clone(), Examples::Development),
    };
    let config = Config::examine(file.as_deref(), environment);
    match &command {
        Command::Doctor(doctor) => {
            warn(&warnings, &mut io::stderr());
            doctor::run(doctor, config)
        }
        Command::CheckConfig => {
            warn(&warnings, &mut io::stderr());
            let (config, settings) = accepted(config)?;
            check_config(&config, &settings, io::stdout())
        }
        Command::Serve(_) | Command::Demo(_) => {
            let (_, settings) = accepted(config)?;
            let update = match &command {
                Command::Serve(Serve { no_migrate: true }) => SchemaUpdate::Refuse,
                _ => SchemaUpdate::Migrate,
            };
            block_on(&settings.log.clone(), &warnings, serve::serve(settings, examples, update))
        }
        // It needs no configuration.
        Command::Grants(_) => Ok(()),
        Command::Migrate => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, &warnings, migrate(&settings))
        }
        Command::Templates(Templates::Diff) => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, &warnings, templates::diff(&settings, &mut io::stdout()))
        }
        Command::Tail(wanted) => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, &warnings, print_tail(&settings, *wanted))
        }
        Command::Relay(command) => {
            let (_, settings) = accepted(config)?;
            block_on(&settings.log, &warnings, relay::decide(&settings, command))
        }
    }
}

/// Prints the statements that let a role serve without migrating.
fn print_grants(role: &str, output: &mut impl Write) -> Result<(), ExitError> {
    output.write_all(Postgres::grants(role).as_bytes()).map_err(|error| ExitError::of(ExitStatus::Unavailable, &error))
}

/// Writes warnings about the environment where there is no log.
fn warn(warnings: &[String], output: &mut impl Write) {
    for warning in warnings {
        // A command whose output is closed still has its exit code.
        let _ = writeln!(output, "cmgate: warning: {warning}");
    }
}

/// A configuration without problems, and the settings that follow from it.
fn accepted(config: Result<Config, ConfigErrors>) -> Result<(Config, Settings), ExitError> {
    let config = config.map_err(|problems| problems.first)?;
    let settings = Settings::of(&config);
    Ok((config, settings))
}

/// Starts the log and runs a command to its end.
fn block_on(
    log: &LogSettings,
    warnings: &[String],
    command: impl Future<Output = Result<(), ExitError>>,
) -> Result<(), ExitError> {
    let instance = if log.instance.is_empty() { telemetry::host_name() } else { log.instance.clone() };
    telemetry::start_log(log.format, &log.filter, &instance)
        .map_err(|error| ExitError::of(ExitStatus::Usage, &error))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
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
    wiring::store(&settings.store, SchemaUpdate::Migrate).await?.close().await;
    Ok(())
}

async fn print_tail(settings: &Settings, wanted: Tail) -> Result<(), ExitError> {
    let store = wiring::store(&settings.store, SchemaUpdate::Migrate).await?;
    let wanted = TailSettings { shard: wanted.shard, from: wanted.from, follow: wanted.follow() };
    tail::tail(&*store, wanted, &mut io::stdout()).await?;
    store.close().await;
    Ok(())
}

/// Checks the files that the configuration names, and prints the effective configuration.
fn check_config(config: &Config, settings: &Settings, mut output: impl Write) -> Result<(), ExitError> {
    config::templates::load(&config.templates)?;
    Ports::load(settings, &Clock::System)?;
    let checked = settings.authentication.check().map_err(|error| ExitError::of_files(&error))?;
    wiring::check_kafka(settings)?;
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
