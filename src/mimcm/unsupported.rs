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
    /// `/certificates`
    Certificates,
    /// `/smartcards/{id}/certificates`
    SmartcardCertificates,
    /// `/profiles/{id}/certificates`
    ProfileCertificates,
}

impl Unsupported {
    /// The endpoint `/requests/{id}/<name>`, for a name in lower case.
    pub(super) fn of_request(name: &str) -> Option<Self> {
        match name {
            "certificaterequestgenerationoptions" => Some(Self::GenerationOptions),
            "certificatedata" => Some(Self::CertificateData),
            _ => None,
        }
    }

    /// The endpoint `/requests/{id}/smartcards/{id}/<name>`, for a name in lower case.
    pub(super) fn of_smartcard(name: &str) -> Option<Self> {
        match name {
            "diversifiedkey" => Some(Self::DiversifiedKey),
            "authenticationresponse" => Some(Self::AuthenticationResponse),
            "serverproposedpin" => Some(Self::ServerProposedPin),
            _ => None,
        }
    }

    /// The method of the endpoint in MIM CM.
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::CertificateData => "POST",
            Self::GenerationOptions
            | Self::DiversifiedKey
            | Self::AuthenticationResponse
            | Self::ServerProposedPin
            | Self::Certificates
            | Self::SmartcardCertificates
            | Self::ProfileCertificates => "GET",
        }
    }

    /// The route in metrics.
    pub(super) const fn route(self) -> &'static str {
        match self {
            Self::GenerationOptions => "GET /requests/{id}/certificaterequestgenerationoptions",
            Self::CertificateData => "POST /requests/{id}/certificatedata",
            Self::DiversifiedKey => "GET /requests/{id}/smartcards/{id}/diversifiedkey",
            Self::AuthenticationResponse => "GET /requests/{id}/smartcards/{id}/authenticationresponse",
            Self::ServerProposedPin => "GET /requests/{id}/smartcards/{id}/serverproposedpin",
            Self::Certificates => "GET /certificates",
            Self::SmartcardCertificates => "GET /smartcards/{id}/certificates",
            Self::ProfileCertificates => "GET /profiles/{id}/certificates",
        }
    }

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
            Self::Certificates | Self::SmartcardCertificates | Self::ProfileCertificates => {
                "This service has no certification authority and keeps no certificates"
            }
        }
    }
}
