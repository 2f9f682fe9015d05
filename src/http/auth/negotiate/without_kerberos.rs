//! The acceptor of builds without the feature `negotiate`: there is none, so such a configuration is refused at start.

use std::path::Path;

use super::refusal::Refusal;
use super::start::StartError;
use super::ticket::Ticket;

/// Has no values.
#[derive(Debug)]
pub(super) enum Acceptor {}

impl Acceptor {
    pub(super) const fn new(_service: &str, _keytab: &Path, _replay_cache: &Path) -> Result<Self, StartError> {
        Err(StartError::NotBuilt)
    }

    pub(super) const fn accept(&self, _token: &[u8], _bindings: Option<&[u8]>) -> Result<Ticket, Refusal> {
        match *self {}
    }
}
