//! What each state of the files and settings is reported as.

use std::fs::Permissions;
use std::num::NonZeroU32;
use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use super::super::report::Level;
use super::*;
use crate::service::Rate;

const TOKEN: &str = "canary-7f3a-0123456789abcdef0123456789abcdef";

fn directory(mode: u32) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
    directory
}

fn assert_found(finding: &Finding, level: Level, text: &str) {
    assert_eq!(finding.level, level, "{finding}");
    assert!(finding.text.contains(text), "{finding}");
    assert_eq!(finding.advice.is_some(), matches!(level, Level::Warning | Level::Fault), "{finding}");
}

#[test]
fn the_directory_of_the_socket_decides_who_may_replace_it() {
    for (mode, level, text) in [
        (0o750, Level::Ok, "no process listens now"),
        (0o755, Level::Ok, "no process listens now"),
        (0o757, Level::Warning, "every user of this machine may replace files in "),
        (0o1777, Level::Ok, "no process listens now"),
    ] {
        assert_found(&socket(&directory(mode).path().join("proxy.sock")), level, text);
    }
    let directory = directory(0o750);
    let path = directory.path().join("proxy.sock");
    let _listening = UnixListener::bind(&path).unwrap();
    assert_found(&socket(&path), Level::Ok, "a process listens");
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert_found(&socket(&file), Level::Fault, "exists and is not a socket");
    assert_found(&socket(&file.join("proxy.sock")), Level::Fault, "is not a directory");
    assert_found(&socket(&directory.path().join("none/proxy.sock")), Level::Fault, "cannot read ");
}

#[test]
fn the_tokens_of_the_admin_port_are_counted_and_not_shown() {
    let directory = directory(0o700);
    let path = directory.path().join("tokens");
    fs::write(&path, format!("# one\n{TOKEN}\n{TOKEN}x\n")).unwrap();
    for (mode, level) in [(0o600, Level::Ok), (0o640, Level::Ok), (0o644, Level::Warning)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let finding = admin_tokens(path.clone());
        assert_found(&finding, level, "2 tokens in ");
        assert!(!finding.to_string().contains(TOKEN), "{finding}");
    }
    fs::write(&path, "# none\n").unwrap();
    let empty = admin_tokens(path);
    assert_eq!(empty.level, Level::Fault);
    assert!(empty.text.contains("contains no token"), "{empty}");
}

#[test]
fn networks_of_the_internet_are_reported() {
    for (networks, is_reported) in
        [("10.0.0.0/8", false), ("10.0.0.0/8,fd00::/8", false), ("0.0.0.0/0", true), ("127.0.0.1,::/0", true)]
    {
        assert_eq!(super::networks(&networks.parse().unwrap()).is_some(), is_reported, "{networks}");
    }
}

#[test]
fn an_address_of_another_machine_is_a_fault_and_a_port_in_use_is_not() {
    let used = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(address(("listen", used)).is_none());
    // TEST-NET-1 (RFC 5737) belongs to no machine.
    assert_found(
        &address(("listen", "192.0.2.1:80".parse().unwrap())).unwrap(),
        Level::Fault,
        "cannot listen on 192.0.2.1",
    );
}

#[test]
fn production_without_a_limit_is_reported() {
    let none = CallerLimitSettings::default();
    assert_found(&limits(Mode::Production, &none), Level::Warning, "each caller: no limit; 0 entries and 0 callers");
    assert_found(&limits(Mode::Development, &none), Level::Ok, "no limit");
    let [per_second, burst] = [50, 100].map(|number| NonZeroU32::new(number).unwrap());
    let general = CallerLimit { rate: Some(Rate { per_second, burst }), calls: Some(NonZeroU32::MIN) };
    let entries = std::iter::once(("idp".into(), general)).collect();
    let some = CallerLimitSettings { general, entries, ..none };
    let finding = limits(Mode::Production, &some);
    assert_found(
        &finding,
        Level::Ok,
        "each caller: 50 calls per second (burst 100), 1 in flight; 1 entry and 0 callers",
    );
}
