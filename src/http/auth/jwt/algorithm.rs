//! What the check needs to know about signature algorithms: the kind of key, and their names in `jsonwebtoken`.

use jsonwebtoken::Algorithm as Library;

use crate::runtime::jwt::Algorithm;

/// What an algorithm needs as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// An RSA key of 2048 to 8192 bits.
    Rsa,
    /// A point on P-256.
    P256,
    /// A point on P-384.
    P384,
    /// An Ed25519 key.
    Ed25519,
}

impl Algorithm {
    /// What the algorithm needs as a key.
    pub(super) const fn key_kind(self) -> KeyKind {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyKind::Rsa,
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::EdDsa => KeyKind::Ed25519,
        }
    }

    /// The same algorithm in the types of `jsonwebtoken`.
    pub(super) const fn library(self) -> Library {
        match self {
            Self::Rs256 => Library::RS256,
            Self::Rs384 => Library::RS384,
            Self::Rs512 => Library::RS512,
            Self::Ps256 => Library::PS256,
            Self::Ps384 => Library::PS384,
            Self::Ps512 => Library::PS512,
            Self::Es256 => Library::ES256,
            Self::Es384 => Library::ES384,
            Self::EdDsa => Library::EdDSA,
        }
    }
}
