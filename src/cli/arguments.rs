//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::domain::{Position, Shard};

/// Request gateway of a certificate-management platform: gRPC and MIM CM REST in, Kafka life-cycle events out.
#[derive(Clone, Debug, Parser)]
#[command(name = "cmgate", version, about, subcommand_required = false, disable_help_subcommand = true)]
pub struct Cli {
    /// Configuration file in TOML; environment variables override it (`CMGATE__DATABASE__URL` is `database.url`). It overrides the file
    /// of defaults that `CMGATE_DEFAULTS` names
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// The command; `serve` if none was given.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.clone().unwrap_or_else(|| Command::Serve(Serve::default()))
    }
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve requests and publish events (the default)
    Serve(Serve),
    /// Serve with TLS and tokens as in production, with a throw-away CA and issuer, and print a first session to paste
    Demo(Demo),
    /// Migrate the schema of the database and exit
    Migrate,
    /// Print the SQL that lets a role serve a Postgres database with `serve --no-migrate`, without the right to change its schema
    Grants(Grants),
    /// Check the configuration and the templates, and print the effective configuration with secrets masked
    CheckConfig,
    /// Check the configuration and everything outside that it names: database, Kafka, certificates, issuers, keytab, clocks
    Doctor(Doctor),
    /// Compare the profile templates with those in the database
    #[command(subcommand)]
    Templates(Templates),
    /// Print the events of the log as JSON lines
    Tail(Tail),
    /// Override a halted relay
    #[command(subcommand)]
    Relay(Relay),
}

/// What to do with the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Templates {
    /// Print the templates whose files differ from the newest version in the database. Exit code: 0 without one, 1 with one
    Diff,
}

/// How to serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Serve {
    /// Refuse to start with a schema that is not up to date instead of migrating it
    #[arg(long)]
    pub no_migrate: bool,
}

/// Who gets the rights.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Grants {
    /// The role
    #[arg(value_name = "ROLE")]
    pub role: String,
}

/// What to check. One line for each finding: ok, warning or fault, what it is about, and what to do. Nothing is changed.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Exit code: 0 without a fault, 1 with one.")]
pub struct Doctor {
    /// Print one JSON object instead of lines
    #[arg(long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub examine: Option<Examine>,
}

/// A credential to check instead of the outside.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Examine {
    /// Check a bearer token as the service would, step by step; the token itself is never printed
    Token {
        /// File with the token; `-` for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Verify a client certificate as the service would, and show its caller
    Cert {
        /// File with the certificate and its intermediate CAs in PEM form, or with the certificate in DER form
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show the keys in the keytab, and compare them with the domain if the user has a ticket (kinit)
    Keytab,
}

/// Where the demo is.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Demo {
    /// Directory of its keys, certificates, tokens and database; made if it does not exist
    #[arg(long, value_name = "DIRECTORY", default_value = "data/demo")]
    pub directory: PathBuf,
}

/// The events to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Tail {
    /// Print only this shard; by default all, each in its own order
    #[arg(long, value_name = "N", value_parser = parse_shard)]
    pub shard: Option<Shard>,

    /// First position to print in each shard
    #[arg(long, value_name = "POSITION", default_value = "1", value_parser = parse_position)]
    pub from: Position,

    /// Wait for new events and print them (the default)
    #[arg(long, overrides_with = "no_follow")]
    follow: bool,

    /// Exit after the last event that exists now
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "follow")]
    no_follow: bool,
}

impl Tail {
    /// Whether to wait for new events.
    #[must_use]
    pub const fn follow(&self) -> bool {
        self.follow || !self.no_follow
    }
}

/// An operator override of the relay.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Relay {
    /// Let the relay publish to an empty topic although it published events before
    ///
    /// Needed after a topic was lost or recreated, or after a move to another topic or cluster. Only an operator knows what
    /// became of the published events, so the relay halts until this command sets the first event of the topic. Creates the
    /// topic if it does not exist; refuses a topic that has records.
    AllowEmptyTopic(EmptyTopic),
    /// Accept a copy of the topic as the topic of this database
    ///
    /// Needed after the topic was copied to another cluster or name, or was restored. Refuses a topic that is empty or ends
    /// with records that the database does not have.
    AdoptTopic,
    /// Publish the records again that the topic lost from one shard
    ///
    /// Refused unless the partition ends with the record at the given position.
    Republish(Republish),
    /// Accept a record that cmgate did not write
    ///
    /// Refused unless it is the last such record of the partition. Accepts earlier ones as well.
    IgnoreRecord(IgnoreRecord),
}

/// The records to publish again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Republish {
    /// The shard, equal to the partition
    #[arg(long, value_name = "N", value_parser = parse_shard)]
    pub shard: Shard,

    /// The last position in the topic
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub after: Position,
}

/// The record to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct IgnoreRecord {
    /// The shard, equal to the partition
    #[arg(long, value_name = "N", value_parser = parse_shard)]
    pub shard: Shard,

    /// The offset of the record
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: i64,
}

/// The first event of an empty topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct EmptyTopic {
    /// Publish every event again from position 1
    #[arg(long)]
    pub from_start: bool,

    /// Continue with the first event that was not published yet
    #[arg(long)]
    pub from_checkpoint: bool,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    text.parse().map(Shard::new).map_err(|_| "must be a whole number from 0".to_owned())
}

fn parse_position(text: &str) -> Result<Position, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(Position::new(number)),
        _ => Err("must be a whole number from 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    fn tail(line: &str) -> Tail {
        match parse(line).unwrap().command() {
            Command::Tail(tail) => tail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        let serve = |no_migrate| Command::Serve(Serve { no_migrate });
        assert_eq!(parse("cmgate").unwrap().command(), serve(false));
        assert_eq!(parse("cmgate templates diff").unwrap().command(), Command::Templates(Templates::Diff));
        assert_eq!(parse("cmgate serve --no-migrate").unwrap().command(), serve(true));
        let cli = parse("cmgate --config a.toml").unwrap();
        assert_eq!((cli.command(), cli.config), (serve(false), Some(PathBuf::from("a.toml"))));
        let cli = parse("cmgate check-config --config a.toml").unwrap();
        assert_eq!((cli.command(), cli.config), (Command::CheckConfig, Some(PathBuf::from("a.toml"))));
    }

    #[test]
    fn the_demo_has_its_own_directory() {
        let demo = |line| parse(line).unwrap().command();
        assert_eq!(demo("cmgate demo"), Command::Demo(Demo { directory: "data/demo".into() }));
        assert_eq!(demo("cmgate demo --directory /x"), Command::Demo(Demo { directory: "/x".into() }));
    }

    #[test]
    fn tail_follows_all_shards_by_default() {
        let all = tail("cmgate tail");
        assert_eq!((all.shard, all.from, all.follow()), (None, Position::new(1), true));
        let some = tail("cmgate tail --shard 3 --from 17 --no-follow");
        assert_eq!((some.shard, some.from, some.follow()), (Some(Shard::new(3)), Position::new(17), false));
        assert!(tail("cmgate tail --no-follow --follow").follow());
        assert!(parse("cmgate tail --from 0").is_err());
    }

    #[test]
    fn the_doctor_checks_everything_or_one_credential() {
        let doctor = |line: &str| match parse(line).unwrap().command() {
            Command::Doctor(doctor) => doctor,
            other => panic!("{other:?}"),
        };
        assert_eq!(doctor("cmgate doctor"), Doctor { json: false, examine: None });
        assert!(doctor("cmgate doctor --json").json);
        let token = doctor("cmgate doctor token - --json");
        assert_eq!(token, Doctor { json: true, examine: Some(Examine::Token { file: "-".into() }) });
        assert_eq!(doctor("cmgate doctor keytab").examine, Some(Examine::Keytab));
        assert!(parse("cmgate doctor cert").is_err());
    }

    #[test]
    fn relay_commands_require_their_arguments() {
        let command = parse("cmgate relay allow-empty-topic --from-checkpoint").unwrap().command();
        let expected = EmptyTopic { from_start: false, from_checkpoint: true };
        assert_eq!(command, Command::Relay(Relay::AllowEmptyTopic(expected)));
        assert!(parse("cmgate relay allow-empty-topic").is_err());
        assert!(parse("cmgate relay republish --shard 3").is_err());
        assert!(parse("cmgate relay ignore-record --shard 3 --offset -1").is_err());
        assert!(parse("cmgate relay allow-empty-topic --from-start --from-checkpoint").is_err());
    }
}
