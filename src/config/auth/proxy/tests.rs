//! The trusted proxy: the sample of the example file, and what is refused.

use std::fs;
use std::path::Path;

use super::{ProxyName, UserHeaders};
use crate::config::tests::load;

const TLS: &str = "[tls]\ncertificate = 'a'\nkey = 'b'\nclient_certificates = 'optional'\nclient_ca = 'c'\n";
const PRODUCTION: &str = "mode = 'production'\nkafka.brokers = 'a:1'\ndatabase.url = 'postgres://db/x'\n";

#[test]
fn the_proxy_alone_is_enough_for_production() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config.example.toml");
    let example = fs::read_to_string(path).unwrap();
    let lines = example.lines().filter_map(|line| line.strip_prefix("#   "));
    let sample: Vec<&str> = lines.skip_while(|line| *line != "[auth.proxy]").take(6).collect();
    let config = load(&format!("{PRODUCTION}{TLS}{}", sample.join("\n")), &[]).unwrap();
    let proxy = config.auth.proxy.clone().unwrap();
    assert_eq!(proxy.certificate, Some(ProxyName::Spiffe("spiffe://corp.example/ns/edge/sa/proxy".to_owned())));
    let UserHeaders { subject, name, sid, groups, uuid } = &proxy.user;
    assert_eq!((subject.as_str(), uuid), ("x-forwarded-user", &None));
    assert_eq!([name, sid, groups].map(|header| header.as_ref().unwrap().as_str().len()), [16, 15, 18]);
    assert!(!config.trusts_everyone());
    let rendered = config.render().unwrap();
    assert_eq!(load(&rendered, &[]).unwrap().render().unwrap(), rendered);

    let socket = format!("{PRODUCTION}listen_unix = '/run/proxy.sock'\n[auth.proxy]\n");
    assert!(!load(&socket, &[]).unwrap().trusts_everyone());
    let by_variable = [("CMGATE__AUTH__PROXY__USER__UUID", "X-User-Id"), ("CMGATE__LISTEN_UNIX", "/run/proxy.sock")];
    let config = load(PRODUCTION, &by_variable).unwrap();
    assert_eq!(config.auth.proxy.unwrap().user.uuid.unwrap(), "x-user-id");
}

#[test]
fn a_proxy_that_cannot_work_or_is_not_safe_is_refused() {
    let hash = format!("certificate = 'sha256:{}'", "0f".repeat(32));
    load(&format!("{PRODUCTION}{TLS}[auth.proxy]\n{hash}"), &[]).unwrap();
    let both = format!("{PRODUCTION}listen_unix = '/s'\n{TLS}[auth.proxy]\n{hash}");
    load(&both, &[]).unwrap();
    for (proxy, refused) in [
        ("certificate = 'spiffe://a/b'", "auth.proxy.ca is required in production, unless auth.proxy.certificate is"),
        ("certificate = 'CN=a'", "auth.proxy.ca is required in production"),
        ("certificate = 'edge'", "auth.proxy.certificate must be a SPIFFE ID (spiffe://...), sha256: and 64"),
        ("certificate = 'sha256:12'", "auth.proxy.certificate must be a SPIFFE ID"),
        ("ca = 'a.pem'", "auth.proxy.ca must be set with auth.proxy.certificate only"),
        ("user.subject = 'X_User'", "auth.proxy.user.subject must be the name of a header without underscores"),
        ("user.subject = 'a b'", "auth.proxy.user.subject must be the name of a header"),
        ("user.subject = 'Authorization'", "auth.proxy.user.subject must not be authorization, which has another"),
        ("user.sid = 'X-Correlation-ID'", "auth.proxy.user.sid must not be x-correlation-id"),
        ("user.name = 'x-forwarded-user'", "auth.proxy.user.name must differ from the headers before it"),
        ("user.id = 'x-user'", "auth.proxy.user.id is not a known key; known are subject, uuid, name, sid, groups"),
        ("", "auth.proxy.certificate is required without listen_unix"),
    ] {
        let told = load(&format!("{PRODUCTION}{TLS}[auth.proxy]\n{proxy}"), &[]).unwrap_err();
        assert!(told.starts_with(refused), "{told}");
    }
    let told = load(&format!("{PRODUCTION}[auth.proxy]\n{hash}"), &[]).unwrap_err();
    assert!(told.starts_with("tls.client_certificates must be \"optional\" or \"required\" with"), "{told}");
    let told = load("listen_unix = '/run/proxy.sock'", &[]).unwrap_err();
    assert!(told.starts_with("listen_unix is the address of the trusted proxy: it needs [auth.proxy]"), "{told}");
    let taken = "[[auth.certificate]]\nname = 'proxy'\nsource = 'upn'";
    let told = load(&format!("{TLS}{taken}"), &[]).unwrap_err();
    assert!(told.starts_with("auth.certificate[0].name must not be proxy, the name of [auth.proxy]"), "{told}");
}
