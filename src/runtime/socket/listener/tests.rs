//! The file of a unix socket: its mode, its life, and what it replaces.

use super::*;

#[tokio::test]
async fn the_file_of_a_socket_is_private_and_lives_as_long_as_the_listener() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proxy.sock");
    let listener = Listener::unix(&path).unwrap();
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert_eq!((metadata.mode() & 0o777, metadata.file_type().is_socket()), (0o660, true));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    let taken = Listener::unix(&path).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse, "{taken}");
    let (connected, accepted) = tokio::join!(tokio::net::UnixStream::connect(&path), listener.accept());
    assert!(connected.is_ok() && accepted.unwrap().1.is_none());
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_another_file_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proxy.sock");
    // The standard library leaves the file behind, as a killed process does.
    drop(unix::UnixListener::bind(&path).unwrap());
    let first = Listener::unix(&path).unwrap();
    // Another process has replaced the socket: its file stays.
    fs::remove_file(&path).unwrap();
    let second = Listener::unix(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    fs::write(&path, "precious").unwrap();
    assert_eq!(Listener::unix(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}
