//! The files of the demo as a whole: the configuration that they make, and what production says to it.

use std::ffi::OsString;

use super::*;
use crate::config::{Config, templates};
use crate::runtime::clock::Clock;

fn prepared(path: &Path) -> Prepared {
    prepare(path, Clock::System.now()).unwrap()
}

#[test]
fn the_configuration_demands_tokens_and_tls() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("a \"b\" \\ c");
    let config = Config::load(Some(&prepared(&path).configuration), []).unwrap();
    assert!(!config.trusts_everyone() && config.tls.pair().is_some());
    assert_eq!(config.templates, path.canonicalize().unwrap().join("templates"));
    assert_eq!(templates::load(&config.templates).unwrap().templates.len(), 1);
}

#[test]
fn production_refuses_the_issuer_of_the_demo() {
    let outer = tempfile::tempdir().unwrap();
    let configuration = prepared(outer.path()).configuration;
    let production = (OsString::from("CMGATE__MODE"), OsString::from("production"));
    let refused = Config::load(Some(&configuration), [production]).unwrap_err().to_string();
    let sentence = "auth.jwt[0].issuers must not contain urn:cmgate:demo in production: everybody with the files of a demo can sign \
                    tokens for anybody";
    assert!(refused.starts_with(sentence), "{refused}");
}

#[test]
fn a_second_preparation_changes_the_tokens_only() {
    let outer = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(outer.path().join(name)).unwrap();
    prepared(outer.path());
    let kept =
        ["ca.pem", "server.pem", "server.key", "client.pem", "client.key", "issuer.key", "jwks.json", CONFIGURATION];
    let (before, token) = (kept.map(read), read("alice.token"));
    prepared(outer.path());
    assert_eq!(kept.map(read), before);
    assert_ne!(read("alice.token"), token);
}
