//! What an operator learns about a keytab.

use std::fs;

use super::format::tests::{MAGIC_BYTES, record};
use super::*;
use crate::runtime::telemetry::error_chain;

fn written(records: &[Vec<u8>]) -> Result<Keytab, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.keytab");
    fs::write(&path, [&MAGIC_BYTES[..], &records.concat()].concat()).unwrap();
    describe(&path).map_err(|error| error_chain(&error).replace(&path.display().to_string(), "FILE"))
}

fn key(service: &str, host: &str, version: u8, encryption: u16) -> Vec<u8> {
    record("CORP.TEST", &[service, host], version, encryption, &[])
}

#[test]
fn the_principals_of_the_service_are_listed_with_their_keys() {
    let keytab = written(&[
        key("HTTP", "cm.corp.test", 2, 18),
        key("host", "cm.corp.test", 2, 18),
        key("HTTP", "a.corp.test", 7, 23),
        key("HTTP", "cm.corp.test", 3, 17),
        record("LAB.TEST", &["HTTP", "cm.corp.test"], 1, 99, &[]),
        record("CORP.TEST", &["HTTP"], 1, 18, &[]),
    ])
    .unwrap();
    let lines: Vec<String> = keytab.principals().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "HTTP/a.corp.test@CORP.TEST: rc4-hmac (version 7)",
            "HTTP/cm.corp.test@CORP.TEST: aes128-cts-hmac-sha1-96 (version 3), aes256-cts-hmac-sha1-96 (version 2)",
            "HTTP/cm.corp.test@LAB.TEST: encryption type 99 (version 1)",
        ]
    );
    assert_eq!(keytab.realms(), ["CORP.TEST", "LAB.TEST"]);
    let listed = "HTTP/a.corp.test@CORP.TEST, HTTP/cm.corp.test@CORP.TEST, HTTP/cm.corp.test@LAB.TEST";
    assert_eq!(keytab.to_string(), listed);
    let warning = keytab.warning().unwrap();
    let weak = "only weak keys (RC4 or DES) for HTTP/a.corp.test@CORP.TEST, HTTP/cm.corp.test@LAB.TEST; allow AES for";
    assert!(warning.starts_with(weak), "{warning}");
}

#[test]
fn one_strong_key_is_enough() {
    let keytab = written(&[key("HTTP", "cm.corp.test", 2, 23), key("HTTP", "cm.corp.test", 2, 18)]).unwrap();
    assert_eq!(keytab.warning(), None);
}

#[test]
fn what_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.keytab");
    let told = || error_chain(&describe(&path).unwrap_err()).replace(&path.display().to_string(), "FILE");
    assert_eq!(told(), "cannot read FILE: No such file or directory (os error 2)");
    fs::write(&path, "").unwrap();
    assert_eq!(told(), "FILE is empty; export the keys of the service account into it");
    fs::write(&path, "text").unwrap();
    assert_eq!(told(), "FILE is not a keytab: it does not begin like a keytab");
    fs::write(&path, vec![5; format::MAX_BYTES + 1]).unwrap();
    assert_eq!(told(), format!("FILE has more than {} bytes", format::MAX_BYTES));
    let no_key = "FILE has no key of a principal HTTP/host@REALM; it has ";
    assert_eq!(written(&[]).unwrap_err(), format!("{no_key}no key"));
    let hosts: Vec<Vec<u8>> = (0..LISTED + 2).map(|number| key("host", &format!("h{number:02}"), 1, 18)).collect();
    let told = written(&hosts).unwrap_err();
    assert!(told.starts_with(&format!("{no_key}host/h00@CORP.TEST, host/h01@CORP.TEST, ")), "{told}");
    assert!(told.ends_with("host/h19@CORP.TEST and 2 more"), "{told}");
}
