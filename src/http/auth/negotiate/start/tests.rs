//! Replay caches that are refused at start.

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
