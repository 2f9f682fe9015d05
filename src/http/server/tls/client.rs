//! What a connection knows about its client. A certificate is judged again, per request, once the configuration or the time has
//! moved on; a handshake proves only that it was valid then.

use std::sync::{Arc, Mutex, PoisonError};

use http::Extensions;
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use crate::runtime::tls::{Judgement, ServerEndPoint, Tls};

/// The client of a connection. Clones share it.
#[derive(Clone, Debug)]
pub(in super::super) enum Client {
    /// A connection without TLS.
    Plain,
    /// A connection of the unix socket.
    Local,
    /// A connection with TLS.
    Encrypted(Arc<Encrypted>),
}

/// The client of a TLS connection.
#[derive(Debug)]
pub(in super::super) struct Encrypted {
    /// The binding to the certificate that the server presented, which stays the same when the files change.
    end_point: Option<ServerEndPoint>,
    identity: Identity,
}

/// What a client has said about itself in the handshake.
#[derive(Debug)]
enum Identity {
    /// Nothing: the port does not ask for certificates.
    Unasked,
    /// It has no certificate.
    Anonymous {
        /// Whether the port requires one.
        is_refused: bool,
    },
    /// It has a certificate.
    Certified(Certified),
}

/// A client with a certificate.
#[derive(Debug)]
struct Certified {
    tls: Tls,
    /// The client's own certificate first.
    chain: Vec<CertificateDer<'static>>,
    /// The last result; `None` if the certificate was refused.
    judgement: Mutex<Option<Judgement>>,
}

/// An extension of requests that came through the unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalSocket;

/// An extension of requests that must be refused as unauthenticated because of the client's certificate. `Display` is the message
/// for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CertificateRefused {
    /// The port requires a certificate.
    #[error("this port requires a client certificate")]
    Missing,
    /// The certificate has expired or was revoked since the handshake, or its CA is no longer accepted.
    #[error("the client certificate is no longer accepted; connect again with a valid one")]
    Withdrawn,
}

impl Client {
    /// The client of a finished handshake, in which the server presented the certificate of `end_point`.
    pub(super) fn of(tls: &Tls, end_point: Option<ServerEndPoint>, chain: Option<&[CertificateDer<'static>]>) -> Self {
        let identity = match (&tls.settings().clients, chain) {
            (None, _) => Identity::Unasked,
            (Some(settings), None | Some([])) => Identity::Anonymous { is_refused: settings.is_required },
            (Some(_), Some(chain)) => {
                let certified = Certified { tls: tls.clone(), chain: chain.to_vec(), judgement: Mutex::default() };
                // A resumed session has not verified the certificate again.
                certified.judge();
                Identity::Certified(certified)
            }
        };
        Self::Encrypted(Arc::new(Encrypted { end_point, identity }))
    }

    /// Whether the connection has TLS.
    pub(in super::super) const fn is_encrypted(&self) -> bool {
        matches!(self, Self::Encrypted(_))
    }

    /// Adds what is known about the client to a request: [`LocalSocket`], the [`ServerEndPoint`], and a [`PeerCertificate`](crate::runtime::tls::PeerCertificate) or a
    /// [`CertificateRefused`]. False if the connection has to end with this request.
    pub(in super::super) fn admit(&self, extensions: &mut Extensions) -> bool {
        let encrypted = match self {
            Self::Plain => return true,
            Self::Local => {
                extensions.insert(LocalSocket);
                return true;
            }
            Self::Encrypted(encrypted) => encrypted,
        };
        if let Some(end_point) = &encrypted.end_point {
            extensions.insert(end_point.clone());
        }
        let refused = match &encrypted.identity {
            Identity::Unasked | Identity::Anonymous { is_refused: false } => return true,
            Identity::Anonymous { is_refused: true } => CertificateRefused::Missing,
            Identity::Certified(certified) => match certified.judge() {
                Some(judgement) => {
                    extensions.insert(judgement.certificate);
                    return true;
                }
                None => CertificateRefused::Withdrawn,
            },
        };
        extensions.insert(refused);
        false
    }

    /// The name of the CA that issued the certificate, for metrics.
    pub(super) fn authority(&self) -> Option<String> {
        let Self::Encrypted(encrypted) = self else { return None };
        let Identity::Certified(certified) = &encrypted.identity else { return None };
        certified.judge().map(|judgement| judgement.certificate.authority().name.clone())
    }
}

impl Certified {
    /// The result for now. It is computed again only if it may have changed.
    fn judge(&self) -> Option<Judgement> {
        let (current, now) = (self.tls.current(), self.tls.now());
        let mut judgement = self.judgement.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |last: &Judgement| last.certificate.generation() == current.number && now.as_secs() <= last.until;
        if !judgement.as_ref().is_some_and(holds) {
            let (leaf, intermediates) = self.chain.split_first()?;
            let clients = current.clients.as_ref()?;
            *judgement = clients.verify(leaf, intermediates, now).ok();
        }
        judgement.clone()
    }
}
