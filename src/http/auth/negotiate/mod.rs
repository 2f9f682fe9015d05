//! Kerberos tickets of Windows callers, sent as `Authorization: Negotiate` over HTTP/1.1 (RFC 4559). Each request carries a ticket of
//! its own: a connection may be shared by users behind a proxy.

pub mod keytab;

mod header;
mod pac;
mod refusal;
mod start;
mod ticket;

#[cfg(feature = "negotiate")]
mod kerberos;
#[cfg(not(feature = "negotiate"))]
#[path = "without_kerberos.rs"]
mod kerberos;

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version};
use tokio::sync::{AcquireError, Semaphore};
use tokio::task::spawn_blocking;

use self::kerberos::Acceptor;
use self::keytab::Keytab;
use super::authenticated::Authenticated;
use crate::domain::Caller;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::LineLimit;
use crate::runtime::tls::{ChannelBinding, ServerEndPoint};

pub use header::MAX_TICKET_BYTES;
pub use pac::{LogonInfo, PacError};
pub use refusal::Refusal;
pub use start::StartError;
pub use ticket::ENTRY;

/// The challenge (RFC 4559, 4.1).
pub const CHALLENGE: HeaderValue = HeaderValue::from_static("Negotiate");

/// Maximum number of tickets that are checked at the same time. Each takes a thread, about 0.1 ms, and a lock on the replay cache.
const TICKETS_AT_ONCE: usize = 8;
/// Maximum number of tickets that wait for their check; more are refused, since a waiting call holds up to 64 KiB.
const TICKETS_WAITING: usize = 256;

/// How tickets are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiateSettings {
    /// File with the keys of the principals `HTTP/host@REALM`.
    pub keytab: PathBuf,
    /// File in which the processes of this machine remember used tickets.
    pub replay_cache: PathBuf,
    /// Whether tickets must be bound to the TLS connection.
    pub channel_binding: ChannelBinding,
    /// Realms whose principals are accepted; empty for those of the keytab.
    pub realms: Vec<String>,
}

impl NegotiateSettings {
    /// Reads the keys of the service. Blocks.
    ///
    /// # Errors
    /// The keytab cannot be used, or this build lacks Kerberos.
    pub fn check(&self) -> Result<Keytab, StartError> {
        start::check_keytab(&self.keytab)
    }
}

/// Authenticates callers by their tickets.
#[derive(Debug)]
pub struct Negotiate {
    acceptor: Arc<Acceptor>,
    channel_binding: ChannelBinding,
    realms: Vec<String>,
    clock: Clock,
    /// Permits of calls that wait or are checked.
    places: Semaphore,
    /// Permits of calls that are checked.
    threads: Arc<Semaphore>,
    lines: LineLimit,
}

impl Negotiate {
    /// Checks the files and acquires the keys.
    ///
    /// # Errors
    /// Tickets could not be accepted with these settings.
    pub fn start(settings: NegotiateSettings, clock: Clock) -> Result<Self, StartError> {
        let NegotiateSettings { keytab, replay_cache, channel_binding, mut realms } = settings;
        let keys = start::check_keytab(&keytab)?;
        start::report(&keys);
        start::check_replay_cache(&replay_cache)?;
        let acceptor = Arc::new(Acceptor::new(keytab::SERVICE, &keytab, &replay_cache)?);
        if realms.is_empty() {
            realms = keys.realms();
        }
        Ok(Self {
            acceptor,
            channel_binding,
            realms,
            clock,
            places: Semaphore::new(TICKETS_AT_ONCE + TICKETS_WAITING),
            threads: Arc::new(Semaphore::new(TICKETS_AT_ONCE)),
            lines: LineLimit::default(),
        })
    }

    /// Whether a call has a ticket.
    #[must_use]
    pub fn has_ticket(headers: &HeaderMap) -> bool {
        header::is_present(headers)
    }

    /// The caller of a request according to its ticket, with the token that proves the service to the caller.
    ///
    /// # Errors
    /// The ticket is not accepted, or too many tickets wait.
    pub async fn authenticate(&self, parts: &Parts) -> Result<Authenticated, Refusal> {
        let Ok(_place) = self.places.try_acquire() else { return Err(Refusal::Overloaded) };
        let (caller, token) = self.check(parts).await.inspect_err(|refusal| self.report(refusal))?;
        Ok(Authenticated { caller: Arc::new(caller), answer: header::answer(&token) })
    }

    /// The caller, and the token that proves the service.
    async fn check(&self, parts: &Parts) -> Result<(Caller, Vec<u8>), Refusal> {
        // Negotiate is not defined for HTTP/2.
        if parts.version != Version::HTTP_11 {
            return Err(Refusal::Version);
        }
        let token = header::token(&parts.headers)?;
        let bindings = match self.channel_binding {
            ChannelBinding::Off => None,
            ChannelBinding::WhenSent | ChannelBinding::Required => parts.extensions.get::<ServerEndPoint>().cloned(),
        };
        let closed = |_: AcquireError| Refusal::Fault("the service stops".to_owned());
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(closed)?;
        let acceptor = Arc::clone(&self.acceptor);
        let checked = spawn_blocking(move || {
            let _held = thread;
            acceptor.accept(&token, bindings.as_ref().map(ServerEndPoint::as_bytes))
        });
        let mut ticket = checked.await.map_err(|error| Refusal::Fault(error.to_string()))??;
        if self.channel_binding == ChannelBinding::Required && !ticket.is_bound {
            return Err(Refusal::Unbound);
        }
        let answer = mem::take(&mut ticket.answer);
        Ok((ticket.caller(&self.realms, self.clock.now())?, answer))
    }

    /// Logs a fault of this machine, which concerns every caller, within a limit.
    fn report(&self, refusal: &Refusal) {
        if matches!(refusal, Refusal::Fault(_))
            && let Some(suppressed) = self.lines.admit()
        {
            tracing::error!(suppressed, "tickets cannot be checked: {refusal}");
        }
    }
}
