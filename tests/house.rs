//! The house rules that the compiler does not know: which part of the program may use which, that the domain does no I/O,
//! and that every file says what it is for.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The architecture. What stands on the left may use itself and what stands on its right, and nothing else of ours. The
/// longest row that begins a file's module counts. `run` and `main` put everything together, and so may tests.
const MAY_USE: [(&str, &[&str]); 21] = [
    ("domain", &[]),
    ("contract", &["domain"]),
    ("clock", &["domain"]),
    ("telemetry", &[]),
    ("shutdown", &[]),
    ("config", &["domain"]),
    ("templates", &["domain"]),
    ("auth", &["domain"]),
    //
    ("store", &["contract", "domain"]),
    ("feed", &["store", "domain"]),
    ("service", &["store", "feed", "clock", "telemetry", "domain"]),
    //
    ("api", &["service", "auth", "contract", "telemetry", "domain"]),
    ("api::admin", &["api", "service", "store", "feed", "telemetry", "domain"]),
    //
    ("kafka", &["store", "contract", "domain"]),
    ("relay", &["kafka", "store", "feed", "contract", "clock", "telemetry", "domain"]),
    ("tail", &["store", "contract", "domain"]),
    //
    ("cli", &["domain"]),
    ("exit", &["config", "templates", "tail", "telemetry"]),
    ("run", EVERYTHING),
    ("main", EVERYTHING),
    ("lib", EVERYTHING),
];

const EVERYTHING: &[&str] = &["*"];

/// Siblings that must not know of each other.
const STRANGERS: [(&str, &str); 2] = [("api::rest", "api::grpc"), ("api::grpc", "api::rest")];

/// What a pure function has no use for: paths that begin like this.
const NOT_IN_DOMAIN: [&str; 17] = [
    "tokio",
    "tokio_util",
    "tonic",
    "axum",
    "http",
    "hyper",
    "sqlx",
    "rdkafka",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "chrono::Utc::now",
];

/// A source file: the module that it is, and its text.
struct Source {
    module: String,
    text: String,
}

#[test]
fn imports_run_one_way() {
    report(sources().iter().flat_map(wrong_imports));
}

#[test]
fn the_domain_does_no_io() {
    report(sources().iter().filter(|source| is_within(&source.module, "domain")).flat_map(impurities));
}

#[test]
fn every_file_says_what_it_is_for() {
    report(sources().iter().filter_map(missing_header));
}

#[test]
fn the_architecture_has_a_place_for_every_module() {
    let lost = sources().into_iter().filter(|source| rights(&source.module).is_none());
    report(lost.map(|source| format!("{} has no row in MAY_USE", source.module)));
}

#[test]
fn an_import_against_the_direction_is_found() {
    let wrong = |module: &str, text: &str| wrong_imports(&source(module, text));
    assert_eq!(wrong("domain::state", "use crate::store::Store;"), ["domain::state uses crate::store::Store"]);
    assert_eq!(wrong("store::plan", "use crate::{domain::Event, feed};"), ["store::plan uses crate::feed"]);
    assert_eq!(wrong("feed", "fn f(_: &super::relay::Relay) {}"), ["feed uses crate::relay::Relay"]);
    assert_eq!(wrong("api::rest", "use super::grpc::Server;"), ["api::rest uses crate::api::grpc::Server"]);
    assert_eq!(wrong("api::rest", "use crate::store::Store;"), ["api::rest uses crate::store::Store"]);
    assert_eq!(wrong("api::admin", "use crate::store::Store;"), [""; 0]);
    assert_eq!(wrong("main", "use crate::store::Store;"), [""; 0]);
    assert_eq!(wrong("tail::tests", "use crate::kafka::Record;"), [""; 0]);
    assert_eq!(wrong("domain::state", "// crate::store\nuse super::Event; use crate::domain::Status;"), [""; 0]);
}

#[test]
fn io_in_the_domain_is_found() {
    let found = |text: &str| impurities(&source("domain::time", text)).len();
    assert_eq!(found("use std::{fmt, fs::File};"), 1);
    assert_eq!(found("use std::time::{Duration, Instant};"), 1);
    assert_eq!(found("use chrono::Utc;\nfn f() { Utc::now(); }"), 1);
    assert_eq!(found("fn f() { tokio::spawn(async {}); }"), 1);
    assert_eq!(found("use std::fmt; // std::fs\n/* std::net */ const S: &str = \"std::env\";"), 0);
}

#[test]
fn a_file_without_a_header_is_found() {
    assert!(missing_header(&source("x", "use std::fmt;\n//! late")).is_some());
    assert!(missing_header(&source("x", "//! What it is for.\n")).is_none());
    assert!(missing_header(&source("x", "#![doc = include_str!(\"../README.md\")]\n")).is_none());
}

fn wrong_imports(source: &Source) -> Vec<String> {
    let root = source.module.split("::").next().unwrap();
    let rights = rights(&source.module).unwrap_or_default();
    let is_wrong = |path: &&String| {
        let used = path.strip_prefix("crate::").unwrap_or_default();
        let top = used.split("::").next().unwrap();
        let is_ours = MAY_USE.iter().any(|(module, _)| *module == top);
        let is_allowed = top == root || rights.contains(&top) || rights.contains(&"*");
        let meets_stranger =
            STRANGERS.iter().any(|(one, other)| is_within(&source.module, one) && is_within(used, other));
        (is_ours && !is_allowed) || meets_stranger
    };
    let paths: BTreeSet<String> =
        paths(&source.text).iter().filter_map(|path| in_crate(&source.module, path)).collect();
    paths.iter().filter(is_wrong).map(|path| format!("{} uses {path}", source.module)).collect()
}

fn impurities(source: &Source) -> Vec<String> {
    let is_impure = |path: &&String| {
        let begins = |forbidden: &&str| is_within(path, forbidden);
        // The clock of chrono is reached through an imported name too.
        NOT_IN_DOMAIN.iter().any(begins) || is_within(path, "Utc::now")
    };
    paths(&source.text).iter().filter(is_impure).map(|path| format!("{} uses {path}", source.module)).collect()
}

fn missing_header(source: &Source) -> Option<String> {
    let has_header = source.text.starts_with("//! ") || source.text.starts_with("#![doc");
    (!has_header).then(|| format!("{} does not begin with a `//!` line that says what it is for", source.module))
}

/// What a module may use; the longest row that it lies in.
fn rights(module: &str) -> Option<&'static [&'static str]> {
    if module.split("::").any(|name| name == "tests") {
        return Some(EVERYTHING);
    }
    let rows = MAY_USE.iter().filter(|(row, _)| is_within(module, row));
    rows.max_by_key(|(row, _)| row.len()).map(|(_, rights)| *rights)
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A path as seen from the root of the crate; `None` if it does not lead there. `super` in a module within the file climbs
/// less far than is assumed here, and so arrives at a name that is no module of ours.
fn in_crate(module: &str, path: &str) -> Option<String> {
    if path.starts_with("crate::") {
        return Some(path.to_owned());
    }
    let mut here: Vec<&str> = module.split("::").collect();
    let mut rest = path;
    while let Some(climbed) = rest.strip_prefix("super::") {
        here.pop()?;
        rest = climbed;
    }
    if rest == path {
        return None;
    }
    here.insert(0, "crate");
    here.push(rest);
    Some(here.join("::"))
}

/// Every path in the code, with the groups of `use` written out.
fn paths(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut paths = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        rest = read_path(rest, String::new(), &mut paths);
    }
    paths
}

/// Reads what begins here, which is one path, a group of paths or something else; gives what comes after.
fn read_path<'t>(tokens: &'t [String], prefix: String, paths: &mut Vec<String>) -> &'t [String] {
    let Some((first, mut rest)) = tokens.split_first() else { return tokens };
    if first == "{" && !prefix.is_empty() {
        while rest.first().is_some_and(|token| token != "}") {
            rest = read_path(rest, prefix.clone(), paths);
        }
        return rest.get(1..).unwrap_or_default();
    }
    if !is_name(first) {
        return rest;
    }
    let path = prefix + first;
    match rest.split_first() {
        Some((separator, after)) if separator == "::" => read_path(after, path + "::", paths),
        _ => {
            paths.push(path);
            rest
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Names, `::` and single characters, without comments and texts.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            text_length(rest)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let token = &rest[..length];
        let is_skipped = token.starts_with("//") || token.starts_with("/*") || first == '"' || first.is_whitespace();
        if !is_skipped {
            tokens.push(token.to_owned());
        }
        rest = &rest[length..];
        // A quote as a character would be taken for the beginning of a text.
        if token == "'" && rest.starts_with("\"'") {
            rest = &rest[2..];
        }
    }
    tokens
}

/// Length of a text in quotes; `\"` does not end it.
fn text_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return index + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are under {}", root.display());
    let read = |file: PathBuf| {
        let relative = file.strip_prefix(&root).unwrap().with_extension("");
        let names = relative.iter().map(|name| name.to_str().unwrap()).filter(|name| *name != "mod");
        Source { module: names.collect::<Vec<_>>().join("::"), text: fs::read_to_string(&file).unwrap() }
    };
    files.into_iter().map(read).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn source(module: &str, text: &str) -> Source {
    Source { module: module.to_owned(), text: text.to_owned() }
}

fn report(problems: impl Iterator<Item = String>) {
    let problems: Vec<String> = problems.collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
