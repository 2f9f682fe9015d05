//! Authenticates callers by client certificate. The result depends on the certificate alone, so it is kept.

use std::sync::Arc;

use super::kept::KeptByCertificate;
use super::rejection::CertificateRejection;
use super::rule::Rules;
use crate::domain::Caller;
use crate::runtime::tls::PeerCertificate;

/// The callers of the rules.
#[derive(Debug)]
pub struct Certificates {
    rules: Rules,
    kept: KeptByCertificate<Arc<Caller>>,
}

impl Certificates {
    /// Callers by these rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, kept: KeptByCertificate::default() }
    }

    /// Whether there are no rules, so that no certificate identifies a caller.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.0.is_empty()
    }

    /// The names of the rules' entries.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rules.0.iter().map(|rule| &rule.name)
    }

    /// The caller that a certificate identifies.
    ///
    /// # Errors
    /// The certificate identifies no caller, or more than one.
    pub fn caller(&self, peer: &PeerCertificate) -> Result<Arc<Caller>, CertificateRejection> {
        self.kept.get_or_try(peer, || self.rules.caller(peer).map(Arc::new))
    }
}
