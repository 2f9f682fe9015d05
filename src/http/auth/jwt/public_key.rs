//! A public key of a key set, and which tokens it may verify: step 6 of the check.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use thiserror::Error;

use super::algorithm::KeyKind;
use super::provider::provider;
use crate::runtime::jwt::{Algorithm, KeyUse};

/// Sizes of RSA keys, in bits (RFC 7518, 3.3; the upper limit is that of *ring* and bounds the cost).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a key of a key set cannot verify a token. `Display` is for the log of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// It is not a JWK.
    #[error("it is not a valid JWK (RFC 7517)")]
    Malformed,
    /// It is for encryption, or for another protocol.
    #[error("its use is not that of the issuer's entry")]
    Use,
    /// It does not verify.
    #[error("its key_ops does not contain verify")]
    Operations,
    /// It is a secret, which an issuer must not publish.
    #[error("it is symmetric")]
    Symmetric,
    /// Its type or curve is not supported.
    #[error("its kty or crv is not supported; RSA, P-256, P-384 and Ed25519 are")]
    Kind,
    /// It is for another algorithm.
    #[error("its kty, crv or alg does not match the algorithm")]
    Algorithm,
    /// The RSA key is too small or too large.
    #[error("its modulus does not have {} to {} bits", RSA_BITS.start(), RSA_BITS.end())]
    RsaSize,
    /// The RSA exponent is trivial or costly.
    #[error("its exponent is not odd and within 3 to 2^33-1")]
    RsaExponent,
}

/// A key that can verify tokens.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    kind: KeyKind,
    /// The only algorithm it may be used with, if it names one.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

impl PublicKey {
    pub(super) fn new(jwk: &Jwk, key_use: KeyUse) -> Result<Self, Unusable> {
        let is_intended = match (&jwk.common.public_key_use, key_use) {
            (None | Some(PublicKeyUse::Signature), KeyUse::Sig) => true,
            (Some(PublicKeyUse::Other(other)), KeyUse::JwtSvid) => other == "jwt-svid",
            _ => false,
        };
        if !is_intended {
            return Err(Unusable::Use);
        }
        let operations = jwk.common.key_operations.as_ref();
        if operations.is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
            return Err(Unusable::Operations);
        }
        let kind = kind(&jwk.algorithm)?;
        let algorithm = jwk.common.key_algorithm.map(|named| only(named, kind)).transpose()?;
        let key = DecodingKey::from_jwk(jwk).map_err(|_| Unusable::Malformed)?;
        if let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() {
            check_rsa(n, e)?;
        }
        Ok(Self { kind, algorithm, key })
    }

    /// Whether the key may verify tokens of an algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_kind() && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether a signature is right. The form of the signature is fixed: `r` and `s` of ECDSA side by side, not DER.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        let verifier = (provider().verifier_factory)(&algorithm.library(), &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

/// The kind of a key. Coordinates have the length of their curve, so that two of them cannot be split differently.
fn kind(parameters: &AlgorithmParameters) -> Result<KeyKind, Unusable> {
    // Lengths of base64url without padding.
    let (kind, is_valid) = match parameters {
        AlgorithmParameters::RSA(_) => (KeyKind::Rsa, true),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => (KeyKind::P256, key.x.len() == 43 && key.y.len() == 43),
            EllipticCurve::P384 => (KeyKind::P384, key.x.len() == 64 && key.y.len() == 64),
            _ => return Err(Unusable::Kind),
        },
        AlgorithmParameters::OctetKeyPair(key) => match key.curve {
            EllipticCurve::Ed25519 => (KeyKind::Ed25519, key.x.len() == 43),
            _ => return Err(Unusable::Kind),
        },
        AlgorithmParameters::OctetKey(_) => return Err(Unusable::Symmetric),
        _ => return Err(Unusable::Kind),
    };
    if is_valid { Ok(kind) } else { Err(Unusable::Malformed) }
}

/// The algorithm that a key names as its only one.
fn only(named: KeyAlgorithm, kind: KeyKind) -> Result<Algorithm, Unusable> {
    let mut fitting = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_kind() == kind);
    fitting.find(|algorithm| KeyAlgorithm::from(algorithm.library()) == named).ok_or(Unusable::Algorithm)
}

fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), Unusable> {
    // Leading zeros are not allowed (RFC 7518, 6.3.1.1), and *ring* refuses them.
    let (Some(1..), Some(1..)) = (modulus.first(), exponent.first()) else { return Err(Unusable::Malformed) };
    let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let bits = (modulus.len() * 8).saturating_sub(unused as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(Unusable::RsaSize);
    }
    let value = exponent.iter().try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    let is_valid = value.is_some_and(|value| value % 2 == 1 && (3..1 << 33).contains(&value));
    if is_valid { Ok(()) } else { Err(Unusable::RsaExponent) }
}
