//! `cmgate doctor` against a real Postgres and a real Kafka: a healthy system, each fault with its line, and nothing written.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::str::FromStr;

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::support::database::TestDatabase;
use crate::support::doctor::{Findings, MARK, doctor};
use crate::support::env::TestEnv;
use crate::support::kafka::{delete_topic, make_topic, partitions};
use crate::support::servers::{CLOSED_PORT, kafka_with_password};

const URL: &str = "CMGATE__DATABASE__URL";
const BROKERS: &str = "CMGATE__KAFKA__BROKERS";

fn on(url: impl Into<String>) -> TestEnv {
    TestEnv::new(TestDatabase::at(url))
}

/// Leaves Kafka out of a test of something else.
fn without_kafka(env: &TestEnv, settings: &[(&str, &str)]) -> Findings {
    doctor(env, &[&[(BROKERS, "")], settings].concat(), &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_before_and_after_its_first_start() {
    let env = TestEnv::postgres().await;
    let fresh = doctor(&env, &[], &[]);
    fresh.assert_healthy();
    fresh.assert_line("ok", "configuration: mode development, callers need no proof, listens on 127.0.0.1:");
    fresh.assert_line("ok", "templates: ");
    fresh.assert_line("ok", "database: database cmgate_");
    fresh.assert_line("warning", "database schema: there is none yet -> ");
    fresh.assert_line("ok", "kafka brokers: cluster ");
    fresh.assert_line("warning", &format!("kafka topic: topic {} does not exist yet -> create it, or let", env.topic));
    fresh.assert_line("ok", "clock (database): ");
    // Nothing was created.
    let tables = env.database.count("pg_catalog.pg_tables WHERE schemaname = 'public'").await;
    assert_eq!((tables, partitions(&env.topic).await), (0, 0));

    env.publish_some().await;
    let started = doctor(&env, &[], &[]);
    started.assert_healthy();
    // The other tests use connections, too.
    let others = started.lines("warning").into_iter().filter(|line| !line.contains("database connections: "));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
    for line in [
        "database schema: up to date",
        "database rights: the role may read, write and migrate",
        &format!("kafka topic: {}, 8 partitions", env.topic),
        "kafka transactions: allowed",
        "kafka replication: 1 replica, min.insync.replicas 1",
        "kafka rights: the account may read and write the topic",
        "kafka topic settings: events are kept for ",
    ] {
        started.assert_line("ok", line);
    }
    let json = doctor(&env, &[], &["--json"]);
    json.assert_healthy();
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["faults"], &json["warnings"]), (&0.into(), &0.into()));
    assert_eq!(json["findings"].as_array().unwrap().len(), started.stdout.lines().count());
    // The relay goes on as if nobody had looked.
    env.audit_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_is_examined_and_not_created() {
    let env = TestEnv::sqlite();
    let fresh = without_kafka(&env, &[]);
    fresh.assert_healthy();
    fresh.assert_line("ok", "kafka brokers: kafka.brokers is empty: a test broker in the process");
    fresh.assert_line("warning", "database schema: there is none yet");
    assert!(!env.database.path().exists());
    assert!(env.run(&[], &["migrate"]).status.success());
    let files = || fs::read_dir(env.database.path().parent().unwrap()).unwrap().count();
    let before = (files(), fs::read(env.database.path()).unwrap());
    let migrated = without_kafka(&env, &[]);
    migrated.assert_healthy();
    migrated.assert_line("ok", "database schema: up to date");
    assert_eq!((files(), fs::read(env.database.path()).unwrap()), before);
    without_kafka(&env, &[("CMGATE__KAFKA__PARTITIONS", "4")])
        .assert_only_fault("database: the database was created with 8 shards in 2 partition groups");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_database_that_cannot_be_opened_has_its_line() {
    let database = TestDatabase::postgres().await;
    let options = PgConnectOptions::from_str(database.url()).unwrap();
    let (host, port, name) = (options.get_host(), options.get_port(), options.get_database().unwrap());
    // The server asks this role for its password, and no other.
    let role = "with_password";
    database.execute("DROP ROLE IF EXISTS with_password").await;
    database.execute("CREATE ROLE with_password LOGIN PASSWORD 'right'").await;
    let text = TestDatabase::sqlite();
    fs::write(text.path(), "no database, only a text that is long enough for the header of one".repeat(9)).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    for (url, begin) in [
        (
            format!("postgres://{role}:{MARK}@{host}:{port}/{name}"),
            format!(
                "database: cannot open database {name} at {host}:{port} as user {role}: error returned from database: password"
            ),
        ),
        (
            format!("postgres://nobody:{MARK}@{host}:{port}/{name}"),
            format!("database: cannot open database {name} at {host}:{port} as user nobody: error returned"),
        ),
        (
            format!("postgres://postgres@{host}:{port}/nothing"),
            format!("database: cannot open database nothing at {host}:{port} as user postgres: error returned"),
        ),
        (
            format!("postgres://u:{MARK}@{CLOSED_PORT}/x"),
            format!("database: cannot open database x at {CLOSED_PORT} as user u: "),
        ),
        (format!("postgres://u:{MARK}@127.0.0.1:{silent_port}/x"), "database: ".to_owned()),
        (format!("sqlite://{}", text.path().display()), "database: cannot open the SQLite file ".to_owned()),
        (format!("sqlite://{}", text.path().parent().unwrap().display()), "database: cannot use ".to_owned()),
    ] {
        without_kafka(&on(url), &[]).assert_only_fault(&begin);
    }
    let good = on(format!("postgres://{role}:right@{host}:{port}/{name}"));
    without_kafka(&good, &[]).assert_line("ok", "database: ");
    database.execute("DROP ROLE with_password").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_database_that_does_not_fit_has_its_line() {
    let env = TestEnv::postgres().await;
    assert!(env.run(&[], &["migrate"]).status.success());
    let joint = if env.database.url().contains('?') { '&' } else { '?' };
    let writable = TestDatabase::at(format!("{}{joint}options[default_transaction_read_only]=off", env.database.url()));
    let set = |setting: &str| {
        format!("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$")
    };
    let reset = |name: &str| {
        format!("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET {name}', current_database()); END $$")
    };
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 SELECT 9999, 'later', success, checksum, execution_time FROM _sqlx_migrations LIMIT 1";
    for (harm, repair, begin) in [
        (
            set("synchronous_commit = off"),
            reset("synchronous_commit"),
            "database: synchronous_commit must be on or remote_apply for this role and database; it is off",
        ),
        (
            set("default_transaction_read_only = on"),
            reset("default_transaction_read_only"),
            "database: it does not accept writes: default_transaction_read_only is on",
        ),
        (
            later.to_owned(),
            "DELETE FROM _sqlx_migrations WHERE version = 9999".to_owned(),
            "database schema: it is newer than this program: it has migration 9999",
        ),
        (
            "UPDATE _sqlx_migrations SET success = false".to_owned(),
            "UPDATE _sqlx_migrations SET success = true".to_owned(),
            "database schema: migration 1 was applied with another text, or failed halfway",
        ),
    ] {
        env.database.execute(&harm).await;
        without_kafka(&env, &[]).assert_only_fault(begin);
        writable.execute(&repair).await;
        without_kafka(&env, &[]).assert_healthy();
    }
    without_kafka(&env, &[("CMGATE__KAFKA__PARTITION_GROUPS", "1")]).assert_only_fault(
        "database: the database was created with 8 shards in 2 partition groups, but the configuration says 8 in 1",
    );
    env.database.execute(&set("default_transaction_isolation = serializable")).await;
    let found = without_kafka(&env, &[]);
    assert!(found.stdout.contains("default isolation serializable"), "{}", found.stdout);

    // A role that may log in and nothing else, then one that may use the tables of another owner.
    let role = format!("stranger_{}", Uuid::new_v4().simple());
    env.database.execute(&format!("CREATE ROLE {role} LOGIN")).await;
    let stranger = on(env.database.url().replacen("postgres@", &format!("{role}@"), 1));
    let found = without_kafka(&stranger, &[]);
    found.assert_line("fault", "database schema: the role may not read the table _sqlx_migrations");
    found.assert_line("fault", "database rights: the role may not read and write ");
    env.database.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")).await;
    let found = without_kafka(&stranger, &[]);
    found.assert_healthy();
    found.assert_line("warning", "database rights: the role may not execute add_log_partition");
    env.database.execute(&format!("GRANT EXECUTE ON FUNCTION add_log_partition TO {role}")).await;
    without_kafka(&stranger, &[]).assert_line("ok", "database rights: the role may read and write, but not migrate");
    env.database.execute(&format!("DROP OWNED BY {role}")).await;
    env.database.execute(&format!("DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_kafka_has_its_line() {
    let env = TestEnv::sqlite();
    doctor(&env, &[(BROKERS, CLOSED_PORT)], &[]).assert_only_fault(&format!(
        "kafka brokers: Kafka did not describe the topic: {CLOSED_PORT}: Connection refused"
    ));
    let two = format!("{},{CLOSED_PORT}", crate::support::servers::kafka());
    let found = doctor(&env, &[(BROKERS, &two)], &[]);
    found.assert_healthy();
    found.assert_line("warning", &format!("kafka brokers: {CLOSED_PORT} does not answer: Connection refused"));

    let (listener, mut properties) = kafka_with_password();
    let brokers = [(BROKERS, listener.as_str())];
    doctor(&env, &[&brokers[..], &properties].concat(), &[]).assert_healthy();
    properties[3].1 = MARK;
    let wrong = doctor(&env, &[&brokers[..], &properties].concat(), &[]);
    wrong.assert_only_fault(&format!("kafka brokers: Kafka did not describe the topic: {listener}: "));
    // With SASL mechanisms that only librdkafka knows, it tells less.
    properties[1].1 = "SCRAM-SHA-256";
    doctor(&env, &[&brokers[..], &properties].concat(), &[]).assert_only_fault("kafka brokers: ");

    // The brokers of the tests abort a transaction after a minute.
    doctor(&env, &[("CMGATE__KAFKA__TRANSACTION_TIMEOUT", "2m")], &[])
        .assert_only_fault("kafka transactions: kafka.transaction_timeout is 120s, the brokers allow 60s");

    make_topic(&env.topic, 3).await;
    doctor(&env, &[], &[]).assert_only_fault(&format!("kafka topic: topic {} has 3 partitions", env.topic));
    delete_topic(&env.topic).await;

    let published = TestEnv::sqlite();
    published.publish_some().await;
    doctor(&published, &[], &[]).assert_healthy();
    let other = [("CMGATE__KAFKA__TOPIC", env.topic.as_str())];
    doctor(&published, &other, &[])
        .assert_only_fault(&format!("kafka topic: this database publishes to topic {}", published.topic));
    delete_topic(&published.topic).await;
    doctor(&published, &[], &[])
        .assert_only_fault(&format!("kafka topic: topic {} does not exist, but events were", published.topic));
    make_topic(&published.topic, 8).await;
    doctor(&published, &[], &[])
        .assert_only_fault(&format!("kafka topic: topic {} was deleted and created again", published.topic));
}

#[test]
fn every_problem_of_the_configuration_has_a_line() {
    let env = TestEnv::sqlite();
    let settings = [
        ("CMGATE__LISTENING", "x"),
        ("CMGATE__SHUTDOWN__GRACE", "soon"),
        ("CMGATE__WRITER__WORKERS", "many"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD", MARK),
    ];
    let found = doctor(&env, &settings, &[]);
    found.assert_faulty();
    assert_eq!(found.lines("fault").len(), 3, "{}", found.stdout);
    found.assert_line("fault", "configuration: listening is not a known key");
    found.assert_line("fault", "configuration: shutdown.grace must be a duration");
    found.assert_line("fault", "configuration: writer.workers must be a whole number");
    let templates = doctor(&env, &[(BROKERS, ""), ("CMGATE__TEMPLATES", "nowhere")], &[]);
    templates.assert_only_fault("templates: cannot read the templates in nowhere");
}

/// `doctor` fails if the mark of a secret appears in its output.
#[test]
fn no_secret_is_shown_whatever_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let password = write("password", MARK);
    let url = format!("postgres://u:{MARK}@{CLOSED_PORT}/x?password={MARK}&sslpassword={MARK}");
    let key = write("key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----\n"));
    let token = write("token", &format!("a.b.{MARK}"));
    let settings = [
        (URL, url.as_str()),
        (BROKERS, CLOSED_PORT),
        ("CMGATE__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "sasl_plaintext"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_MECHANISM", "PLAIN"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_USERNAME", "u"),
        ("CMGATE__KAFKA__PROPERTIES_FILE__SASL_PASSWORD", password.as_str()),
        ("CMGATE__KAFKA__PROPERTIES__SSL_KEY_PASSWORD", MARK),
        ("CMGATE__TLS__CERTIFICATE", key.as_str()),
        ("CMGATE__TLS__KEY", key.as_str()),
        ("CMGATE__AUTH__JWT__0__NAME", "a"),
        ("CMGATE__AUTH__JWT__0__ISSUERS", "https://a"),
        ("CMGATE__AUTH__JWT__0__JWKS_FILE", key.as_str()),
        ("CMGATE__AUTH__JWT__0__AUDIENCES", "x"),
    ];
    let env = TestEnv::sqlite();
    for arguments in [&[][..], &["--json"], &["token", &token], &["cert", &key], &["keytab"]] {
        doctor(&env, &settings, arguments).assert_faulty();
    }
    let everything = doctor(&env, &settings, &[]);
    for line in ["database: ", "kafka brokers: ", "tls: ", "auth.jwt[0] (a): "] {
        everything.assert_line("fault", line);
    }
    doctor(&env, &[&settings[..], &[("CMGATE__MODE", MARK.split_at(3).0)]].concat(), &[]).assert_faulty();
}

/// As Docker and Kubernetes mount secrets.
#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_the_database_is_read_from_a_file() {
    let database = TestDatabase::postgres().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = database.url().replacen("postgres@", &format!("postgres:{MARK}@"), 1);
    fs::write(&file, format!("{url}\n")).unwrap();
    let run = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_cmgate"));
        let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates");
        program.env("CMGATE__DATABASE__URL_FILE", file.path()).env("CMGATE__TEMPLATES", templates);
        program.args(arguments).output().unwrap()
    };
    assert!(run(&["migrate"]).status.success());
    assert_eq!(database.count("event_head").await, 8);
    let shown = run(&["check-config"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    let line = format!("url_file = \"{}\"", file.path().display());
    assert!(text.lines().any(|found| found == line) && !text.contains(MARK), "{text}");
    let both = TestEnv::new(database).run(&[("CMGATE__DATABASE__URL_FILE", file.path().to_str().unwrap())], &["serve"]);
    let told = String::from_utf8(both.stderr).unwrap();
    assert_eq!(both.status.code(), Some(64), "{told}");
    assert!(told.starts_with("cmgate: database.url_file must not be set beside database.url;"), "{told}");
}
