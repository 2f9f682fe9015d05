//! Terms of bearer tokens (JWT) that the configuration names and the check of a token applies: algorithms, the use of keys, and
//! encodings of claims.

use std::fmt;

/// A signature algorithm that *ring* verifies (RFC 7518 section 3, RFC 8037). There is no `none` and no HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// Which keys of an issuer's key set may sign tokens (RFC 7517, 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Keys with `use: sig` or without `use`.
    Sig,
    /// Keys with `use: jwt-svid`, as in the trust bundle of a SPIFFE trust domain. Subjects must be SPIFFE IDs.
    JwtSvid,
}

/// A claim and its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimReader {
    /// Name of the claim, or a JSON pointer (RFC 6901).
    pub claim: String,
    /// How its value is encoded.
    pub encoding: ClaimEncoding,
}

/// How the value of a claim is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimEncoding {
    /// Text.
    Text,
    /// `guid-le-base64`: base64 of the 16 bytes of an objectGUID, whose first three fields are little-endian (MS-DTYP 2.3.4.2).
    /// ADFS issues objectGUID in this form.
    GuidLeBase64,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The algorithm with this name. Names are case-sensitive (RFC 7515, 4.1.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;

    #[test]
    fn an_algorithm_is_read_as_it_is_written() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(&algorithm.to_string()), Some(algorithm));
        }
        for name in ["", "none", "rs256", "RS256 ", "HS256", "ES512", "RSA-OAEP"] {
            assert_eq!(Algorithm::parse(name), None, "{name:?}");
        }
    }
}
