//! Mistakes of an operator: each ends the program before it serves, with one sentence that names what is wrong and no cause twice, and
//! with an exit code that says who can help.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::CANARY;
use crate::support::database::TestDatabase;
use crate::support::servers::postgres_address;

const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates");
const ISSUER: &str =
    "[[auth.jwt]]\nname = 'a'\nissuers = ['https://a']\njwks_file = 'DIR/jwks.json'\naudiences = ['cmgate']\n";
/// A key set of one key, the example of RFC 8037 (A.2).
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// In place of a variable: the name of the file that `--config` names.
const FILE: &str = "--config";
const PRODUCTION: &str = "mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://u@h/x'\n";

/// A directory with files that are wrong in one way or another.
fn site() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("text", "neither PEM nor JSON");
    write("closed.toml", "mode = 'development'");
    for name in ["empty", "bad", "closed", "open"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    fs::set_permissions(directory.path().join("open"), fs::Permissions::from_mode(0o777)).unwrap();
    write("bad/a.toml", "uuid = '97cd65fa-af4b-4587-9309-0dd6bfd8b4e1'\nname = 'x'\nmedium = 'paper'\n");
    for closed in ["closed.toml", "closed"] {
        fs::set_permissions(directory.path().join(closed), fs::Permissions::from_mode(0o000)).unwrap();
    }
    // Others may look for the files that they may read.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Fills in the names that tables use: the directory of the site, a password, and parts of configurations.
fn filled(text: &str, site: &Path) -> String {
    let text = text.replace("PRODUCTION", PRODUCTION).replace("ISSUER", ISSUER).replace("CANARY", CANARY);
    text.replace("DIR", site.to_str().unwrap())
}

/// Runs a command with a configuration file. The program runs without the rights of root.
fn run(site: &Path, file: &str, environment: &[(&str, &str)], command: &str) -> Output {
    let text = filled(file, site);
    let path = site.join("cmgate.toml");
    fs::write(&path, &text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_cmgate"));
    program.current_dir("/").env("CMGATE__LOG__FILTER", "error").env("CMGATE__TEMPLATES", TEMPLATES);
    program.env("CMGATE__LISTEN", "127.0.0.1:0").env("CMGATE__ADMIN_LISTEN", "127.0.0.1:0");
    for name in text.lines().filter_map(|line| line.split(" = ").next()) {
        // The file has the word on what it sets.
        program.env_remove(format!("CMGATE__{}", name.to_ascii_uppercase()));
    }
    for (name, value) in environment.iter().filter(|(name, _)| *name != FILE) {
        program.env(name, filled(value, site));
    }
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        program.uid(65_534);
    }
    let config = environment.iter().find(|(name, _)| *name == FILE).map(|(_, path)| site.join(path));
    program.arg("--config").arg(config.unwrap_or(path)).arg(command).output().unwrap()
}

/// Fails unless the program ended with this code and one sentence that begins so.
fn assert_refused(output: &Output, code: i32, begin: &str, what: &str) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{what}: {message}");
    let sentence = message.strip_prefix("cmgate: ").and_then(|message| message.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("{what}: one sentence, not {message:?}"));
    assert!(sentence.starts_with(begin) && !sentence.contains('\n'), "{what}: {sentence}");
    let mut causes: Vec<&str> = sentence.split(": ").collect();
    let all = causes.len();
    causes.sort_unstable();
    causes.dedup();
    assert_eq!(causes.len(), all, "{what}: a cause twice: {sentence}");
    assert!(!sentence.contains(CANARY) && output.stdout.is_empty(), "{what}: {output:?}");
}

/// What is wrong, the configuration file, the exit code, and the begin of the sentence.
type Mistake = (&'static str, &'static str, i32, &'static str);

/// Mistakes in the file, which `check-config` finds as `serve` does.
const IN_THE_FILE: [Mistake; 35] = [
    ("misspelled key", "lisen = 1", 64, "lisen is not a known key; known are mode, listen, "),
    ("key of another section", "[kafka]\nurl = 'x'", 64, "kafka.url is not a known key; "),
    ("no TOML", "mode = development", 64, "DIR/cmgate.toml, line 1: "),
    ("unknown mode", "mode = 'prod'", 64, "mode must be \"development\" or \"production\", not \"prod\""),
    ("address without port", "listen = '127.0.0.1'", 64, "listen must be an IP address and a port"),
    ("open development", "listen = '0.0.0.0:1'", 64, "listen must be a loopback address such as"),
    ("one port for both", "listen = '[::1]:1'\nadmin_listen = '[::1]:1'", 64, "admin_listen must differ"),
    ("other database", "database.url = 'mysql://u:CANARY@h/x'", 64, "database.url must be a URL that"),
    ("no database name", "database.url = 'postgres://u:CANARY@h'", 64, "database.url must name a database, such as"),
    ("several hosts", "database.url = 'postgres://u:CANARY@a,b/x'", 64, "database.url must name one host; "),
    (
        "slash in a password",
        "database.url = 'postgres://u:CANARY/x@h/x'",
        64,
        "database.url is not a URL of Postgres: ",
    ),
    ("broker without port", "kafka.brokers = 'a'", 64, "kafka.brokers must be a list such as host1"),
    ("topic", "kafka.topic = 'a b'", 64, "kafka.topic must be 1 to 249 letters"),
    ("unknown property", "kafka.properties.x.y = 1", 64, "kafka.properties: librdkafka says: No such configuration"),
    (
        "bad property",
        "kafka.properties.compression.type = 'CANARY'",
        64,
        "kafka.properties: librdkafka says: Invalid value",
    ),
    (
        "property of another build",
        "[kafka]\nbrokers = 'a:1'\nproperties.security.protocol = 'ssl'",
        64,
        "kafka.properties: ",
    ),
    ("reserved property", "kafka.properties.acks = 1", 64, "kafka.properties must not set \"acks\""),
    ("no templates", "templates = '/no'", 64, "cannot read the templates in /no: No such file"),
    ("closed templates", "templates = 'DIR/closed'", 77, "cannot read the templates in DIR/closed: Permission denied"),
    ("empty templates", "templates = 'DIR/empty'", 64, "the templates directory DIR/empty contains no *.toml file"),
    ("wrong template", "templates = 'DIR/bad'", 64, "DIR/bad/a.toml: medium must be"),
    ("production without proof", "PRODUCTION", 64, "auth is required in production: add an [[auth.jwt]]"),
    (
        "production on SQLite",
        "mode = 'production'\nkafka.brokers = 'a:1'\nISSUER",
        64,
        "database.url is sqlite://data/cmgate.db and must begin with postgres:// in production; set ",
    ),
    ("production without brokers", "mode = 'production'\nISSUER", 64, "kafka.brokers is required in production"),
    (
        "production without TLS",
        "listen = '0.0.0.0:1'\nPRODUCTIONISSUER",
        64,
        "listen is 0.0.0.0:1, which other machines reach: set tls.certificate",
    ),
    (
        "production with the demo",
        "PRODUCTION[[auth.jwt]]\nname = 'a'\nissuers = ['urn:cmgate:demo']\njwks_file = '/no'\naudiences = ['a']",
        64,
        "auth.jwt[0].issuers must not contain urn:cmgate:demo in production",
    ),
    ("key without certificate", "tls.key = '/no'", 64, "tls.certificate is required with tls.key"),
    (
        "no certificate",
        "tls.certificate = '/no'\ntls.key = '/no'",
        64,
        "tls.certificate: cannot read /no: No such file",
    ),
    (
        "closed certificate",
        "tls.certificate = 'DIR/closed.toml'\ntls.key = '/no'",
        77,
        "tls.certificate: cannot read DIR/closed.toml: Permission denied",
    ),
    (
        "no PEM",
        "tls.certificate = 'DIR/text'\ntls.key = 'DIR/text'",
        64,
        "tls.certificate: DIR/text contains no certificate",
    ),
    ("no key set", "ISSUER", 64, "auth.jwt[0] (a): cannot read DIR/jwks.json: No such file"),
    (
        "no keys",
        "[[auth.jwt]]\nname = 'a'\nissuers = ['b']\njwks_file = 'DIR/text'\naudiences = ['c']",
        64,
        "auth.jwt[0] (a): ",
    ),
    ("two sources of keys", "ISSUERdiscovery = 'https://a'", 64, "auth.jwt[0].discovery must be set, or"),
    (
        "no client CA",
        "[tls]\ncertificate = 'a'\nkey = 'b'\nclient_certificates = 'optional'",
        64,
        "tls.client_ca is required",
    ),
    ("duration without unit", "shutdown.grace = '20'", 64, "shutdown.grace must be a duration such as 500ms"),
];

#[test]
fn a_mistake_in_the_file_is_a_sentence() {
    let site = site();
    for (what, file, code, begin) in IN_THE_FILE {
        for command in ["check-config", "serve"] {
            let output = run(site.path(), file, &[], command);
            assert_refused(&output, code, &filled(begin, site.path()), &format!("{command}, {what}"));
        }
    }
}

/// Mistakes in the environment: the variable, its value, the exit code, and the begin of the sentence.
#[test]
fn a_mistake_in_the_environment_is_a_sentence() {
    let site = site();
    for (name, value, code, begin) in [
        ("CMGATE__DATABASE__URI", "CANARY", 64, "database.uri is not a known key; known are url"),
        ("CMGATE__DATABASE", "CANARY", 64, "database must be the section Database"),
        ("CMGATE__", "x", 64, "the environment variable CMGATE__ does not name a setting"),
        ("CMGATE__MODE", "production", 64, "auth is required in production"),
        ("CMGATE_DEFAULTS", "/no.toml", 64, "cannot read the configuration file /no.toml: No such file"),
        (
            "CMGATE_DEFAULTS",
            "DIR/closed.toml",
            77,
            "cannot read the configuration file DIR/closed.toml: Permission denied",
        ),
        (FILE, "no.toml", 64, "cannot read the configuration file DIR/no.toml: No such file"),
        (FILE, "closed.toml", 77, "cannot read the configuration file DIR/closed.toml: Permission denied"),
    ] {
        for command in ["check-config", "serve"] {
            let output = run(site.path(), "", &[(name, value)], command);
            assert_refused(&output, code, &filled(begin, site.path()), &format!("{command}, {name}={value}"));
        }
    }
}

/// Mistakes that only the attempt to serve shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_about_the_surroundings_is_a_sentence() {
    let site = site();
    let database = TestDatabase::postgres().await;
    let name = database.url().rsplit('/').next().unwrap().split('?').next().unwrap();
    let postgres = postgres_address();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let opened = "cannot open database";
    for (url, code, begin) in [
        ("postgres://u:CANARY@127.0.0.1:1/x".to_owned(), 69, format!("{opened} x at 127.0.0.1:1 as user u: ")),
        ("postgres://u:CANARY@no.invalid/x".to_owned(), 69, format!("{opened} x at no.invalid:5432 as user u: ")),
        (format!("postgres://postgres@{postgres}/no"), 64, format!("{opened} no at {postgres} as user postgres: ")),
        (format!("postgres://no:CANARY@{postgres}/{name}"), 77, format!("{opened} {name} at {postgres} as user no: ")),
        ("sqlite://DIR".to_owned(), 64, "cannot use DIR: Is a directory".to_owned()),
        ("sqlite://DIR/closed/x.db".to_owned(), 77, "cannot use DIR/closed/x.db: Permission denied".to_owned()),
    ] {
        let output = run(site.path(), &format!("database.url = '{url}'"), &[], "serve");
        assert_refused(&output, code, &filled(&begin, site.path()), &url);
    }
    for key in ["listen", "admin_listen"] {
        let file = format!("database.url = 'sqlite://DIR/open/x.db'\n{key} = '{taken}'");
        let begin = format!("{key}: cannot listen on {taken}: Address already in use");
        assert_refused(&run(site.path(), &file, &[], "serve"), 69, &begin, key);
    }
    let elsewhere = "database.url = 'sqlite://DIR/open/x.db'\nadmin_listen = '192.0.2.1:9090'\nISSUER";
    fs::write(site.path().join("jwks.json"), KEYS).unwrap();
    let begin = "admin_listen: cannot listen on 192.0.2.1:9090: Cannot assign requested address";
    assert_refused(&run(site.path(), elsewhere, &[], "serve"), 64, begin, "an address of another machine");
    let long = "x".repeat(200);
    let output = run(site.path(), "", &[("NOTIFY_SOCKET", &long)], "serve");
    assert_refused(&output, 64, "NOTIFY_SOCKET: path must be shorter than", "the socket of the supervisor");
}

/// A variable with single underscores changes nothing, so it is named in a warning.
#[test]
fn a_variable_that_is_ignored_is_named() {
    let site = site();
    let output = run(site.path(), "", &[("CMGATE_DATABASE_URL", CANARY)], "check-config");
    assert!(output.status.success(), "{output:?}");
    let warning = "cmgate: warning: the environment variable CMGATE_DATABASE_URL is ignored; two underscores separate the keys of a \
                   setting: CMGATE__DATABASE__URL\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), warning);
}
