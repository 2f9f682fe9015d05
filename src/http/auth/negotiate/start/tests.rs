//! Files that are refused at start.

use super::*;

#[test]
fn a_replay_cache_must_be_writable_and_is_private() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("replay");
    check_replay_cache(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "used").unwrap();
    check_replay_cache(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"used");
    let error = check_replay_cache(&directory.path().join("missing/replay")).unwrap_err().to_string();
    assert!(error.starts_with("auth.negotiate.replay_cache: cannot write "), "{error}");
}

#[test]
fn a_keytab_that_is_missing_or_no_keytab_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("http.keytab");
    let error = service_keys(&path).unwrap_err().to_string();
    assert_eq!(error, format!("auth.negotiate.keytab: cannot read {}", path.display()));
    std::fs::write(&path, "text").unwrap();
    let error = service_keys(&path).unwrap_err().to_string();
    assert_eq!(error, format!("auth.negotiate.keytab: {} is not a keytab", path.display()));
    std::fs::write(&path, [5, 2]).unwrap();
    let error = service_keys(&path).unwrap_err().to_string();
    assert!(error.ends_with("has no key of a principal HTTP/host@REALM; it has no key"), "{error}");
}
