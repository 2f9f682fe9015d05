//! Entries of issuers: what they may leave out, what is refused, and the samples of the example file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::List;
use crate::config::tests::load;
use crate::runtime::jwt::{Algorithm, ClaimEncoding, KeyUse};
use crate::runtime::tls::ChannelBinding;

/// A complete entry.
const ENTRY: &str = "name = 'a'\nissuers = ['https://a']\njwks_uri = 'https://a/keys'\naudiences = ['cmgate']\n";

/// An entry with one line replaced or added.
fn entry_with(line: &str) -> String {
    let key = line.split([' ', '.']).next().unwrap();
    let others = ENTRY.lines().filter(|other| !other.starts_with(&format!("{key} ")));
    let lines: Vec<&str> = others.chain([line]).filter(|line| !line.ends_with('-')).collect();
    format!("[[auth.jwt]]\n{}\n", lines.join("\n"))
}

#[test]
fn an_entry_needs_a_name_the_issuer_and_its_keys() {
    let config = load(&format!("[[auth.jwt]]\n{ENTRY}"), &[]).unwrap();
    let [entry] = config.auth.jwt.as_slice() else { panic!("{:?}", config.auth) };
    assert_eq!((entry.name.as_str(), &entry.issuers), ("a", &List(vec!["https://a".to_owned()])));
    let Some(KeySetSource::Uri(url)) = entry.source() else { panic!("{entry:?}") };
    assert_eq!(url.as_str(), "https://a/keys");
    assert_eq!(entry.algorithms.0, [Algorithm::Rs256]);
    assert_eq!(entry.types.0, ["JWT", "at+jwt"]);
    assert_eq!((entry.max_lifetime, entry.skew), (Duration::from_hours(24), Duration::from_secs(30)));
    assert_eq!((entry.max_bytes, entry.key_use), (16_384, KeyUse::Sig));
    assert!(!config.trusts_everyone());
}

#[test]
fn every_setting_of_an_entry_is_read() {
    let text = "[[auth.jwt]]
        name = 'adfs'
        issuers = ['http://fs.corp.test/adfs/services/trust', 'https://fs.corp.test/adfs']
        discovery = 'https://fs.corp.test/adfs'
        ca = '/etc/ca.pem'
        audiences = ['urn:cmgate']
        algorithms = ['ES256', 'EdDSA']
        types = ['at+jwt']
        require = { ver = '1.0', appid = ['x', 'y'], azp = [] }
        user = { subject = 'oid', uuid = 'objectguid:guid-le-base64', sid = 'primarysid', name = 'upn', groups = 'https://x/groups' }
        max_lifetime = '8h'
        skew = '0s'
        max_bytes = 65536
        key_use = 'jwt-svid'";
    let config = load(text, &[]).unwrap();
    let entry = &config.auth.jwt[0];
    assert_eq!(entry.source(), Some(KeySetSource::Discovery(&entry.discovery.clone().unwrap())));
    assert_eq!(entry.ca.as_deref(), Some(Path::new("/etc/ca.pem")));
    assert_eq!(entry.algorithms.0, [Algorithm::Es256, Algorithm::EdDsa]);
    let required: Vec<_> = entry.require.iter().map(|(claim, values)| (claim.as_str(), values.0.join(" "))).collect();
    assert_eq!(required, [("appid", "x y".to_owned()), ("azp", String::new()), ("ver", "1.0".to_owned())]);
    let uuid = entry.user.uuid.clone().unwrap();
    assert_eq!((uuid.claim.as_str(), uuid.encoding), ("objectguid", ClaimEncoding::GuidLeBase64));
    let groups = entry.user.groups.clone().unwrap();
    assert_eq!((groups.claim.as_str(), groups.encoding), ("https://x/groups", ClaimEncoding::Text));
    assert_eq!((entry.max_lifetime, entry.skew, entry.max_bytes), (Duration::from_hours(8), Duration::ZERO, 65_536));
    assert_eq!(entry.key_use, KeyUse::JwtSvid);

    let rendered = config.render().unwrap();
    assert_eq!(load(&rendered, &[]).unwrap().render().unwrap(), rendered);
}

#[test]
fn environment_variables_number_the_entries() {
    let variables = [
        ("CMGATE__AUTH__JWT__0__NAME", "a"),
        ("CMGATE__AUTH__JWT__0__ISSUERS", "https://a, https://b"),
        ("CMGATE__AUTH__JWT__0__JWKS_FILE", "keys.json"),
        ("CMGATE__AUTH__JWT__0__AUDIENCES", "cmgate"),
        ("CMGATE__AUTH__JWT__0__ALGORITHMS", "RS256,PS256"),
        ("CMGATE__AUTH__JWT__0__REQUIRE__VER", "1.0"),
        ("CMGATE__AUTH__JWT__0__USER__SID", "primarysid"),
        ("CMGATE__AUTH__JWT__1__NAME", "c"),
        ("CMGATE__AUTH__JWT__1__ISSUERS", "https://c"),
        ("CMGATE__AUTH__JWT__1__AUDIENCES", "cmgate"),
        ("CMGATE__AUTH__JWT__1__DISCOVERY", "http://127.0.0.1:1"),
    ];
    let config = load("", &variables).unwrap();
    assert_eq!(config.auth.jwt.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    let entry = &config.auth.jwt[0];
    assert_eq!(entry.issuers.0, ["https://a", "https://b"]);
    assert_eq!(entry.algorithms.0, [Algorithm::Rs256, Algorithm::Ps256]);
    assert_eq!(entry.require["ver"].0, ["1.0"]);

    let refused = load("", &variables[7..]).unwrap_err();
    let sentence = "auth.jwt must number its entries from 0 without gaps; 0 is missing (from the environment variable ";
    assert!(refused.starts_with(sentence), "{refused}");
    let refused = load("", &[("CMGATE__AUTH__JWT__X__NAME", "a")]).unwrap_err();
    assert!(refused.starts_with("auth.jwt must number its entries from 0, not \"x\""), "{refused}");
    let refused = load("", &[("CMGATE__AUTH__JWT", "a")]).unwrap_err();
    assert!(refused.starts_with("auth.jwt must be a list of tables"), "{refused}");
}

#[test]
fn a_bad_setting_of_an_entry_is_named_with_its_number() {
    let long = format!("audiences = ['{}']", "x".repeat(1_025));
    for (line, begin) in [
        ("name = ''", "auth.jwt[0].name must be 1 to 64 letters"),
        (
            "name = 'a~b'",
            "auth.jwt[0].name must be 1 to 64 letters, digits, dots, underscores and hyphens, not \"a~b\"",
        ),
        ("name -", "auth.jwt[0] lacks name"),
        ("issuers = []", "auth.jwt[0].issuers must contain a value of the claim iss"),
        ("issuers = ['']", "auth.jwt[0].issuers must contain texts of 1 to 1024 bytes"),
        ("issuers = [['a']]", "auth.jwt[0].issuers[0] must be text"),
        ("issuers -", "auth.jwt[0] lacks issuers"),
        (
            "jwks_uri -",
            "auth.jwt[0].discovery must be set, or jwks_uri or jwks_file instead, but only one of the three",
        ),
        ("jwks_file = 'keys.json'", "auth.jwt[0].discovery must be set"),
        ("discovery = 'https://a'", "auth.jwt[0].discovery must be set"),
        ("jwks_uri = 'keys.json'", "auth.jwt[0].jwks_uri must be a URL such as https://login.example/path"),
        (
            "jwks_uri = 'http://a/keys'",
            "auth.jwt[0].jwks_uri must begin with https:// (http:// is allowed for this machine",
        ),
        ("ca = ''", "auth.jwt[0].ca must be a path"),
        ("audiences = []", "auth.jwt[0].audiences must contain a value of the claim aud"),
        ("audiences -", "auth.jwt[0] lacks audiences"),
        (&long, "auth.jwt[0].audiences must contain texts of 1 to 1024 bytes"),
        ("algorithms = []", "auth.jwt[0].algorithms must contain an algorithm"),
        ("algorithms = ['RS256', 'HS256']", "auth.jwt[0].algorithms[1] must be one of RS256, RS384, "),
        ("algorithms = ['none']", "auth.jwt[0].algorithms[0] must be one of RS256, "),
        ("algorithms = 'RS256, none'", "auth.jwt[0].algorithms must be one of RS256, "),
        ("types = ['x\ty']", "auth.jwt[0].types must contain texts of 1 to 1024 bytes"),
        ("types = []", "auth.jwt[0].types must contain a type"),
        ("require = 'ver'", "auth.jwt[0].require must be "),
        ("require = { '' = 'x' }", "auth.jwt[0].require must name claims"),
        (
            "user = { uid = 'oid' }",
            "auth.jwt[0].user.uid is not a known key; known are subject, uuid, sid, upn, name, groups",
        ),
        ("user = { uuid = 'a:guid' }", "auth.jwt[0].user.uuid must be the name of a claim"),
        ("user = { uuid = '' }", "auth.jwt[0].user.uuid must be the name of a claim"),
        ("user = { sid = 'a:guid-le-base64' }", "auth.jwt[0].user.sid must be a claim without an encoding"),
        ("max_lifetime = '30s'", "auth.jwt[0].max_lifetime must be 1m to 366d, not 30s"),
        ("skew = '61s'", "auth.jwt[0].skew must be 0ms to 1m, not 61s"),
        ("max_bytes = 65537", "auth.jwt[0].max_bytes must be 1024 to 65536, not 65537"),
        ("key_use = 'enc'", "auth.jwt[0].key_use must be \"sig\" or \"jwt-svid\", not \"enc\""),
        ("audience = 'x'", "auth.jwt[0].audience is not a known key; known are name, issuers, discovery"),
    ] {
        let refused = load(&entry_with(line), &[]).unwrap_err();
        assert!(refused.starts_with(begin) && refused.ends_with(" (from FILE)"), "{line}: {refused}");
    }
    let with_query = entry_with("discovery = 'https://a?b'").replace("jwks_uri", "#");
    assert!(load(&with_query, &[]).unwrap_err().starts_with("auth.jwt[0].discovery must be a URL without a query"));
    let beside = entry_with("jwks_file = 'keys.json'\nca = 'ca.pem'").replace("jwks_uri", "#");
    assert!(load(&beside, &[]).unwrap_err().starts_with("auth.jwt[0].ca must not be set beside jwks_file"));
}

#[test]
fn two_entries_share_neither_a_name_nor_an_issuer() {
    let entry = |name, issuers| {
        format!("[[auth.jwt]]\nname = '{name}'\nissuers = {issuers}\naudiences = 'x'\njwks_file = 'keys.json'\n")
    };
    let refused = |second| load(&format!("{}{second}", entry("a", "['x', 'y']")), &[]).unwrap_err();
    assert_eq!(refused(entry("a", "['z']")), "auth.jwt[1].name must differ from auth.jwt[0].name, \"a\" (from FILE)");
    assert_eq!(
        refused(entry("b", "['z', 'y']")),
        "auth.jwt[1].issuers must not contain \"y\", which auth.jwt[0].issuers contains (from FILE)"
    );
    let both = format!("{}{}", entry("a", "['x']"), entry("b", "['X']"));
    assert_eq!(load(&both, &[]).unwrap().auth.jwt.len(), 2, "issuers are compared byte by byte");
}

#[test]
fn production_requires_proof_and_encrypted_connections() {
    let production = |entries: &str| {
        load(&format!("mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n{entries}"), &[])
    };
    assert_eq!(
        production("").unwrap_err(),
        "auth is required in production: add an [[auth.jwt]] entry for each issuer of tokens, [[auth.certificate]] rules for \
         client certificates, [auth.negotiate] for Kerberos, or [auth.proxy]"
    );
    let loopback = "jwks_uri = 'http://127.0.0.1:8080/keys'";
    let refused = production(&entry_with(loopback)).unwrap_err();
    assert!(refused.starts_with("auth.jwt[0].jwks_uri must begin with https://"), "{refused}");

    assert!(!production(&entry_with("")).unwrap().trusts_everyone());
    assert!(!load(&entry_with(loopback), &[]).unwrap().trusts_everyone());
}

#[test]
fn a_configured_proof_ends_the_development_caller() {
    let reachable = "listen = '0.0.0.0:8080'\nadmin_listen = '0.0.0.0:9090'\n";
    assert!(load("", &[]).unwrap().trusts_everyone());
    let refused = load(reachable, &[]).unwrap_err();
    assert!(refused.contains("without an entry in auth, callers need no proof"), "{refused}");
    assert!(!load(&format!("{reachable}{}", entry_with("")), &[]).unwrap().trusts_everyone());
}

/// The sample entries of the example file, each in production.
#[test]
fn each_sample_of_the_example_file_is_a_valid_entry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config.example.toml");
    let example = fs::read_to_string(path).unwrap();
    let lines = example.lines().filter_map(|line| line.strip_prefix("#   "));
    let is_other_table = |line: &&str| line.starts_with('[') && *line != "[[auth.jwt]]";
    let samples = lines.skip_while(|line| *line != "[[auth.jwt]]").take_while(|line| !is_other_table(line));
    let samples = samples.collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for sample in samples.split("[[auth.jwt]]\n").filter(|sample| !sample.is_empty()) {
        let file = format!(
            "mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n[[auth.jwt]]\n{sample}"
        );
        let config = load(&file, &[]).unwrap_or_else(|error| panic!("{error}\n{sample}"));
        names.push(config.auth.jwt[0].name.clone());
    }
    assert_eq!(names, ["adfs", "entra-v1", "entra-v2", "keycloak", "kubernetes", "spiffe"]);
    let together = format!("mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n{samples}");
    assert_eq!(load(&together, &[]).unwrap().auth.jwt.len(), names.len(), "the samples can be used together");
}

#[test]
fn tickets_need_a_keytab_and_a_replay_cache() {
    const COMPLETE: &str = "[auth.negotiate]\nkeytab = '/k'\nreplay_cache = '/r'\n";
    let config = load(COMPLETE, &[]).unwrap();
    let entry = config.auth.negotiate.clone().unwrap();
    assert_eq!((entry.keytab.as_path(), entry.replay_cache.as_path()), (Path::new("/k"), Path::new("/r")));
    assert_eq!((entry.channel_binding, entry.realms), (ChannelBinding::WhenSent, List::default()));
    assert!(!config.trusts_everyone());
    let with_tls = "tls.certificate = '/c'\ntls.key = '/p'\n";
    let more = format!("{with_tls}{COMPLETE}channel_binding = 'required'\n");
    let config = load(&more, &[("CMGATE__AUTH__NEGOTIATE__REALMS", "CORP.TEST, OTHER.TEST")]).unwrap();
    let entry = config.auth.negotiate.clone().unwrap();
    assert_eq!(entry.channel_binding, ChannelBinding::Required);
    assert_eq!(entry.realms.0, ["CORP.TEST", "OTHER.TEST"]);
    assert_eq!(load(&config.render().unwrap(), &[]).unwrap().render().unwrap(), config.render().unwrap());

    let example = include_str!("../../../deploy/config.example.toml");
    let lines = example.lines().filter_map(|line| line.strip_prefix("#   "));
    let sample: Vec<&str> = lines.skip_while(|line| *line != "[auth.negotiate]").take(3).collect();
    let entry = load(&sample.join("\n"), &[]).unwrap().auth.negotiate.unwrap();
    assert_eq!(entry.replay_cache.as_path(), Path::new("/var/lib/cmgate/replay"));

    for (file, sentence) in [
        ("[auth.negotiate]\nreplay_cache = '/r'", "auth.negotiate lacks keytab"),
        ("[auth.negotiate]\nkeytab = '/k'", "auth.negotiate lacks replay_cache"),
        ("[auth.negotiate]\nkeytab = '/k'\nreplay_cache = '/k'", "auth.negotiate.replay_cache must differ from"),
        (
            &format!("{COMPLETE}channel_binding = 'on'"),
            "auth.negotiate.channel_binding must be \"off\", \"when-sent\" or",
        ),
        (
            &format!("{COMPLETE}channel_binding = 'required'"),
            "auth.negotiate.channel_binding must not be \"required\" without tls.certificate",
        ),
        (&format!("{COMPLETE}realms = ['']"), "auth.negotiate.realms must "),
        (&format!("{COMPLETE}spn = 'HTTP/x'"), "auth.negotiate.spn is not a known key"),
        (&entry_with("name = 'negotiate'"), "auth.jwt[0].name must not be negotiate"),
    ] {
        let refused = load(file, &[]).unwrap_err();
        assert!(refused.starts_with(sentence), "{refused}");
    }
}

#[test]
fn denied_tokens_need_an_issuer() {
    let config = load(&format!("auth.denied = '/etc/denied.toml'\n[[auth.jwt]]\n{ENTRY}"), &[]).unwrap();
    assert_eq!(config.auth.denied.0.as_deref(), Some(Path::new("/etc/denied.toml")));
    let refused = load("auth.denied = '/etc/denied.toml'", &[]).unwrap_err();
    assert_eq!(refused, "auth.denied lists tokens: it needs an entry in auth.jwt (from FILE)");
}
