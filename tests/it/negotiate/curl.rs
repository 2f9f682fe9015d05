//! curl as a client of Negotiate, with the ticket of a user.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;

use crate::support::client::REQUESTS;

/// A user's client.
pub(super) struct Curl {
    krb5_conf: PathBuf,
    cache: PathBuf,
}

/// What curl received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    /// The version of HTTP of the last answer.
    pub(super) version: String,
    /// The heads of all answers.
    pub(super) heads: String,
    pub(super) body: String,
}

impl Curl {
    pub(super) const fn new(krb5_conf: PathBuf, cache: PathBuf) -> Self {
        Self { krb5_conf, cache }
    }

    /// Sends a request to a path with a ticket.
    pub(super) fn send(&self, service: SocketAddr, path: &str, arguments: &[&str]) -> Received {
        let url = format!("http://localhost:{}{path}", service.port());
        self.run(&[&["--negotiate", "--user", ":", &url], arguments].concat())
    }

    /// Creates a request and returns its id.
    pub(super) fn create(&self, service: SocketAddr, body: &str) -> String {
        let created = self.send(service, REQUESTS, &["--json", body]);
        assert_eq!(created.status, 201, "{created:?}");
        let address: String = serde_json::from_str(&created.body).unwrap();
        address.rsplit('/').next().unwrap().to_owned()
    }

    /// Reads a request.
    pub(super) fn view(&self, service: SocketAddr, id: &str) -> Value {
        let read = self.send(service, &format!("{REQUESTS}/{id}"), &[]);
        assert_eq!(read.status, 200, "{read:?}");
        serde_json::from_str(&read.body).unwrap()
    }

    /// The header Authorization with a fresh token for `localhost`, which no service has seen.
    pub(super) fn authorization(&self, arguments: &[&str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let recording = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut buffer = [0; 4096];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "curl closed the connection");
                head.extend(&buffer[..read]);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            String::from_utf8(head).unwrap()
        });
        assert_eq!(self.send(address, "/", arguments).status, 204);
        let head = recording.join().unwrap();
        let header = head.lines().find_map(|line| line.strip_prefix("Authorization: "));
        header.unwrap_or_else(|| panic!("curl sent no ticket: {head}")).to_owned()
    }

    /// The environment in which Kerberos finds the ticket.
    pub(super) fn environment(&self) -> [(&'static str, &Path); 2] {
        [("KRB5_CONFIG", &self.krb5_conf), ("KRB5CCNAME", &self.cache)]
    }

    /// Runs curl with the ticket at hand.
    pub(super) fn run(&self, arguments: &[&str]) -> Received {
        let Output { status, stdout, stderr } = Command::new("curl")
            .envs(self.environment())
            .args([
                "--silent",
                "--show-error",
                "--ipv4",
                "--max-time",
                "120",
                "--include",
                "--write-out",
                "\n%{http_version} %{http_code}",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let output = String::from_utf8(stdout).unwrap();
        let (answers, last) = output.rsplit_once('\n').unwrap();
        let (heads, body) = answers.rsplit_once("\r\n\r\n").unwrap();
        let (version, status) = last.split_once(' ').unwrap();
        let (version, status) = (version.to_owned(), status.parse().unwrap());
        Received { status, version, heads: heads.to_owned(), body: body.to_owned() }
    }
}
