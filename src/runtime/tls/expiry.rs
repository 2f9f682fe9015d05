//! When certificates and CRLs expire, as metrics. They are set at each scrape from the configuration in force, so they follow a
//! reload.

use std::mem;

use super::settings::TlsPort;
use crate::domain::Timestamp;
use crate::runtime::telemetry::names;

/// A certificate or CRL in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// What it is.
    pub kind: ExpiryKind,
    /// Its name, for people.
    pub name: String,
    /// The begin of its validity.
    pub from: Timestamp,
    /// The end of its validity.
    pub at: Timestamp,
}

/// What expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryKind {
    /// The certificate of the server.
    Server,
    /// A CA of client certificates.
    ClientCa,
    /// A CRL of such a CA.
    Crl,
}

impl ExpiryKind {
    /// The label of metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::ClientCa => "client_ca",
            Self::Crl => "crl",
        }
    }
}

/// Sets the metrics of a port. `recorded` holds what was set before; of it, what is no longer in force gets no value.
pub(super) fn record(port: TlsPort, in_force: &[Expiry], recorded: &mut Vec<Expiry>, now: Timestamp) {
    let before = mem::replace(recorded, in_force.to_vec());
    let is_in_force = |old: &Expiry| in_force.iter().any(|new| (new.kind, &new.name) == (old.kind, &old.name));
    for old in before.iter().filter(|old| !is_in_force(old)) {
        set(port, old, f64::NAN, f64::NAN);
    }
    for expiry in in_force {
        let seconds_left = (expiry.at.micros() - now.micros()) as f64 / 1e6;
        set(port, expiry, seconds_left, expiry.at.micros() as f64 / 1e6);
    }
}

fn set(port: TlsPort, expiry: &Expiry, seconds_left: f64, timestamp: f64) {
    for (metric, value) in [(names::TLS_SECONDS_LEFT, seconds_left), (names::TLS_EXPIRY, timestamp)] {
        let name = expiry.name.clone();
        metrics::gauge!(metric, "port" => port.label(), "kind" => expiry.kind.label(), "name" => name).set(value);
    }
}
