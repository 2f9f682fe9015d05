//! The settings that result from the default configuration and from those of `deploy/`, value by value.

use std::ffi::OsString;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use http::HeaderName;

use super::*;
use crate::domain::ShardCount;
use crate::http::auth::ProofSettings;
use crate::http::auth::certificate::CaFilter;
use crate::http::auth::jwt::keys::{KeySource, Location};
use crate::http::auth::jwt::{ClaimMapping, Issuer, Requirement};
use crate::http::auth::proxy::{IdentityHeaders, ProxyCertificate, ProxyName, ProxySettings};
use crate::runtime::jwt::{Algorithm, ClaimEncoding, ClaimReader, KeyUse};
use crate::runtime::tls::{ClientSettings, MinVersion, RuleCa, TlsPort};
use crate::service::{CallerLimit, CallerLimitSettings, Rate};

fn deploy(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}

fn configured(file: Option<&Path>, environment: &[(&str, &str)]) -> Settings {
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::of(&Config::load(file, environment).unwrap())
}

/// The settings of a configuration file with this text.
pub(super) fn configured_by(text: &str) -> Settings {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    configured(Some(file.path()), &[])
}

/// The environment variables of the service in the compose file.
fn compose() -> Vec<(String, String)> {
    let text = fs::read_to_string(deploy("compose.yaml")).unwrap();
    let variables = text.lines().map(str::trim).filter(|line| line.starts_with("CMGATE__"));
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    variables.map(pair).collect()
}

fn assert_defaults(settings: &Settings) {
    assert_eq!(
        settings.log,
        LogSettings { format: LogFormat::Text, filter: "info".to_owned(), instance: String::new() }
    );
    assert_eq!((settings.shutdown.grace, settings.keep_keys), (Duration::from_secs(20), Duration::from_hours(24)));
    assert_eq!(settings.templates, Path::new("deploy/templates"));
    let StoreSettings::Sqlite(store) = &settings.store else { panic!("{:?}", settings.store) };
    assert_eq!(store.path, Path::new("data/cmgate.db"));
    assert_eq!(store.topology, Topology { shards: ShardCount::new(8).unwrap(), partition_groups: 2 });

    let RelaySettings { kafka, poll_interval } = &settings.relay;
    assert_eq!(*poll_interval, Duration::from_millis(100));
    assert_eq!((kafka.topic.as_str(), kafka.source.as_str()), ("cmgate.requests.events.v1", "/cmgate"));
    assert_eq!((kafka.partitions, kafka.replication_factor), (ShardCount::new(8).unwrap(), 1));
    assert_eq!((kafka.transaction_timeout, kafka.properties.len()), (Duration::from_secs(10), 0));
    assert!(settings.has_test_broker() && !kafka.is_volatile);

    let WriterSettings { workers, max_batch, max_waiting } = settings.writer;
    assert_eq!((workers, max_batch, max_waiting), (1, 512, 4_096));
    assert_eq!(settings.authority.account.to_string(), "S-1-5-21-2127521184-1604012920-1887927527-14134865");
    let AuthenticationSettings::Development(development) = &settings.authentication else {
        panic!("{:?}", settings.authentication)
    };
    assert_eq!(settings.authority.administrators, [Principal::User(development.default_caller().user)]);
    assert_eq!(development.default_caller().name, "dev");

    let rest = FacadeSettings { body_bytes: 1 << 20, descriptor_nul_tail: 0 };
    let max_duration = Duration::from_secs(30);
    let caller_limits = CallerLimitSettings::default();
    let api = ApiSettings {
        max_message_bytes: 1 << 20,
        max_duration,
        max_memory_bytes: 48 << 20,
        caller_limits,
        logged_successes: 1,
        rest,
    };
    assert_eq!(settings.api, api);
    let server = ServerSettings {
        name: "public",
        max_connections: 10_000,
        connection_age: Some(Duration::from_hours(1)),
        max_handshakes: 512,
        max_concurrent_streams: 1_000,
        head_timeout: Duration::from_secs(10),
        head_bytes: 16 << 10,
        body_bytes: 1 << 20,
        unread_timeout: Duration::from_secs(1),
        stall_timeout: Duration::from_secs(30),
        drain_timeout: Duration::from_secs(10),
    };
    assert_eq!(settings.server, server);
    assert_eq!((&settings.tls, &settings.admin_tls, settings.terminated.is_empty()), (&None, &None, true));
    assert_eq!(
        (settings.listen.to_string(), settings.admin_listen.to_string()),
        ("127.0.0.1:8080".to_owned(), "127.0.0.1:9090".to_owned())
    );
    assert!(settings.shows_examples);
}

#[test]
fn the_default_configuration_gives_the_documented_settings() {
    assert_defaults(&Settings::default());
    assert_defaults(&configured(Some(&deploy("config.example.toml")), &[]));
}

#[test]
fn the_compose_file_gives_postgres_and_a_broker() {
    let variables = compose();
    let mut variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let url = tempfile::NamedTempFile::new().unwrap();
    fs::write(&url, "postgres://cmgate:x@postgres/cmgate\n").unwrap();
    variables.push(("CMGATE__DATABASE__URL_FILE", url.path().to_str().unwrap()));
    let settings = configured(Some(&deploy("production.toml")), &variables);
    let StoreSettings::Postgres(store) = &settings.store else { panic!("{:?}", settings.store) };
    assert_eq!(store.url, "postgres://cmgate:x@postgres/cmgate");
    assert_eq!((settings.mode, settings.tls.is_some()), (Mode::Production, true));
    assert_eq!((store.max_connections, store.relay_connections), (16, 4));
    assert_eq!(settings.relay.kafka.brokers, "kafka:9092");
    assert_eq!(settings.relay.poll_interval, Duration::from_millis(2));
    assert_eq!((settings.relay.kafka.replication_factor, settings.writer.workers), (1, 4));
    assert!(!settings.has_test_broker());
}

#[test]
fn each_key_of_tls_reaches_its_port() {
    let settings = configured(
        None,
        &[
            ("CMGATE__TLS__CERTIFICATE", "a"),
            ("CMGATE__TLS__KEY", "b"),
            ("CMGATE__TLS__CLIENT_CA", "c"),
            ("CMGATE__TLS__CRL", "d"),
            ("CMGATE__TLS__MIN_VERSION", "1.3"),
            ("CMGATE__TLS__CLIENT_CERTIFICATES", "required"),
            ("CMGATE__TLS__CRL_EXPIRED", "refuse"),
            ("CMGATE__TLS__RELOAD_INTERVAL", "7s"),
            ("CMGATE__ADMIN_TLS__CERTIFICATE", "e"),
            ("CMGATE__ADMIN_TLS__KEY", "f"),
        ],
    );
    let clients = ClientSettings {
        ca: "c".into(),
        crl: Some("d".into()),
        rule_cas: Vec::new(),
        is_required: true,
        refuses_expired_crl: true,
    };
    let public = TlsSettings {
        port: TlsPort::Public,
        certificate: "a".into(),
        key: "b".into(),
        min_version: MinVersion::Tls13,
        clients: Some(clients),
        reload_interval: Duration::from_secs(7),
    };
    let admin =
        TlsSettings { port: TlsPort::Admin, certificate: "e".into(), key: "f".into(), clients: None, ..public.clone() };
    assert_eq!((settings.tls, settings.admin_tls), (Some(public), Some(admin)));
    let terminated = configured(None, &[("CMGATE__TLS__TERMINATED", "10.0.0.0/8")]).terminated;
    assert_eq!(terminated.to_string(), "10.0.0.0/8");
}

#[test]
fn each_key_reaches_its_part() {
    let settings = configured(
        None,
        &[
            ("CMGATE__MODE", "production"),
            ("CMGATE__LISTEN", "127.0.0.1:1"),
            ("CMGATE__ADMIN_LISTEN", "127.0.0.1:2"),
            ("CMGATE__DATABASE__URL", "postgres://u:canary@db/x"),
            ("CMGATE__DATABASE__MAX_CONNECTIONS", "3"),
            ("CMGATE__KAFKA__BROKERS", "a:1"),
            ("CMGATE__KAFKA__PARTITIONS", "32"),
            ("CMGATE__KAFKA__PARTITION_GROUPS", "16"),
            ("CMGATE__KAFKA__PROPERTIES__SASL_PASSWORD", "canary"),
            ("CMGATE__REST__DESCRIPTOR_NUL_TAIL", "6"),
            ("CMGATE__LIMITS__MESSAGE_BYTES", "2048"),
            ("CMGATE__LIMITS__CALL_TIME", "4s"),
            ("CMGATE__LIMITS__CONNECTIONS", "5"),
            ("CMGATE__LIMITS__STALL_TIME", "6s"),
            ("CMGATE__LIMITS__MEMORY_BYTES", "9000000"),
            ("CMGATE__WRITER__WORKERS", "7"),
            ("CMGATE__WRITER__MAX_BATCH", "8"),
            ("CMGATE__WRITER__MAX_WAITING", "9"),
            ("CMGATE__SHUTDOWN__GRACE", "10s"),
            ("CMGATE__IDEMPOTENCY__KEEP", "11m"),
            ("CMGATE__AUTH__JWT__0__NAME", "adfs"),
            ("CMGATE__AUTH__JWT__0__ISSUERS", "http://fs/trust"),
            ("CMGATE__AUTH__JWT__0__DISCOVERY", "https://fs/adfs"),
            ("CMGATE__AUTH__JWT__0__CA", "ca.pem"),
            ("CMGATE__LOG__INSTANCE", "node-1"),
            ("CMGATE__LOG__SAMPLE", "10"),
            ("CMGATE__LIMITS__CALLER__RATE", "12"),
            ("CMGATE__LIMITS__CALLER__BURST", "13"),
            ("CMGATE__LIMITS__CALLER__CALLS", "14"),
            ("CMGATE__AUTH__JWT__0__AUDIENCES", "urn:cmgate"),
            ("CMGATE__AUTH__JWT__0__ALGORITHMS", "RS256,ES384"),
            ("CMGATE__AUTH__JWT__0__TYPES", "JWT"),
            ("CMGATE__AUTH__JWT__0__REQUIRE__VER", "1.0"),
            ("CMGATE__AUTH__JWT__0__USER__SUBJECT", "oid"),
            ("CMGATE__AUTH__JWT__0__USER__UUID", "objectguid:guid-le-base64"),
            ("CMGATE__AUTH__JWT__0__USER__SID", "primarysid"),
            ("CMGATE__AUTH__JWT__0__USER__UPN", "upn"),
            ("CMGATE__AUTH__JWT__0__USER__NAME", "upn"),
            ("CMGATE__AUTH__JWT__0__USER__GROUPS", "groupsid"),
            ("CMGATE__AUTH__JWT__0__MAX_LIFETIME", "8h"),
            ("CMGATE__AUTH__JWT__0__SKEW", "5s"),
            ("CMGATE__AUTH__JWT__0__MAX_BYTES", "2048"),
            ("CMGATE__AUTH__JWT__0__KEY_USE", "jwt-svid"),
            ("CMGATE__AUTH__JWT__1__NAME", "file"),
            ("CMGATE__AUTH__JWT__1__ISSUERS", "a,b"),
            ("CMGATE__AUTH__JWT__1__JWKS_FILE", "keys.json"),
            ("CMGATE__AUTH__JWT__1__AUDIENCES", "c"),
            ("CMGATE__AUTH__JWT__2__NAME", "uri"),
            ("CMGATE__AUTH__JWT__2__ISSUERS", "d"),
            ("CMGATE__AUTH__JWT__2__JWKS_URI", "https://d/keys"),
            ("CMGATE__AUTH__JWT__2__AUDIENCES", "e"),
        ],
    );
    let StoreSettings::Postgres(store) = &settings.store else { panic!("{:?}", settings.store) };
    assert_eq!((store.max_connections, store.relay_connections), (3, 10));
    assert_eq!(store.topology, Topology { shards: ShardCount::new(32).unwrap(), partition_groups: 16 });
    assert_eq!((settings.relay.kafka.replication_factor, settings.log.format), (3, LogFormat::Json));
    assert_eq!(settings.relay.kafka.properties.keys().collect::<Vec<_>>(), ["sasl.password"]);
    assert_eq!((settings.log.instance.as_str(), settings.api.logged_successes), ("node-1", 10));
    let ApiSettings { max_message_bytes, max_duration, max_memory_bytes, caller_limits, rest, .. } =
        settings.api.clone();
    assert_eq!((max_message_bytes, max_duration, max_memory_bytes), (2_048, Duration::from_secs(4), 9_000_000));
    assert_eq!(rest, FacadeSettings { body_bytes: 2_048, descriptor_nul_tail: 6 });
    let [per_second, burst, calls] = [12, 13, 14].map(NonZeroU32::new);
    let rate = per_second.zip(burst).map(|(per_second, burst)| Rate { per_second, burst });
    let general = CallerLimit { rate, calls };
    assert_eq!(caller_limits, CallerLimitSettings { general, ..CallerLimitSettings::default() });
    let ServerSettings { max_connections, body_bytes, stall_timeout, drain_timeout, .. } = settings.server;
    assert_eq!((max_connections, body_bytes), (5, 2_048));
    assert_eq!((stall_timeout, drain_timeout), (Duration::from_secs(6), Duration::from_secs(5)));
    let WriterSettings { workers, max_batch, max_waiting } = settings.writer;
    assert_eq!((workers, max_batch, max_waiting), (7, 8, 9));
    assert_eq!((settings.shutdown.grace, settings.keep_keys), (Duration::from_secs(10), Duration::from_mins(11)));
    assert_eq!((settings.listen.port(), settings.admin_listen.port()), (1, 2));
    assert!(settings.authority.administrators.is_empty() && !settings.shows_examples);
    assert!(!format!("{settings:?}").contains("canary"));
    assert_issuers(&settings);
}

fn assert_issuers(settings: &Settings) {
    let AuthenticationSettings::Proof(proof) = &settings.authentication else {
        panic!("{:?}", settings.authentication)
    };
    let ProofSettings { tokens, denied: None, certificates: _, negotiate: None, proxy: None } = &**proof else {
        panic!("{proof:?}")
    };
    let [adfs, file, uri] = tokens.as_slice() else { panic!("{tokens:?}") };
    let reader = |claim: &str| Some(ClaimReader { claim: claim.to_owned(), encoding: ClaimEncoding::Text });
    let expected = Issuer {
        name: "adfs".into(),
        issuers: vec!["http://fs/trust".to_owned()],
        audiences: vec!["urn:cmgate".to_owned()],
        algorithms: vec![Algorithm::Rs256, Algorithm::Es384],
        types: vec!["JWT".to_owned()],
        require: vec![Requirement { claim: "ver".to_owned(), values: vec!["1.0".to_owned()] }],
        user: ClaimMapping {
            subject: reader("oid"),
            uuid: Some(ClaimReader { claim: "objectguid".to_owned(), encoding: ClaimEncoding::GuidLeBase64 }),
            sid: reader("primarysid"),
            upn: reader("upn"),
            name: reader("upn"),
            groups: reader("groupsid"),
        },
        max_lifetime: Duration::from_hours(8),
        skew: Duration::from_secs(5),
        max_bytes: 2_048,
        key_use: KeyUse::JwtSvid,
    };
    assert_eq!(adfs.issuer, expected);
    let ca = Some(PathBuf::from("ca.pem"));
    let location = Location::Discovery { base: "https://fs/adfs".to_owned(), issuers: expected.issuers, ca };
    assert_eq!(adfs.keys, KeySource { location, key_use: KeyUse::JwtSvid });

    assert_eq!((&*file.issuer.name, file.issuer.issuers.as_slice()), ("file", &["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(file.issuer.algorithms, [Algorithm::Rs256]);
    assert_eq!((file.issuer.user.clone(), file.issuer.require.len()), (ClaimMapping::default(), 0));
    assert_eq!(file.keys, KeySource { location: Location::File("keys.json".into()), key_use: KeyUse::Sig });
    let location = Location::Uri { url: "https://d/keys".to_owned(), ca: None };
    assert_eq!(uri.keys, KeySource { location, key_use: KeyUse::Sig });
}

/// The configuration and the check of tokens each define the algorithms; both must know the same ones.
#[test]
fn every_algorithm_can_be_configured() {
    for algorithm in Algorithm::ALL {
        let settings = configured(
            None,
            &[
                ("CMGATE__AUTH__JWT__0__NAME", "a"),
                ("CMGATE__AUTH__JWT__0__ISSUERS", "a"),
                ("CMGATE__AUTH__JWT__0__AUDIENCES", "a"),
                ("CMGATE__AUTH__JWT__0__JWKS_FILE", "a"),
                ("CMGATE__AUTH__JWT__0__ALGORITHMS", algorithm.name()),
            ],
        );
        let AuthenticationSettings::Proof(proof) = settings.authentication else { panic!("{algorithm}") };
        assert_eq!(proof.tokens[0].issuer.algorithms, [algorithm]);
        assert!(settings.authority.administrators.is_empty() && !settings.shows_examples);
    }
}

#[test]
fn each_key_of_the_proxy_and_of_the_files_reaches_its_part() {
    let settings = configured(
        None,
        &[
            ("CMGATE__LISTEN_UNIX", "/run/proxy.sock"),
            ("CMGATE__ADMIN_TOKEN_FILE", "tokens"),
            ("CMGATE__LIMITS__CONNECTION_AGE", "0s"),
            ("CMGATE__TLS__CERTIFICATE", "a"),
            ("CMGATE__TLS__KEY", "b"),
            ("CMGATE__TLS__CLIENT_CA", "c"),
            ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
            ("CMGATE__TLS__RELOAD_INTERVAL", "7s"),
            ("CMGATE__AUTH__DENIED", "denied.toml"),
            ("CMGATE__AUTH__JWT__0__NAME", "idp"),
            ("CMGATE__AUTH__JWT__0__ISSUERS", "a"),
            ("CMGATE__AUTH__JWT__0__AUDIENCES", "b"),
            ("CMGATE__AUTH__JWT__0__JWKS_FILE", "keys.json"),
            ("CMGATE__AUTH__PROXY__CERTIFICATE", "CN=edge,O=Corp"),
            ("CMGATE__AUTH__PROXY__CA", "edge.pem"),
            ("CMGATE__AUTH__PROXY__USER__SUBJECT", "X-A"),
            ("CMGATE__AUTH__PROXY__USER__UUID", "X-B"),
            ("CMGATE__AUTH__PROXY__USER__NAME", "X-C"),
            ("CMGATE__AUTH__PROXY__USER__SID", "X-D"),
            ("CMGATE__AUTH__PROXY__USER__GROUPS", "X-E"),
        ],
    );
    assert_eq!(settings.listen_unix, Some("/run/proxy.sock".into()));
    assert_eq!((settings.admin_tokens, settings.reload_interval), (Some("tokens".into()), Duration::from_secs(7)));
    // Room for the groups of the proxy.
    assert_eq!((settings.server.connection_age, settings.server.head_bytes), (None, 80 << 10));
    let rule_cas = settings.tls.unwrap().clients.unwrap().rule_cas;
    assert_eq!(rule_cas, [RuleCa { key: "auth.proxy.ca".to_owned(), path: "edge.pem".into() }]);
    let AuthenticationSettings::Proof(proof) = settings.authentication else { panic!("not proven") };
    assert_eq!(proof.denied, Some("denied.toml".into()));
    let header = |name| Some(HeaderName::from_static(name));
    let certificate =
        ProxyCertificate { ca: CaFilter::File("edge.pem".into()), name: ProxyName::Dn("CN=edge,O=Corp".to_owned()) };
    let expected = ProxySettings {
        certificate: Some(certificate),
        headers: IdentityHeaders {
            subject: HeaderName::from_static("x-a"),
            uuid: header("x-b"),
            name: header("x-c"),
            sid: header("x-d"),
            groups: header("x-e"),
        },
    };
    assert_eq!(proof.proxy, Some(expected));
}
