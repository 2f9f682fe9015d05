//! The cryptography of `jsonwebtoken` over *ring*. It verifies; it does not sign.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use signature::Verifier;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: |algorithm, key| verifier(*algorithm, key),
    // Only conversions of private keys, PEM files and thumbprints use them, none of which occur here.
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

/// The provider. It is not the default of the process, so functions of `jsonwebtoken` that need a default, such as `decode`, panic;
/// `clippy.toml` disallows them.
#[must_use]
pub fn provider() -> &'static CryptoProvider {
    &PROVIDER
}

/// A public key, ready to verify.
enum Key {
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Other(UnparsedPublicKey<Vec<u8>>),
}

struct RingVerifier {
    algorithm: Algorithm,
    key: Key,
}

fn verifier(algorithm: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let key = match algorithm {
        Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256, key),
        Algorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384, key),
        Algorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512, key),
        Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256, key),
        Algorithm::PS384 => rsa(&RSA_PSS_2048_8192_SHA384, key),
        Algorithm::PS512 => rsa(&RSA_PSS_2048_8192_SHA512, key),
        Algorithm::ES256 => other(&ECDSA_P256_SHA256_FIXED, AlgorithmFamily::Ec, key),
        Algorithm::ES384 => other(&ECDSA_P384_SHA384_FIXED, AlgorithmFamily::Ec, key),
        Algorithm::EdDSA => other(&ED25519, AlgorithmFamily::Ed, key),
        _ => Err(unsupported()),
    }?;
    Ok(Box::new(RingVerifier { algorithm, key }))
}

fn rsa(parameters: &'static RsaParameters, key: &DecodingKey) -> Result<Key> {
    match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            Ok(Key::Rsa(parameters, RsaPublicKeyComponents { n: n.clone(), e: e.clone() }))
        }
        DecodingKeyKind::SecretOrDer(_) => Err(unsupported()),
    }
}

fn other(algorithm: &'static dyn VerificationAlgorithm, family: AlgorithmFamily, key: &DecodingKey) -> Result<Key> {
    // A secret for HMAC is bytes too.
    if key.family() != family {
        return Err(unsupported());
    }
    Ok(Key::Other(UnparsedPublicKey::new(algorithm, key.try_get_as_bytes()?.to_vec())))
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let verified = match &self.key {
            Key::Rsa(parameters, key) => key.verify(parameters, message, signature),
            Key::Other(key) => key.verify(message, signature),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
