//! Kerberos tickets of Windows callers, sent as `Authorization: Negotiate` over HTTP/1.1 (RFC 4559). Each request carries a ticket of
//! its own: a connection may be shared by users behind a proxy.

mod header;
mod keytab;
mod pac;
mod refusal;
mod start;
mod ticket;

#[cfg(feature = "negotiate")]
mod kerberos;
#[cfg(not(feature = "negotiate"))]
#[path = "without_kerberos.rs"]
mod kerberos;

use std::path::PathBuf;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Version};
use tokio::sync::{AcquireError, Semaphore};
use tokio::task::spawn_blocking;

use self::kerberos::Acceptor;
use self::refusal::Refusal;
use crate::domain::Caller;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::{LineLimit, names};
use crate::runtime::tls::ServerEndPoint;

pub use header::MAX_TICKET_BYTES;
pub use keytab::{KeytabEntry, KeytabError};
pub use pac::{LogonInfo, PacError};
pub use start::StartError;

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

/// Whether tickets must be bound to the TLS connection (RFC 5929).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// They are not compared.
    Off,
    /// A binding that the client sends must be right.
    WhenSent,
    /// The client must send the right binding.
    Required,
}

/// A call is not authenticated. Callers do not learn more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// The ticket is not accepted; the operator learns the reason.
    Refused,
    /// Too many tickets wait.
    Overloaded,
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
        let keys = start::service_keys(&keytab)?;
        start::check_replay_cache(&replay_cache)?;
        let acceptor = Arc::new(Acceptor::new(start::SERVICE, &keytab, &replay_cache)?);
        if realms.is_empty() {
            realms = start::realms(&keys);
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
    pub fn has_ticket(parts: &Parts) -> bool {
        Self::is_offered_on(parts.version) && header::is_present(&parts.headers)
    }

    /// Whether tickets are accepted over a version of HTTP. HTTP/2 has no Negotiate: its clients expect an authenticated connection.
    #[must_use]
    pub fn is_offered_on(version: Version) -> bool {
        version == Version::HTTP_11
    }

    /// The caller of a request according to its ticket.
    ///
    /// # Errors
    /// The ticket is not accepted, or too many tickets wait.
    pub async fn authenticate(&self, parts: &Parts) -> Result<Arc<Caller>, NotAccepted> {
        let Ok(_place) = self.places.try_acquire() else { return Err(NotAccepted::Overloaded) };
        match self.check(parts).await {
            Ok(caller) => Ok(Arc::new(caller)),
            Err(refusal) => {
                self.report(&refusal);
                Err(NotAccepted::Refused)
            }
        }
    }

    async fn check(&self, parts: &Parts) -> Result<Caller, Refusal> {
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
        let ticket = checked.await.map_err(|error| Refusal::Fault(error.to_string()))??;
        if self.channel_binding == ChannelBinding::Required && !ticket.is_bound {
            return Err(Refusal::Unbound);
        }
        ticket.caller(&self.realms, self.clock.now())
    }

    /// Counts a refusal, and logs it within a limit.
    fn report(&self, refusal: &Refusal) {
        let check = refusal.check();
        metrics::counter!(names::CALLS_NOT_AUTHENTICATED, "check" => check).increment(1);
        let Some(suppressed) = self.lines.admit() else { return };
        if matches!(refusal, Refusal::Fault(_)) {
            tracing::error!(check, suppressed, "the caller is not authenticated: {refusal}");
        } else {
            tracing::info!(check, suppressed, "the caller is not authenticated: {refusal}");
        }
    }
}
