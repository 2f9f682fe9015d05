//! TLS of a connection: its handshake, and what is known about its client.

mod client;
mod handshake;

pub use client::{CertificateRefused, LocalSocket};

pub(super) use client::Client;
pub(super) use handshake::{Handshakes, Opened};

#[cfg(test)]
mod tests;
