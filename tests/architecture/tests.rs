//! The rules detect violations, and nothing else.

use super::*;

fn crate_of(files: &[(&str, &str)]) -> Vec<Source> {
    let parse = |(module, text): &(&str, &str)| Source::parse(&format!("{module}.rs"), module, text);
    files.iter().map(parse).collect()
}

fn wrong(files: &[(&str, &str)]) -> Vec<String> {
    wrong_uses(&Graph::of(&crate_of(files)))
}

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    Graph::of(&crate_of(files)).circles().into_iter().map(|circle| circle.ties.join(", ")).collect()
}

const DOMAIN: (&str, &str) = ("domain", "mod event; pub use event::Event;");
const EVENT: (&str, &str) = ("domain::event", "pub struct Event;");
const STORE: (&str, &str) = ("store", "pub trait Store {}");

#[test]
fn a_use_of_a_higher_floor_is_found() {
    let up = ("domain::event", "\nuse crate::store::Store;");
    assert_eq!(wrong(&[DOMAIN, up, STORE]), ["domain::event.rs:2 uses store.rs"]);
    let down = ("store", "use crate::domain::Event; pub trait Store {}");
    assert_eq!(wrong(&[DOMAIN, EVENT, down]), [""; 0]);
}

#[test]
fn a_use_is_followed_through_a_reexport() {
    let user = ("store", "use crate::domain::Event as E;");
    assert!(wrong(&[DOMAIN, EVENT, user]).is_empty());
    let sources = crate_of(&[DOMAIN, EVENT, user]);
    let graph = Graph::of(&sources);
    let targets: Vec<_> = graph.uses().map(|(_, _, used)| used.file.as_str()).collect();
    assert_eq!(targets, ["domain::event.rs"]);
}

#[test]
fn a_use_is_found_wherever_it_stands() {
    for text in [
        "fn f(_: &super::store::Store) {}",
        "fn f() { println!(\"{}\", crate::store::NAME); }",
        "mod inner { use super::super::store::Store; }",
        "use super::{clock, store};",
    ] {
        assert_eq!(wrong(&[STORE, ("runtime", text)]), ["runtime.rs:1 uses store.rs"], "{text}");
    }
    for text in
        ["// crate::store\nconst S: &str = \"crate::store\";", "#[cfg(test)] mod tests { use crate::store::Store; }"]
    {
        assert_eq!(wrong(&[STORE, ("runtime", text)]), [""; 0], "{text}");
    }
}

#[test]
fn what_the_floors_allow_can_be_forbidden() {
    let store = ("mimcm", "use crate::store::Store;");
    assert_eq!(wrong(&[STORE, store]), ["mimcm.rs:1 uses store.rs"]);
    assert_eq!(wrong(&[STORE, ("http::admin", "use crate::store::Store;")]), [""; 0]);
    let decide = ("domain::decide", "pub fn decide() {}");
    let decides = ("store::batch", "fn f() { crate::domain::decide::decide() }");
    assert_eq!(wrong(&[("domain", "pub mod decide;"), decide, decides]), ["store::batch.rs:1 uses domain::decide.rs"]);
    let sibling = ("mimcm", "use super::grpc::Server;");
    assert_eq!(wrong(&[("grpc", "pub struct Server;"), sibling]), ["mimcm.rs:1 uses grpc.rs"]);
}

#[test]
fn a_circle_of_files_is_found() {
    let one = ("relay::worker", "use super::session::Session; pub struct RelayWorker;");
    let other = ("relay::session", "use super::RelayWorker; pub struct Session;");
    let component = ("relay", "pub use worker::RelayWorker; mod worker; mod session;");
    let expected = "relay::worker.rs:1 uses relay::session.rs, relay::session.rs:1 uses relay::worker.rs";
    assert_eq!(circles(&[component, one, other]), [expected]);
    assert_eq!(circles(&[component, ("relay::worker", "pub struct RelayWorker;"), other]), [""; 0]);
}

#[test]
fn a_module_may_use_what_the_module_around_it_defines() {
    let component = ("relay", "mod worker; pub struct Settings; fn f() { worker::run(); }");
    assert_eq!(circles(&[component, ("relay::worker", "use super::Settings; pub fn run() {}")]), [""; 0]);
}

#[test]
fn names_that_are_passed_round_in_a_circle_end_the_search() {
    let one = ("relay::worker", "pub use super::session::X; fn f(_: self::X) {}");
    let other = ("relay::session", "pub use super::worker::X;");
    assert_eq!(circles(&[("relay", ""), one, other]), [""; 0]);
}

#[test]
fn io_in_the_domain_is_found() {
    let found = |text: &str| impurities(&Source::parse("domain/time.rs", "domain::time", text)).len();
    assert_eq!(found("use std::{fmt, fs::File};"), 1);
    assert_eq!(found("use std::time::{Duration, Instant};"), 1);
    assert_eq!(found("use chrono::Utc;\nfn f() { Utc::now(); }"), 1);
    assert_eq!(found("fn f() { tokio::spawn(async {}); }"), 1);
    assert_eq!(found("use std::fmt; // std::fs\n/* std::net */ const S: &str = \"std::env\";"), 0);
}

#[test]
fn a_file_without_a_header_is_found() {
    let missing = |text: &str| missing_header(&Source::parse("x.rs", "x", text)).is_some();
    assert!(missing("use std::fmt;"));
    assert!(!missing("//! What it is for.\n"));
    assert!(!missing("#![doc = include_str!(\"../README.md\")]\n"));
}
