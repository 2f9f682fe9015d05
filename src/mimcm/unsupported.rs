//! Endpoints that need a certification authority or smart card keys. The service has neither and answers them with 501.

/// An unsupported endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsupported {
    /// `/requests/{id}/certificaterequestgenerationoptions`
    GenerationOptions,
    /// `/requests/{id}/certificatedata`
    CertificateData,
    /// `/requests/{id}/smartcards/{id}/diversifiedkey`
    DiversifiedKey,
    /// `/requests/{id}/smartcards/{id}/authenticationresponse`
    AuthenticationResponse,
    /// `/requests/{id}/smartcards/{id}/serverproposedpin` and `/smartcards/{id}/serverproposedpin`
    ServerProposedPin,
    /// `/certificates`, `/smartcards/{id}/certificates` and `/profiles/{id}/certificates`
    Certificates,
}

impl Unsupported {
    /// The error message.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::GenerationOptions => {
                "This service has no certification authority and offers no options for certificate requests"
            }
            Self::CertificateData => "This service has no certification authority and issues no certificates",
            Self::DiversifiedKey => "This service holds no smart card keys and derives none",
            Self::AuthenticationResponse => "This service holds no smart card keys and answers no challenges",
            Self::ServerProposedPin => "This service holds no smart card keys and proposes no PINs",
            Self::Certificates => "This service has no certification authority and keeps no certificates",
        }
    }
}
