//! The acceptor of builds with the feature `negotiate`: MIT krb5, through the crate `cmgate-gss`.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cmgate_gss::{Accepted, Error, Reason};

use super::header::mentions_ntlm;
use super::refusal::Refusal;
use super::start::StartError;
use super::ticket::Ticket;

/// Accepts tickets for the service.
#[derive(Debug)]
pub(super) struct Acceptor(cmgate_gss::Acceptor);

impl Acceptor {
    /// Acquires the keys of a service.
    pub(super) fn new(service: &str, keytab: &Path, replay_cache: &Path) -> Result<Self, StartError> {
        let keytab = named("FILE:", keytab)?;
        let replay_cache = named("file2:", replay_cache)?;
        let acceptor = cmgate_gss::Acceptor::new(service, &keytab, &replay_cache);
        acceptor.map(Self).map_err(|error| StartError::Kerberos(error.to_string()))
    }

    /// Judges a token. Blocks on the keytab and the replay cache.
    pub(super) fn accept(&self, token: &[u8], bindings: Option<&[u8]>) -> Result<Ticket, Refusal> {
        match self.0.accept(token, bindings) {
            Ok(Accepted { principal, seconds_left, is_bound, logon_info, answer }) => {
                Ok(Ticket { principal, seconds_left, is_bound, logon_info, answer })
            }
            Err(error) => Err(refusal(&error, token)),
        }
    }
}

fn refusal(error: &Error, token: &[u8]) -> Refusal {
    let text = error.to_string();
    match error.reason() {
        Reason::Incomplete => Refusal::Incomplete,
        Reason::Mechanism | Reason::Token if mentions_ntlm(token) => Refusal::Ntlm,
        Reason::Mechanism => Refusal::Mechanism,
        Reason::Token => Refusal::Token(text),
        Reason::Replay => Refusal::Replay,
        Reason::Bindings => Refusal::Bindings,
        Reason::Expired => Refusal::Expired(text),
        Reason::Clock => Refusal::Clock,
        Reason::Key => Refusal::Key(text),
        Reason::LogonInfo => Refusal::NotAuthenticated,
        Reason::Name => Refusal::Name(text),
        Reason::NoAttribute | Reason::Other => Refusal::Fault(text),
    }
}

/// A file as MIT krb5 names it.
fn named(kind: &str, path: &Path) -> Result<CString, StartError> {
    let bytes = [kind.as_bytes(), path.as_os_str().as_bytes()].concat();
    CString::new(bytes).map_err(|_| StartError::Kerberos(format!("{} has a NUL byte", path.display())))
}
