//! TLS configurations, by rustls on *ring*: the files of a port, the verification of client certificates, and reload of everything
//! as one configuration.
//!
//! Each configuration has a session store of its own. A client that a new configuration refuses, for example because it was
//! revoked, therefore cannot resume a session of an older one (RFC 8446, 2.2).

mod end_point;
mod error;
mod expiry;
mod files;
mod generation;
mod live;
mod names;
mod peer;
mod reason;
mod settings;
mod verify;

pub use end_point::{ChannelBinding, ServerEndPoint};
pub use error::TlsError;
pub use expiry::{Expiry, ExpiryKind};
pub use live::Tls;
pub use peer::{Authority, PeerCertificate};
pub(crate) use reason::of_chain as reason_of_refusal;
pub use settings::{ClientSettings, MinVersion, RuleCa, TlsPort, TlsSettings};

#[cfg(test)]
pub(crate) use live::Reloaded;
pub(crate) use verify::Judgement;
