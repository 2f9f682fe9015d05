//! Sources of settings, their precedence, and what is refused before anything starts.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::{Config, LogFormat, Mode};
use crate::domain::ShardCount;

const CANARY: &str = "canary-7f3a";

/// An issuer of tokens, which production requires.
const ISSUER: &str =
    "[[auth.jwt]]\nname = 'a'\nissuers = ['https://a']\ndiscovery = 'https://a'\naudiences = ['cmgate']\n";

fn variables(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// Loads a configuration from the text of a file and environment variables.
pub(super) fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let path = NamedTempFile::new().unwrap();
    fs::write(&path, file).unwrap();
    Config::load(Some(path.path()), variables(environment)).map_err(|error| {
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
        error.to_string().replace(path.path().to_str().unwrap(), "FILE")
    })
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "listen = '127.0.0.1:1'\nadmin_listen = '127.0.0.1:2'\n[kafka]\npartitions = 4\npartition_groups = 3\n";
    let environment = [
        ("CMGATE__ADMIN_LISTEN", "[::1]:3"),
        ("CMGATE__KAFKA__PARTITION_GROUPS", "4"),
        ("CMGATE_LISTEN", "x"),
        ("PATH", "/bin"),
    ];
    let config = load(file, &environment).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:1");
    assert_eq!(config.admin_listen.to_string(), "[::1]:3");
    assert_eq!(config.kafka.partitions, ShardCount::new(4).unwrap());
    assert_eq!(config.kafka.partition_groups, 4);
    assert_eq!(config.kafka.topic, "cmgate.requests.events.v1");
}

#[test]
fn without_any_source_the_defaults_are_in_force() {
    let config = Config::load(None, []).unwrap();
    assert_eq!(config.render().unwrap(), Config::default().render().unwrap());
    assert_eq!(config.database.url.expose(), "sqlite://data/cmgate.db");
    assert_eq!(config.idempotency.keep, Duration::from_hours(24));
    assert_eq!(config.kafka.brokers(), None);
}

#[test]
fn production_has_its_own_defaults_and_needs_brokers() {
    const DATABASE: (&str, &str) = ("CMGATE__DATABASE__URL", "postgres://db/x");
    let config =
        load(&format!("mode = 'production'\nkafka.brokers = 'a:9092,[::1]:9093'\n{ISSUER}"), &[DATABASE]).unwrap();
    assert_eq!((config.mode, config.kafka.replication_factor), (Mode::Production, 3));
    assert_eq!((config.log.format, config.shutdown.delay), (LogFormat::Json, Duration::from_secs(5)));

    let own = "mode = 'production'\nlog.format = 'text'\nshutdown.delay = '0s'\n[kafka]\nbrokers = 'a:1'\nreplication_factor = 2";
    let config = load(&format!("{own}\n{ISSUER}"), &[DATABASE]).unwrap();
    assert_eq!((config.kafka.replication_factor, config.log.format), (2, LogFormat::Text));
    assert_eq!(config.shutdown.delay, Duration::ZERO);

    let refused = load(ISSUER, &[("CMGATE__MODE", "production")]).unwrap_err();
    assert_eq!(refused, "kafka.brokers is required in production, such as host1:9092,host2:9092");
}

#[test]
fn production_uses_sqlite_only_on_purpose() {
    let production = format!("mode = 'production'\nkafka.brokers = 'a:1'\n{ISSUER}");
    let refused = load(&production, &[]).unwrap_err();
    let sentence = "database.url is sqlite://data/cmgate.db and must begin with postgres:// in production; set \
                    database.allow_sqlite_in_production to use SQLite";
    assert_eq!(refused, sentence);
    load(&production, &[("CMGATE__DATABASE__ALLOW_SQLITE_IN_PRODUCTION", "true")]).unwrap();
    let refused = load("database.allow_sqlite_in_production = 1", &[]).unwrap_err();
    assert_eq!(refused, "database.allow_sqlite_in_production must be true or false, not \"1\" (from FILE)");
}

#[test]
fn the_file_of_defaults_ranks_below_the_file_and_the_environment() {
    let defaults = NamedTempFile::new().unwrap();
    let url = "sqlite:///var/lib/cmgate/cmgate.db";
    fs::write(&defaults, format!("templates = '/etc/a'\ndatabase.url = '{url}'\nwriter.workers = 2")).unwrap();
    let named = ("CMGATE_DEFAULTS", defaults.path().to_str().unwrap());
    let file = "database.url = 'postgres://db/x'\nwriter.workers = 3";
    let config = load(file, &[named, ("CMGATE__WRITER__WORKERS", "4")]).unwrap();
    assert_eq!(config.database.url.expose(), "postgres://db/x");
    assert_eq!((config.templates.to_str().unwrap(), config.writer.workers), ("/etc/a", 4));
    assert_eq!(Config::load(None, variables(&[named])).unwrap().database.url.expose(), url);

    fs::write(&defaults, "lisen = 1").unwrap();
    let refused = load("", &[named]).unwrap_err();
    assert!(refused.ends_with(&format!(" (from {})", named.1)), "{refused}");
    let refused = load("", &[("CMGATE_DEFAULTS", "no/such.toml")]).unwrap_err();
    assert_eq!(refused, "cannot read the configuration file no/such.toml");
}

#[test]
fn the_example_file_shows_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config.example.toml");
    let example = fs::read_to_string(path).unwrap();
    let put_in_force = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    let in_force: String = example.lines().map(put_in_force).collect();
    let defaults = Config::default().render().unwrap();

    let table = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(table(&in_force), table(&defaults));
    assert_eq!(load(&in_force, &[]).unwrap().render().unwrap(), defaults);
    assert_eq!(load(&example, &[]).unwrap().render().unwrap(), defaults);
}

#[test]
fn what_is_rendered_can_be_loaded() {
    let changed = "listen = '[::1]:1'\n[limits]\ncall_time = '90s'\n[database]\nurl = 'postgres://db/x'";
    let rendered = load(&format!("{changed}\n{ISSUER}"), &[]).unwrap().render().unwrap();
    assert_eq!(load(&rendered, &[]).unwrap().render().unwrap(), rendered);
}

#[test]
fn an_unknown_key_is_refused_with_its_source() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 5] = [
        ("lisen = 1", &[], "lisen is not a known key; known are mode, listen, ", " (from FILE)"),
        ("[kafka]\ntopics = 'x'", &[], "kafka.topics is not a known key; known are brokers, topic", "(from FILE)"),
        (
            "",
            &[("CMGATE__WRITER__WORKER", "1")],
            "writer.worker is not",
            "(from the environment variable CMGATE__WRITER__WORKER)",
        ),
        ("", &[("CMGATE__", "1")], "the environment variable CMGATE__ does not name a setting", ""),
        (
            "",
            &[("CMGATE__KAFKA____PARTITION_GROUPS", "1")],
            "the environment variable CMGATE__KAFKA____PARTITION_GROUPS does not name a setting",
            "",
        ),
    ];
    for (file, environment, begin, end) in cases {
        let refused = load(file, environment).unwrap_err();
        assert!(refused.starts_with(begin) && refused.ends_with(end), "{refused}");
    }
}

#[test]
fn a_bad_value_names_its_key_and_its_source() {
    let long_source = format!("kafka.source = '/{}'", "x".repeat(1_000));
    let cases = [
        ("mode = 'test'", "mode must be \"development\" or \"production\", not \"test\""),
        ("listen = 'localhost:8080'", "listen must be an IP address and a port, such as 127.0.0.1:8080, not"),
        (
            "listen = '0.0.0.0:8080'",
            "listen must be a loopback address such as 127.0.0.1:8080, not 0.0.0.0:8080: without an entry in auth",
        ),
        ("admin_listen = '0.0.0.0:1'", "admin_listen must be a loopback address"),
        ("listen = '[::]:1'", "listen must be a loopback address"),
        ("listen = '192.168.0.1:1'", "listen must be a loopback address"),
        ("listen = '[::ffff:10.0.0.1]:1'", "listen must be a loopback address"),
        ("admin_listen = '127.0.0.1:8080'", "admin_listen must differ from listen"),
        ("templates = ''", "templates must be a path"),
        ("database.url = 'mysql://x'", "database.url must be a URL that begins with postgres:// or sqlite://"),
        ("database.max_connections = 0", "database.max_connections must be 1 to 10000, not 0"),
        ("database.max_connections = -1", "database.max_connections must be a whole number"),
        ("database = 'x'", "database must be the section Database"),
        ("kafka.brokers = 'a:9092,b'", "kafka.brokers must be a list such as"),
        ("kafka.brokers = ['a:9092']", "kafka.brokers must be text"),
        ("kafka.topic = 'a b'", "kafka.topic must be 1 to 249 letters"),
        ("kafka.partitions = 1025", "kafka.partitions must be a whole number from 1 to 1024, not \"1025\""),
        ("kafka.partitions = 0", "kafka.partitions must be a whole number from 1 to 1024"),
        ("kafka.replication_factor = 0", "kafka.replication_factor must be 1 to 32767"),
        ("kafka.partition_groups = 9", "kafka.partition_groups must be 1 to 8, the number of partitions, not 9"),
        ("[kafka]\npartitions = 65\npartition_groups = 65", "kafka.partition_groups must be at most 64, not 65"),
        ("kafka.source = ''", "kafka.source must be a URI reference"),
        (&long_source, "kafka.source must have at most 1000 characters"),
        ("kafka.transaction_timeout = '16m'", "kafka.transaction_timeout must be 1s to 15m, not 16m"),
        ("kafka.properties.acks = 1", "kafka.properties must not set \"acks\""),
        ("kafka.properties.'enable.idempotence' = false", "kafka.properties must not set \"enable.idempotence\""),
        ("kafka.properties.max.in.flight = 9", "kafka.properties must not set \"max.in.flight\""),
        ("kafka.properties.transactional.id = 'x'", "kafka.properties must not set \"transactional.id\""),
        ("kafka.properties.isolation.level = 'x'", "kafka.properties must not set \"isolation.level\""),
        ("kafka.properties.x = [1]", "kafka.properties.x must be text, a number or a boolean"),
        ("development.user = 'dev'", "development.user must be a UUID, not \"dev\""),
        ("development.name = ' '", "development.name must be 1 to 256 characters"),
        ("development.sid = 'S-2'", "development.sid must be a security identifier (S-1-...), not \"S-2\""),
        ("service.sid = ''", "service.sid must be a security identifier"),
        ("idempotency.keep = '1s'", "idempotency.keep must be 1m to 365d, not 1s"),
        ("idempotency.keep = 24", "idempotency.keep must be a duration such as 500ms, 30s, 10m, 24h or 7d, not \"24\""),
        ("limits.message_bytes = 1", "limits.message_bytes must be 1024 to 67108864, not 1"),
        ("limits.call_time = '0s'", "limits.call_time must be 100ms to 1h, not 0ms"),
        ("limits.stall_time = '0s'", "limits.stall_time must be 100ms to 1h, not 0ms"),
        ("limits.connection_age = '500ms'", "limits.connection_age must be 1s to 7d, not 500ms"),
        ("limits.connections = 0", "limits.connections must be 1 to 1000000"),
        ("limits.memory_bytes = 8000000", "limits.memory_bytes must be 8388608 to 68719476736, not 8000000"),
        ("writer.workers = 65", "writer.workers must be 1 to 64, not 65"),
        ("writer.max_batch = 513", "writer.max_batch must be 1 to 512, not 513"),
        ("writer.max_waiting = 0", "writer.max_waiting must be 1 to 1000000"),
        ("shutdown.grace = '0s'", "shutdown.grace must be 1s to 1h"),
        ("log.format = 'yaml'", "log.format must be \"text\" or \"json\""),
        ("log.filter = 'cmgate=loud'", "log.filter must be a level"),
    ];
    for (file, begin) in cases {
        let refused = load(file, &[]).unwrap_err();
        assert!(refused.starts_with(begin) && refused.ends_with(" (from FILE)"), "{file}: {refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
}

#[test]
fn every_problem_is_found() {
    let examine = |file: &str, environment: &[(&str, &str)]| {
        let path = NamedTempFile::new().unwrap();
        fs::write(&path, file).unwrap();
        let problems = Config::examine(Some(path.path()), variables(environment)).unwrap_err();
        problems.iter().map(|problem| problem.to_string().split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let values = "mode = 'x'\nlisten = 'y'\nlisten_on = 1\n[kafka]\ntopics = 1\npartitions = 0\n[limits]\ncall_time = 1\n\
                  [[auth.jwt]]\nname = 'a'\n[[auth.certificate]]\nname = 'b'\nsource = 'c'";
    let mut found = examine(values, &[("CMGATE__", "x"), ("CMGATE__DATABASE__URL_FILE", "/nowhere")]);
    found.sort();
    let expected = [
        "auth.certificate[0].source",
        "auth.jwt[0]",
        "database.url_file",
        "kafka.partitions",
        "kafka.topics",
        "limits.call_time",
        "listen",
        "listen_on",
        "mode",
        "the",
    ];
    assert_eq!(found, expected);
    // What is left of a configuration with refused values is not checked: the missing values would be reported.
    assert_eq!(examine("mode = 'production'\nkafka.brokers = [1]", &[]), ["kafka.brokers"]);
    let sections =
        "mode = 'production'\nlisten = '0.0.0.0:1'\n[kafka]\ntopic = ''\n[writer]\nworkers = 0\n[tls]\nkey = 'a'";
    let expected =
        ["tls.certificate", "listen", "kafka.topic", "auth", "writer.workers", "kafka.brokers", "database.url"];
    assert_eq!(examine(sections, &[]), expected);
    assert_eq!(examine("x", &[("CMGATE__", "x")]).len(), 1);
}

#[test]
fn a_bad_variable_of_the_environment_is_named() {
    let refused = load("", &[("CMGATE__WRITER__WORKERS", "many")]).unwrap_err();
    let expected = "writer.workers must be a whole number up to 65535, not \"many\" \
                    (from the environment variable CMGATE__WRITER__WORKERS)";
    assert_eq!(refused, expected);
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_told() {
    let missing = Config::load(Some(Path::new("no/such/file.toml")), []).unwrap_err().to_string();
    assert_eq!(missing, "cannot read the configuration file no/such/file.toml");
    let broken = load("mode = 'development'\nlisten = \n", &[]).unwrap_err();
    assert!(broken.starts_with("FILE, line 2: "), "{broken}");
}

#[test]
fn properties_may_be_written_as_names_as_tables_or_as_variables() {
    let file =
        "[kafka.properties]\n'client.id' = 'a'\nsecurity.protocol = 'b'\nsocket.keepalive.enable = true\nx.y = 7";
    let environment = [
        ("CMGATE__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "sasl_plaintext"),
        ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD", "007"),
    ];
    let config = load(file, &environment).unwrap();
    let properties: Vec<_> = config.kafka.properties.expose().collect();
    let expected = [
        ("client.id", "a"),
        ("sasl.password", "007"),
        ("security.protocol", "sasl_plaintext"),
        ("socket.keepalive.enable", "true"),
        ("x.y", "7"),
    ];
    assert_eq!(properties, expected);
}

#[test]
fn secrets_are_never_shown() {
    let url = format!("postgres://u:{CANARY}@db/x");
    let file = format!("[database]\nurl = '{url}'\n[kafka.properties]\n'sasl.password' = '{CANARY}'");
    let config = load(&file, &[("CMGATE__KAFKA__PROPERTIES__SSL_KEY_PASSWORD", CANARY)]).unwrap();
    assert_eq!(config.database.url.expose(), url);
    let shown = [format!("{config:?}"), format!("{config:#?}"), config.render().unwrap()];
    for shown in shown {
        assert!(!shown.contains(CANARY) && shown.contains("postgres://u:***@db/x"), "{shown}");
        assert!(shown.contains("sasl.password") && shown.contains("ssl.key.password"), "{shown}");
    }
}

/// `load` checks both forms of each error for the canary.
#[test]
fn errors_do_not_hold_secrets() {
    let files = [
        format!("[database]\nurl = 'mysql://u:{CANARY}@db'"),
        format!("[database]\nurl = ['{CANARY}']"),
        format!("[database]\nurl = '{CANARY}"),
        format!("database = '{CANARY}'"),
        format!("database.url = {CANARY}"),
        format!("[kafka]\nproperties = '{CANARY}'"),
        format!("[kafka.properties]\n'sasl.password' = ['{CANARY}']"),
        format!("[kafka.properties]\n'transactional.id' = '{CANARY}'"),
        format!("kafka = ['{CANARY}']"),
    ];
    for file in files {
        let refused = load(&file, &[]).unwrap_err();
        assert!(!refused.contains(CANARY), "{refused}");
    }
    let refused = load("", &[("CMGATE__DATABASE__URL", CANARY)]).unwrap_err();
    assert!(!refused.contains(CANARY), "{refused}");
}

#[test]
fn production_is_encrypted_or_behind_a_proxy_unless_only_this_machine_connects() {
    let production = "mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n";
    let refused = load(&format!("{production}listen = '0.0.0.0:8080'"), &[]).unwrap_err();
    let sentence = "listen is 0.0.0.0:8080, which other machines reach: set tls.certificate and tls.key, or, if a proxy \
                    terminates TLS, its network in tls.terminated (from FILE)";
    assert_eq!(refused, sentence);
    let issuer = "[[auth.jwt]]\nname = 'a'\nissuers = 'b'\njwks_file = 'c'\naudiences = 'd'\n";
    for (listen, protection) in [
        ("127.0.0.1:1", ""),
        ("[::1]:1", ""),
        ("0.0.0.0:1", "certificate = 'a'\nkey = 'b'"),
        ("0.0.0.0:1", "terminated = '10.0.0.0/8'"),
    ] {
        load(&format!("{production}listen = '{listen}'\n{issuer}[tls]\n{protection}"), &[]).unwrap();
    }
}

#[test]
fn keys_of_tls_that_do_not_fit_together_are_refused() {
    let pair = "certificate = 'a'\nkey = 'b'\n";
    for (file, refused) in [
        ("[tls]\ncertificate = 'a'", "tls.key is required with tls.certificate"),
        ("[tls]\nkey = 'a'", "tls.certificate is required with tls.key"),
        ("[admin_tls]\nkey = 'a'", "admin_tls.certificate is required with admin_tls.key"),
        ("[tls]\nclient_certificates = 'optional'", "tls.client_certificates requires tls.certificate and tls.key"),
        (
            &format!("[tls]\n{pair}client_certificates = 'required'"),
            "tls.client_ca is required unless tls.client_certificates is \"off\"",
        ),
        (
            &format!("[tls]\n{pair}client_ca = 'c'"),
            "tls.client_ca has no effect while tls.client_certificates is \"off\"",
        ),
        (&format!("[tls]\n{pair}crl = 'c'"), "tls.crl has no effect while tls.client_certificates is \"off\""),
        (&format!("[tls]\n{pair}terminated = '10.0.0.0/8'"), "tls.terminated cannot be combined with tls.certificate"),
        ("[tls]\nterminated = '10.0.0.1/8'", "tls.terminated must be up to 64 IP networks such as 10.0.0.0/8"),
        ("[tls]\nmin_version = '1.1'", "tls.min_version must be \"1.2\" or \"1.3\", not \"1.1\""),
        ("[tls]\nreload_interval = '1ms'", "tls.reload_interval must be 100ms to 1d, not 1ms"),
    ] {
        let told = load(file, &[]).unwrap_err();
        assert!(told.starts_with(refused), "{told}");
    }
}
