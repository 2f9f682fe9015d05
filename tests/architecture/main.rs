//! The architecture that the compiler does not know: which room may use which, how many rooms and floors there are, that no
//! files use each other in a circle, that the domain does no I/O, and that every file says what it is for.
//!
//! A room is a folder or file directly under `src`, `proto` or `benches`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read the sources fails")]

mod docs;
mod graph;
mod rooms;
mod source;
mod tests;

use graph::{Circle, Graph};
use rooms::{Room, room_of};
use source::{Source, Use, sources};

/// The rooms of `src`, floor by floor from the top. A room may use itself and the rooms on lower floors, nothing else.
const FLOORS: [&[&str]; 9] = [
    &["main", "lib"],
    &["cli"],
    &["http"],
    &["grpc", "mimcm"],
    &["service", "relay"],
    &["feed"],
    &["config", "contract", "store"],
    &["runtime"],
    &["domain"],
];

/// What must not use what, although the floors would allow it. The longest row that begins a module's name counts, and a row
/// without a right side forbids nothing.
///
/// The store is told what to write, so it uses neither what decides nor the encoding of events.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    ("http", &["store", "feed", "relay", "config"]),
    ("http::admin", &[]),
    ("mimcm", &["contract", "store", "feed", "relay", "config"]),
    ("grpc", &["store", "feed", "relay", "config"]),
    ("service", &["config", "contract"]),
    ("service::batch", &["config"]),
    ("relay", &["config"]),
    ("store", &["domain::credential::effect::import", "domain::decide", "domain::request::creation", "runtime::clock"]),
    ("feed", &["config", "contract"]),
];

/// Most rooms.
const MAX_ROOMS: usize = 16;
/// Most floors.
const MAX_FLOORS: usize = 9;
/// Largest part of all lines that one room may have, in percent.
const MAX_SHARE: usize = 20;

/// Paths that a pure function has no use for.
const NOT_IN_DOMAIN: [&str; 17] = [
    "axum",
    "chrono::Utc::now",
    "http",
    "hyper",
    "rdkafka",
    "sqlx",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "tokio_util",
    "tonic",
];

#[test]
fn every_room_has_its_floor() {
    let sources = sources();
    let lost = sources.iter().filter(|source| floor_of(&source.name()).is_none());
    report(lost.map(|source| format!("{} has no floor in FLOORS", source.file)));
    assert!(FLOORS.len() <= MAX_FLOORS, "{} floors; the limit is {MAX_FLOORS}", FLOORS.len());
}

#[test]
fn imports_run_down_the_floors() {
    let sources = sources();
    report(wrong_uses(&Graph::of(&sources)));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = sources();
    let circles = Graph::of(&sources).circles();
    let describe = |circle: &Circle| format!("{} in a circle: {}", circle.files.join(", "), circle.ties.join("; "));
    report(circles.iter().map(describe));
}

#[test]
fn no_room_is_too_large_and_there_are_not_too_many() {
    let rooms = rooms::all();
    let lines: usize = rooms.iter().map(|room| room.lines).sum();
    let is_large = |room: &&Room| room.lines * 100 > lines * MAX_SHARE;
    report(rooms.iter().filter(is_large).map(|room| {
        format!("{} has {} of {lines} lines, at most {MAX_SHARE} % may be in one room", room.path, room.lines)
    }));
    let names: Vec<&str> = rooms.iter().map(|room| room.path.as_str()).collect();
    assert!(names.len() <= MAX_ROOMS, "{} rooms; the limit is {MAX_ROOMS}: {names:?}", names.len());
}

#[test]
fn the_domain_does_no_io() {
    report(sources().iter().filter(|source| is_within(&source.name(), "domain")).flat_map(impurities));
}

#[test]
fn every_file_says_what_it_is_for() {
    report(sources().iter().filter_map(missing_header));
}

/// Uses that run up, across, or into what is forbidden.
fn wrong_uses(graph: &Graph<'_>) -> Vec<String> {
    let is_wrong = |user: &Source, used: &Source| {
        let (from, to) = (user.name(), used.name());
        let runs_down = room_of(&from) == room_of(&to) || floor_of(&from) < floor_of(&to);
        !runs_down || forbidden(&from).iter().any(|forbidden| is_within(&to, forbidden))
    };
    let wrong = graph.uses().filter(|(user, _, used)| is_wrong(user, used));
    wrong.map(|(user, line, used)| format!("{}:{line} uses {}", user.file, used.file)).collect()
}

/// Number of the floor of a module, counted from the top.
fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room_of(module)))
}

fn forbidden(module: &str) -> &'static [&'static str] {
    let rows = FORBIDDEN.iter().filter(|(row, _)| is_within(module, row));
    rows.max_by_key(|(row, _)| row.len()).map(|(_, forbidden)| *forbidden).unwrap_or_default()
}

fn impurities(source: &Source) -> Vec<String> {
    let is_impure = |used: &&Use| {
        let path = used.path.join("::");
        // The clock of chrono is reached through an imported name, too.
        NOT_IN_DOMAIN.iter().any(|forbidden| is_within(&path, forbidden)) || is_within(&path, "Utc::now")
    };
    let describe = |used: &Use| format!("{}:{} uses {}", source.file, used.line, used.path.join("::"));
    source.uses.iter().filter(is_impure).map(describe).collect()
}

fn missing_header(source: &Source) -> Option<String> {
    let has_header = source.text.starts_with("//! ") || source.text.starts_with("#![doc");
    (!has_header).then(|| format!("{} does not begin with a `//!` line that says what it is for", source.file))
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn report(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
