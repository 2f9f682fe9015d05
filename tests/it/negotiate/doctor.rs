//! `cmgate doctor keytab` against a key distribution center.

use std::fs;

use super::kdc::{Kdc, Kind};
use crate::support::doctor::{Findings, doctor};
use crate::support::env::TestEnv;

fn examine(kdc: &Kdc, keytab: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Findings {
    let (keytab, replay_cache) = (kdc.path(keytab), kdc.path("replay"));
    let krb5_conf = kdc.krb5_conf();
    let settings = [
        ("CMGATE__KAFKA__BROKERS", ""),
        ("CMGATE__AUTH__NEGOTIATE__KEYTAB", keytab.to_str().unwrap()),
        ("CMGATE__AUTH__NEGOTIATE__REPLAY_CACHE", replay_cache.to_str().unwrap()),
        ("KRB5_CONFIG", krb5_conf.to_str().unwrap()),
    ];
    doctor(&TestEnv::sqlite(), &[&settings, environment].concat(), arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_the_keytab_are_shown_and_compared_with_the_domain() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    kdc.log_in("alice").await;
    let cache = format!("FILE:{}", kdc.path("alice.cache").display());
    let logged_in = [("KRB5CCNAME", cache.as_str())];
    let before = fs::read(kdc.path("alice.cache")).unwrap();
    let found = examine(&kdc, "http.keytab", &logged_in, &["keytab"]);
    found.assert_healthy();
    found.assert_line("ok", "auth.negotiate.keytab: HTTP/localhost@CORP.TEST: aes256-cts-hmac-sha1-96 (version ");
    found.assert_line("ok", "auth.negotiate.replay_cache: ");
    found.assert_line("ok", "domain: the keytab has the key of HTTP/localhost@CORP.TEST with which the domain issues");
    assert_eq!(fs::read(kdc.path("alice.cache")).unwrap(), before, "no ticket is stored");
    assert!(!kdc.path("replay").exists(), "the replay cache is not created");

    let nobody = format!("FILE:{}", kdc.path("nobody.cache").display());
    let found = examine(&kdc, "http.keytab", &[("KRB5CCNAME", nobody.as_str())], &["keytab"]);
    found.assert_healthy();
    found.assert_line("skipped", "domain: HTTP/localhost@CORP.TEST not checked: ");

    // The whole examination includes the files, but asks no domain.
    let found = examine(&kdc, "http.keytab", &logged_in, &[]);
    found.assert_healthy();
    found.assert_line("ok", "auth.negotiate.keytab: HTTP/localhost@CORP.TEST: ");
    assert!(!found.stdout.contains("domain: "), "{}", found.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_or_unusable_keytab_is_a_fault() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    kdc.log_in("alice").await;
    let cache = format!("FILE:{}", kdc.path("alice.cache").display());
    let logged_in = [("KRB5CCNAME", cache.as_str())];
    fs::write(kdc.path("old.keytab"), keytab_of_version(99)).unwrap();
    examine(&kdc, "old.keytab", &logged_in, &["keytab"])
        .assert_only_fault("domain: the domain issues tickets for HTTP/localhost@CORP.TEST with key version ");
    fs::write(kdc.path("text.keytab"), "text").unwrap();
    for arguments in [&["keytab"][..], &[]] {
        examine(&kdc, "missing.keytab", &logged_in, arguments).assert_only_fault("auth.negotiate.keytab: ");
        examine(&kdc, "text.keytab", &logged_in, arguments).assert_only_fault("auth.negotiate.keytab: ");
        examine(&kdc, "host.keytab", &logged_in, arguments).assert_only_fault("auth.negotiate.keytab: ");
    }
    fs::write(kdc.path("weak.keytab"), keytab(2, 23)).unwrap();
    examine(&kdc, "weak.keytab", &logged_in, &[]).assert_line("warning", "auth.negotiate.keytab: ");
    let off = doctor(&TestEnv::sqlite(), &[("CMGATE__KAFKA__BROKERS", "")], &["keytab"]);
    off.assert_only_fault("auth.negotiate: auth.negotiate is not configured");
}

fn keytab_of_version(version: u8) -> Vec<u8> {
    keytab(version, 18)
}

/// A keytab with one key of `HTTP/localhost@CORP.TEST`, whose value is zeros.
fn keytab(version: u8, encryption: u16) -> Vec<u8> {
    let mut entry = 2_u16.to_be_bytes().to_vec();
    for text in ["CORP.TEST", "HTTP", "localhost"] {
        entry.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        entry.extend(text.as_bytes());
    }
    entry.extend(1_u32.to_be_bytes());
    entry.extend(0_u32.to_be_bytes());
    entry.push(version);
    entry.extend(encryption.to_be_bytes());
    entry.extend(32_u16.to_be_bytes());
    entry.extend([0; 32]);
    let length = i32::try_from(entry.len()).unwrap().to_be_bytes();
    [&[5, 2][..], &length, &entry].concat()
}
