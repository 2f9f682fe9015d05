//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::domain::{Position, Shard};

/// Request gateway of a certificate-management platform: gRPC and MIM CM REST in, Kafka life-cycle events out.
#[derive(Clone, Debug, Parser)]
#[command(name = "cmgate", version, about, subcommand_required = false, disable_help_subcommand = true)]
pub struct Cli {
    /// Configuration file in TOML; the environment goes above it (`CMGATE__DATABASE__URL` is `database.url`)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// What is to be done; to serve, if nothing was said.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }
}

/// What the process is to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve requests and publish events (the default)
    Serve,
    /// Bring the schema of the database up to date, and end
    Migrate,
    /// Check the configuration and the templates, and print what is in force with secrets masked
    CheckConfig,
    /// Print the events of the log as JSON lines
    Tail(Tail),
    /// Tell the relay what it must not decide by itself
    #[command(subcommand)]
    Relay(Relay),
}

/// Which events to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Tail {
    /// Only this shard; all of them otherwise, each in its own order
    #[arg(long, value_name = "N", value_parser = parse_shard)]
    pub shard: Option<Shard>,

    /// First position to print, in each shard
    #[arg(long, value_name = "POSITION", default_value = "1", value_parser = parse_position)]
    pub from: Position,

    /// Go on with new events as they come (the default)
    #[arg(long, overrides_with = "no_follow")]
    follow: bool,

    /// End at the last event that is there now
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "follow")]
    no_follow: bool,
}

impl Tail {
    /// Whether to go on with new events as they come.
    #[must_use]
    pub const fn follow(&self) -> bool {
        self.follow || !self.no_follow
    }
}

/// What the relay may be told.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Relay {
    /// Let the relay publish to a topic that is empty although events were published before
    ///
    /// Needed after a topic was lost or made anew, or after a move to another topic or cluster. The relay halts until it is told
    /// which events the topic is to begin with, since only an operator knows what became of those it had. Creates the topic
    /// if it does not exist; refuses a topic that has records.
    AllowEmptyTopic(EmptyTopic),
    /// Make a topic that has the records of this database its topic
    ///
    /// Needed after a move to a copy of the topic, on another cluster or under another name, or after the topic was restored.
    /// Refuses a topic that is empty or ends with records that the database does not have.
    AdoptTopic,
    /// Publish again what the topic has lost of a shard
    ///
    /// Refused unless the last record of the partition is the one at the position given.
    Republish(Republish),
    /// Let a record that cmgate did not write stay in a partition
    ///
    /// Refused unless it is the last such record. Those before it may stay as well.
    IgnoreRecord(IgnoreRecord),
}

/// What is to be published again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Republish {
    /// The shard, which is the partition
    #[arg(long, value_name = "N", value_parser = parse_shard)]
    pub shard: Shard,

    /// The position at which the topic ends
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    pub after: Position,
}

/// A record that may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct IgnoreRecord {
    /// The shard, which is the partition
    #[arg(long, value_name = "N", value_parser = parse_shard)]
    pub shard: Shard,

    /// The offset of the record
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: i64,
}

/// Where an empty topic is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct EmptyTopic {
    /// Publish every event again, from position 1
    #[arg(long)]
    pub from_start: bool,

    /// Go on with the first event that was not published yet
    #[arg(long)]
    pub from_checkpoint: bool,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    text.parse().map(Shard::new).map_err(|_| "a shard is a whole number from 0".to_owned())
}

fn parse_position(text: &str) -> Result<Position, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(Position::new(number)),
        _ => Err("a position is a whole number from 1".to_owned()),
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
    fn to_serve_is_the_default() {
        assert_eq!(parse("cmgate").unwrap().command(), Command::Serve);
        let cli = parse("cmgate --config a.toml").unwrap();
        assert_eq!((cli.command(), cli.config), (Command::Serve, Some(PathBuf::from("a.toml"))));
        let cli = parse("cmgate check-config --config a.toml").unwrap();
        assert_eq!((cli.command(), cli.config), (Command::CheckConfig, Some(PathBuf::from("a.toml"))));
    }

    #[test]
    fn tail_follows_everything_unless_told_otherwise() {
        let all = tail("cmgate tail");
        assert_eq!((all.shard, all.from, all.follow()), (None, Position::new(1), true));
        let some = tail("cmgate tail --shard 3 --from 17 --no-follow");
        assert_eq!((some.shard, some.from, some.follow()), (Some(Shard::new(3)), Position::new(17), false));
        assert!(tail("cmgate tail --no-follow --follow").follow());
        assert!(parse("cmgate tail --from 0").is_err());
    }

    #[test]
    fn an_empty_topic_needs_a_decision() {
        let command = parse("cmgate relay allow-empty-topic --from-checkpoint").unwrap().command();
        let expected = EmptyTopic { from_start: false, from_checkpoint: true };
        assert_eq!(command, Command::Relay(Relay::AllowEmptyTopic(expected)));
        assert!(parse("cmgate relay allow-empty-topic").is_err());
        assert!(parse("cmgate relay republish --shard 3").is_err());
        assert!(parse("cmgate relay ignore-record --shard 3 --offset -1").is_err());
        assert!(parse("cmgate relay allow-empty-topic --from-start --from-checkpoint").is_err());
    }
}
