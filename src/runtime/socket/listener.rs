//! The listening socket of a port: TCP, or a unix socket, whose file exists only while the service listens.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use super::{Socket, UnixSocket};

/// Who may connect to the unix socket: the owner and the group of the process.
const MODE: u32 = 0o660;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket, and its file.
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket; dropping it removes the file.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number of the file, which tell it from one that another process created later.
    id: (u64, u64),
}

impl Listener {
    /// Listens on a unix socket. A socket that a killed process left behind is replaced.
    ///
    /// # Errors
    /// The path is in use, or the operating system refuses.
    pub fn unix(path: &Path) -> io::Result<Self> {
        check_free(path)?;
        // The file appears under its own name with its mode, never with a wider one.
        let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}", std::process::id()));
        let temporary = path.with_file_name(name);
        remove(&temporary)?;
        let listener = unix::UnixListener::bind(&temporary)?;
        let created = fs::set_permissions(&temporary, Permissions::from_mode(MODE))
            .and_then(|()| fs::symlink_metadata(&temporary))
            .and_then(|metadata| fs::rename(&temporary, path).map(|()| metadata));
        let metadata = created.inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })?;
        let file = SocketFile { path: path.to_owned(), id: (metadata.dev(), metadata.ino()) };
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)?, file))
    }

    /// The next connection, with the address of its client unless it is on this machine.
    ///
    /// # Errors
    /// The operating system refuses, for lack of file descriptors for example.
    pub async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), Some(peer)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(UnixSocket::new(stream)), None))
            }
        }
    }
}

/// Refuses a path that another process listens on, or that is no socket.
fn check_free(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "the path exists and is not a socket; remove it"));
    }
    match unix::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens on this socket")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.id);
        if is_own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
