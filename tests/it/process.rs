//! The program as a process: configurations that it refuses, the output of its commands, and its exit.

mod age;
mod demo;
mod deployment;
mod doctor;
mod drain;
mod mistakes;
mod rights;
mod rolling;
mod templates;

use std::fs;
use std::process::Output;
use std::str::FromStr;

use futures::future::join_all;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::support::client::{create_many, printed_events};
use crate::support::database::TestDatabase;
use crate::support::env::TestEnv;
use crate::support::servers::{CLOSED_PORT, postgres};

/// A password that must not appear anywhere.
const CANARY: &str = "canary-7f3a";

#[test]
fn a_wrong_configuration_stops_the_process_with_a_sentence() {
    let env = TestEnv::sqlite();
    for (name, value, sentence) in [
        ("CMGATE__KAFKA__BROKER", "127.0.0.1:9092", "kafka.broker is not a known key; known are brokers,"),
        ("CMGATE__LISTENING", "127.0.0.1:80", "listening is not a known key; known are mode, listen,"),
        ("CMGATE__KAFKA__PARTITIONS", "0", "kafka.partitions must be"),
        ("CMGATE__SHUTDOWN__GRACE", "soon", "shutdown.grace must be"),
        (
            "CMGATE__DATABASE__URL",
            "mysql://db/x",
            "database.url must be a URL that begins with postgres:// or sqlite://",
        ),
        (
            "CMGATE__LISTEN",
            "0.0.0.0:8080",
            "listen must be a loopback address such as 127.0.0.1:8080, not 0.0.0.0:8080",
        ),
        ("CMGATE__ADMIN_LISTEN", "[::]:9090", "admin_listen must be a loopback address such as 127.0.0.1:9090"),
        ("CMGATE__TEMPLATES", "nowhere", "cannot read the templates in nowhere"),
    ] {
        for command in ["serve", "check-config"] {
            let message = refusal(&env.run(&[(name, value), QUIET], &[command]));
            assert!(message.starts_with(sentence), "{command} with {name}={value}: {message}");
        }
    }
    assert!(!env.database.path().exists(), "no database was created");
}

#[test]
fn a_wrong_command_line_stops_the_process() {
    let env = TestEnv::new(TestDatabase::at("sqlite://nowhere/cmgate.db"));
    for arguments in [&["server"][..], &["relay", "allow-empty-topic"], &["tail", "--shard", "x"]] {
        let output = env.run(&[], arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn an_unreachable_database_has_its_own_exit_code() {
    let env = TestEnv::new(TestDatabase::at(format!("postgres://u:{CANARY}@{CLOSED_PORT}/x")));
    let output = env.run(&[], &["serve"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert_silent_about_secrets(&output);
}

/// The message names the database, the user and the cause.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_a_database_that_cannot_be_opened_names_it() {
    let database = TestDatabase::postgres().await;
    let options = PgConnectOptions::from_str(database.url()).unwrap();
    let (host, port, name) = (options.get_host(), options.get_port(), options.get_database().unwrap());
    let stranger = format!("stranger_{}", Uuid::new_v4().simple());
    database.execute(&format!("CREATE ROLE {stranger} LOGIN")).await;
    let file = TestDatabase::sqlite();
    fs::write(file.path(), "no database, only a text that is long enough to be taken for the header of one".repeat(9))
        .unwrap();
    let directory = file.path().parent().unwrap().display();
    let text = file.path().display();
    let at_server = |user: &str, name: &str| format!("postgres://{user}@{host}:{port}/{name}");
    for (url, code, sentence) in [
        (
            at_server("postgres", "nothing"),
            64,
            format!(
                "cannot open database nothing at {host}:{port} as user postgres: error returned from database: database"
            ),
        ),
        (
            at_server("nobody", name),
            77,
            format!("cannot open database {name} at {host}:{port} as user nobody: error returned"),
        ),
        (
            at_server(&stranger, name),
            77,
            format!(
                "cannot open database {name} at {host}:{port} as user {stranger}: error returned from database: permission denied"
            ),
        ),
        ("postgres://u@127.0.0.1:1/x".to_owned(), 69, "cannot open database x at 127.0.0.1:1 as user u: ".to_owned()),
        (format!("sqlite://{directory}"), 64, format!("cannot use {directory}: ")),
        (format!("sqlite://{text}"), 64, format!("cannot open the SQLite file {text}: ")),
    ] {
        let output = TestEnv::new(TestDatabase::at(&*url)).run(&[QUIET], &["migrate"]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{url}: {message}");
        assert!(
            message.starts_with(&format!("cmgate: {sentence}")) && message.lines().count() == 1,
            "{url}: {message}"
        );
    }
    database.execute(&format!("DROP ROLE {stranger}")).await;
}

/// Processes that start together on an empty database all come up, on both stores.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_all_come_up() {
    for _ in 0..8 {
        for env in [TestEnv::postgres().await, TestEnv::sqlite()] {
            let starts: Vec<_> = (0..3)
                .map(|_| {
                    let env = env.clone();
                    spawn_blocking(move || env.run(&[QUIET], &["migrate"]))
                })
                .collect();
            for output in join_all(starts).await {
                let output = output.unwrap();
                assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_another_topology_or_a_newer_schema_is_refused() {
    a_database_that_does_not_fit(&TestEnv::postgres().await).await;
    a_database_that_does_not_fit(&TestEnv::sqlite()).await;
}

async fn a_database_that_does_not_fit(env: &TestEnv) {
    assert!(env.run(&[], &["migrate"]).status.success());
    for (name, value, other) in
        [("CMGATE__KAFKA__PARTITIONS", "4", "4 in 2"), ("CMGATE__KAFKA__PARTITION_GROUPS", "1", "8 in 1")]
    {
        let message = refusal(&env.run(&[(name, value), QUIET], &["serve"]));
        let sentence =
            format!("8 shards in 2 partition groups, but the configuration says {other}; both are fixed for the life");
        assert!(message.contains(&sentence), "{message}");
    }
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 SELECT 9999, 'later', success, checksum, execution_time FROM _sqlx_migrations LIMIT 1";
    env.database.execute(later).await;
    for command in ["serve", "migrate", "tail"] {
        let message = refusal(&env.run(&[QUIET], &[command]));
        assert_eq!(
            message, "the schema of the database is newer than this program: it has migration 9999",
            "{command}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_may_lose_commits_is_refused() {
    let env = TestEnv::postgres().await;
    let set =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
    env.database.execute(set).await;
    let message = refusal(&env.run(&[QUIET], &["serve"]));
    assert_eq!(message, "synchronous_commit must be on or remote_apply for this role and database; it is off");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_printed() {
    let database = TestDatabase::postgres().await;
    // The server requires no password, so it accepts this one.
    let url = database.url().replacen("postgres@", &format!("postgres:{CANARY}@"), 1);
    assert!(url.contains(CANARY), "{}", postgres());
    let env = TestEnv::new(TestDatabase::at(url));
    let secret = [("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD", CANARY), ("CMGATE__LOG__FILTER", "debug")];

    let shown = env.run(&secret, &["check-config"]);
    assert!(shown.status.success(), "{shown:?}");
    assert_silent_about_secrets(&shown);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("postgres:***@") && shown.contains("\"sasl.password\" = \"***\""), "{shown}");

    let mut instance = env.start_with(&secret);
    create_many(&mut instance.client(), 1).await;
    assert!(instance.terminate().success());
    let log = instance.log();
    assert!(log.contains("stopped") && !log.contains(CANARY), "{log}");
    let refused = env.run(&[("CMGATE__KAFKA__PARTITIONS", "4"), secret[0], secret[1]], &["serve"]);
    assert_eq!(refused.status.code(), Some(64));
    assert_silent_about_secrets(&refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_creates_the_schema_and_can_be_repeated() {
    let env = TestEnv::postgres().await;
    for _ in 0..2 {
        let output = env.run(&[QUIET], &["migrate"]);
        assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(env.database.count("event_head").await, 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_each_event_once_with_its_position() {
    let env = TestEnv::sqlite();
    let mut instance = env.start();
    let created = create_many(&mut instance.client(), 30).await;
    assert!(instance.terminate().success());

    let printed = printed_events(&env, &[]);
    assert_eq!(printed.len(), created.len());
    let mut by_shard = vec![Vec::new(); 8];
    for event in &printed {
        let (shard, position) = placed(event);
        assert_eq!(position, by_shard[shard].len() as u64 + 1, "positions are 1, 2, 3, ... in each shard: {event}");
        by_shard[shard].push(event);
        assert_eq!((&event["type"], &event["request"]["version"]), (&"REQUEST_EVENT_TYPE_CREATED".into(), &1.into()));
    }
    for request in created {
        assert_eq!(printed.iter().filter(|event| event["request"]["id"] == request.id).count(), 1, "{}", request.id);
    }

    let (shard, events) = by_shard.iter().enumerate().max_by_key(|(_, events)| events.len()).unwrap();
    let some = printed_events(&env, &["--shard", &shard.to_string(), "--from", "2"]);
    assert_eq!(some.iter().collect::<Vec<&Value>>(), events[1..]);
    let message = refusal(&env.run(&[QUIET], &["tail", "--no-follow", "--shard", "8"]));
    assert_eq!(message, "there is no shard 8; the log has shards 0 to 7");
}

/// Keeps standard error free of everything but the sentence.
const QUIET: (&str, &str) = ("CMGATE__LOG__FILTER", "error");

/// The one sentence of a command that is refused with exit code 64.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    let sentence = message.strip_prefix("cmgate: ").and_then(|message| message.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("one line, not {message}"));
    assert!(!sentence.contains('\n'), "one line, not {message}");
    sentence.to_owned()
}

/// Fails if the output of a command contains the password.
fn assert_silent_about_secrets(output: &Output) {
    let printed = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    assert!(!printed.is_empty() && !printed.contains(CANARY), "{printed}");
}

/// Shard and position of a printed event.
fn placed(event: &Value) -> (usize, u64) {
    let shard = event["shard"].as_u64().unwrap().try_into().unwrap();
    // 64-bit numbers are strings in the JSON form of protobuf.
    (shard, event["position"].as_str().unwrap().parse().unwrap())
}
