//! What each command does.

mod greeting;
mod open;
mod relay;
mod serve;
mod upkeep;

use std::io::{self, Write};

use tokio::runtime;

use crate::cli::{Command, Tail};
use crate::config::{Config, LogFormat};
use crate::exit::{Failure, FailureKind};
use crate::tail::{self, TailSettings};
use crate::{telemetry, templates};

/// Carries out a command.
///
/// # Errors
/// What kept it from its work, with the exit code that tells it to a supervisor.
pub fn run(command: &Command, config: &Config) -> Result<(), Failure> {
    match command {
        Command::CheckConfig => check_config(config, io::stdout()),
        Command::Serve => block_on(config, serve::serve(config)),
        Command::Migrate => block_on(config, migrate(config)),
        Command::Tail(wanted) => block_on(config, print_tail(config, *wanted)),
        Command::Relay(command) => block_on(config, relay::decide(config, command)),
    }
}

/// Runs a command to its end, with a log. A task of the database driver or of Kafka may outlive it and is not waited for.
fn block_on(config: &Config, command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let format = match config.log.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::start_log(format, &config.log.filter).map_err(|error| Failure::of(FailureKind::Usage, &error))?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of(FailureKind::Internal, &error))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    outcome
}

/// Opening a store migrates it.
async fn migrate(config: &Config) -> Result<(), Failure> {
    open::store(config).await?.close().await;
    Ok(())
}

async fn print_tail(config: &Config, wanted: Tail) -> Result<(), Failure> {
    let store = open::store(config).await?;
    let settings = TailSettings { shard: wanted.shard, from: wanted.from, follow: wanted.follow() };
    tail::tail(&*store, settings, &mut io::stdout()).await?;
    store.close().await;
    Ok(())
}

/// Prints the configuration in force, once everything that it names on this machine is known to be usable.
fn check_config(config: &Config, mut output: impl Write) -> Result<(), Failure> {
    templates::load(&config.templates)?;
    let text = config.render().map_err(|error| Failure::of(FailureKind::Internal, &error))?;
    output.write_all(text.as_bytes()).map_err(|error| Failure::of(FailureKind::Internal, &error))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

    const CANARY: &str = "canary-7f3a";

    #[test]
    fn check_config_prints_what_is_in_force_without_secrets() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates");
        let environment = [
            ("CMGATE__TEMPLATES".to_owned(), templates.display().to_string()),
            ("CMGATE__DATABASE__URL".to_owned(), format!("postgres://u:{CANARY}@db/x")),
            ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD".to_owned(), CANARY.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let config = Config::load(None, environment).unwrap();
        let mut output = Vec::new();
        check_config(&config, &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(!text.contains(CANARY), "{text}");
        for line in ["url = \"postgres://u:***@db/x\"", "\"sasl.password\" = \"***\"", "mode = \"development\""] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn check_config_refuses_templates_that_are_not_there() {
        let config = Config { templates: "no/such/directory".into(), ..Config::default() };
        let failure = check_config(&config, io::sink()).unwrap_err();
        assert_eq!(failure.kind.code(), 64);
        assert!(
            failure.message.starts_with("cannot read the templates in no/such/directory: No such file"),
            "{failure:?}"
        );
    }
}
