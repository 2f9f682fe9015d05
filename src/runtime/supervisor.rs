//! Tells the supervisor of the process when it is ready and when it stops: the protocol of `sd_notify(3)`, as systemd speaks it to units
//! with `Type=notify`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The environment variable that names the supervisor's socket.
pub const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// A supervisor that waits for notices; without one, notices go nowhere.
#[derive(Debug, Default)]
pub struct Supervisor(Option<Socket>);

#[derive(Debug)]
struct Socket {
    own: UnixDatagram,
    supervisor: SocketAddr,
}

impl Supervisor {
    /// The supervisor behind a socket: a path, or `@` and a name in Linux's abstract namespace. `None` if there is no supervisor.
    ///
    /// # Errors
    /// The name is not that of a socket, or the process cannot open one.
    pub fn at(name: Option<&OsStr>) -> io::Result<Self> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Self(None)) };
        let supervisor = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => abstract_address(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        Ok(Self(Some(Socket { own: UnixDatagram::unbound()?, supervisor })))
    }

    /// The service serves.
    pub fn ready(&self, status: &str) {
        self.notify(&format!("READY=1\nSTATUS={}\n", status.replace('\n', " ")));
    }

    /// The service drains and will end.
    pub fn stopping(&self) {
        self.notify("STOPPING=1\n");
    }

    fn notify(&self, state: &str) {
        let Some(socket) = &self.0 else { return };
        if let Err(error) = socket.own.send_to_addr(state.as_bytes(), &socket.supervisor) {
            tracing::warn!(%error, "cannot notify the supervisor of the process");
        }
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has abstract names of sockets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn notices_arrive_at_a_path_and_at_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("cmgate-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap();
        for (socket, name) in [(by_path, path.into_os_string()), (by_name, format!("@{name}").into())] {
            let supervisor = Supervisor::at(Some(&name)).unwrap();
            supervisor.ready("two\nlines");
            assert_eq!(received(&socket), "READY=1\nSTATUS=two lines\n");
            supervisor.stopping();
            assert_eq!(received(&socket), "STOPPING=1\n");
        }
    }

    #[test]
    fn without_a_supervisor_nothing_happens() {
        for name in [None, Some(OsStr::new(""))] {
            Supervisor::at(name).unwrap().ready("x");
        }
        Supervisor::at(Some(OsStr::new("/no/such/socket"))).unwrap().stopping();
        assert!(Supervisor::at(Some(OsStr::new(&"x".repeat(200)))).is_err());
    }
}
