//! A client of Kerberos through MIT krb5 (`python3-gssapi`): it binds its tickets to a channel and checks the answer of the service.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::curl::Curl;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/negotiate/initiator.py");

/// A ticket that was not sent yet, or whose answer is awaited.
pub(super) struct Initiator {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    authorization: String,
}

impl Initiator {
    /// Makes a ticket with the credentials of a user, bound to application data.
    pub(super) fn begin(user: &Curl, binding: Option<&[u8]>) -> Self {
        let mut process = Command::new("/usr/bin/python3")
            .arg(SCRIPT)
            .args(binding.map(|data| STANDARD.encode(data)))
            .envs(user.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut initiator = Self { process, input, output: BufReader::new(output), authorization: String::new() };
        initiator.authorization = format!("Negotiate {}", initiator.line());
        initiator
    }

    /// The header Authorization.
    pub(super) fn authorization(&self) -> &str {
        &self.authorization
    }

    /// What the client says to the value of the header WWW-Authenticate in the response.
    pub(super) fn judge(mut self, answer: &str) -> String {
        let token = answer.strip_prefix("Negotiate ").unwrap_or_else(|| panic!("no token: {answer}"));
        writeln!(self.input, "{token}").unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the client ended");
        line.trim_end().to_owned()
    }
}

impl Drop for Initiator {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
