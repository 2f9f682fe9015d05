//! Rules for certificates: what is refused, and the samples of the example file.

use std::fs;
use std::path::Path;

use super::{CaName, CertificateSource};
use crate::config::tests::load;

const TLS: &str = "[tls]\ncertificate = 'a'\nkey = 'b'\nclient_certificates = 'optional'\nclient_ca = 'c'\n";

#[test]
fn the_samples_of_the_example_file_are_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config.example.toml");
    let example = fs::read_to_string(path).unwrap();
    let lines = example.lines().take_while(|line| *line != "[auth]").filter_map(|line| line.strip_prefix("#   "));
    let samples = lines.skip_while(|line| *line != "[[auth.certificate]]").collect::<Vec<_>>().join("\n");
    let file = format!("mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n{TLS}{samples}");
    let config = load(&file, &[]).unwrap();
    let rules = &config.auth.certificate;
    assert_eq!(rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["workloads", "accounts", "agents"]);
    assert_eq!(rules[0].ca, Some(CaName::File("/run/spiffe/bundle.pem".into())));
    assert!(matches!(rules[1].ca, Some(CaName::KeyHash([0x6d, 0xd4, ..]))));
    assert_eq!((rules[2].source, rules[2].callers.len()), (CertificateSource::Dn, 2));
    let rendered = config.render().unwrap();
    assert_eq!(load(&rendered, &[]).unwrap().render().unwrap(), rendered);
}

#[test]
fn environment_variables_number_rules_and_callers() {
    let rule = |key: &str| format!("CMGATE__AUTH__CERTIFICATE__0__{key}");
    let environment = [
        (rule("NAME"), "a"),
        (rule("SOURCE"), "san"),
        (rule("CALLERS__0__VALUE"), "host"),
        (rule("CALLERS__0__GROUPS"), "S-1-5-21-1-2-3-513, S-1-5-21-1-2-3-514"),
    ];
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let config = load(TLS, &environment).unwrap();
    assert_eq!(config.auth.certificate[0].callers[0].groups.0.len(), 2);
}

#[test]
fn a_rule_that_cannot_work_is_refused() {
    let spiffe = "name = 'a'\nsource = 'spiffe'\n";
    let dn = "name = 'a'\nsource = 'dn'\n";
    for (rule, refused) in [
        ("name = 'a'", "auth.certificate[0] lacks source"),
        ("name = 'a~b'\nsource = 'upn'", "auth.certificate[0].name must be 1 to 64 letters, digits"),
        ("name = 'a'\nsource = 'cn'", "auth.certificate[0].source must be \"spiffe\", \"sid-extension\","),
        (spiffe, "auth.certificate[0].trust_domain must be the trust domain"),
        (&format!("{spiffe}trust_domain = 'Corp'"), "auth.certificate[0].trust_domain must be the trust domain"),
        ("name = 'a'\nsource = 'upn'\ntrust_domain = 'a'", "auth.certificate[0].trust_domain must be set with source"),
        (dn, "auth.certificate[0].callers must list the accepted values with source = \"dn\""),
        ("name = 'a'\nsource = 'upn'\nca = 'sha256:12'", "auth.certificate[0].ca must be a path, or sha256: and 64"),
        (
            &format!("{dn}[[auth.certificate.callers]]\nvalue = ''"),
            "auth.certificate[0].callers[0].value must be 1 to 2048 bytes",
        ),
        (
            &format!("{dn}[[auth.certificate.callers]]\nvalue = 'a'\n[[auth.certificate.callers]]\nvalue = 'a'"),
            "auth.certificate[0].callers[1].value must differ from the values before it",
        ),
        (
            "name = 'a'\nsource = 'upn'\n[[auth.certificate]]\nname = 'a'\nsource = 'upn'",
            "auth.certificate[1].name must differ from the names of other entries",
        ),
    ] {
        let told = load(&format!("{TLS}[[auth.certificate]]\n{rule}"), &[]).unwrap_err();
        assert!(told.starts_with(refused), "{told}");
    }
    let told = load("[[auth.certificate]]\nname = 'a'\nsource = 'upn'", &[]).unwrap_err();
    assert!(told.starts_with("tls.client_certificates must be \"optional\" or \"required\" with entries in"), "{told}");
    let production = format!(
        "mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n{TLS}[[auth.certificate]]\n{spiffe}trust_domain = 'a'"
    );
    let told = load(&production, &[]).unwrap_err();
    assert!(told.starts_with("auth.certificate[0].ca is required with source = \"spiffe\" in production"), "{told}");
    let by_uri = production.replace("spiffe", "sid-uri").replace("trust_domain", "#");
    let told = load(&by_uri, &[]).unwrap_err();
    assert!(told.starts_with("auth.certificate[0].ca is required with source = \"sid-uri\" in production"), "{told}");
    assert!(load(&by_uri.replace('#', "ca = 'ca.pem' #"), &[]).is_ok());
}
