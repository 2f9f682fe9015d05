//! An issuer's side: signing keys with their JWKs, and tokens that need not follow any rule.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::{Map, Value, json};

/// An RSA key of 2048 bits for tests only, in PKCS #8. *ring* does not make RSA keys.
const RSA_KEY: &[u8] = include_bytes!("rsa_2048.p8");

/// A private key with its id.
#[derive(Debug)]
pub(super) struct SigningKey {
    pub(super) id: &'static str,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// The same key for every id.
    pub(super) fn rsa(id: &'static str) -> Self {
        Self { id, pair: Pair::Rsa(RsaKeyPair::from_pkcs8(RSA_KEY).unwrap()) }
    }

    pub(super) fn p256(id: &'static str) -> Self {
        Self { id, pair: Pair::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)) }
    }

    pub(super) fn p384(id: &'static str) -> Self {
        Self { id, pair: Pair::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)) }
    }

    pub(super) fn ed25519(id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Pair::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap()) }
    }

    /// The algorithm it signs with.
    pub(super) const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// The public key as an issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
            Pair::P256(pair) => point("P-256", pair.public_key().as_ref()),
            Pair::P384(pair) => point("P-384", pair.public_key().as_ref()),
            Pair::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())}),
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm());
        jwk
    }

    /// The public RSA key as PKCS #1 in DER form.
    pub(super) fn rsa_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public().as_ref().to_vec(),
            _ => unreachable!("not an RSA key"),
        }
    }

    /// Signs with the algorithm of the key, or with another one of RSA.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "PS256" => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) | Pair::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
}

fn point(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
}

/// Header and claims of a token that is not signed yet.
#[derive(Clone)]
pub(super) struct Draft {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Draft {
    pub(super) fn new(header: Value, claims: Value) -> Self {
        let (Value::Object(header), Value::Object(claims)) = (header, claims) else { unreachable!("two objects") };
        Self { header, claims }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn no_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    pub(super) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn no_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// The header, as JSON, for a key. `alg` and `kid` are those of the key unless they are set.
    pub(super) fn header_text(&self, key: &SigningKey) -> String {
        let mut header = self.header.clone();
        header.entry("alg").or_insert_with(|| json!(key.algorithm()));
        header.entry("kid").or_insert_with(|| json!(key.id));
        Value::Object(header).to_string()
    }

    /// The payload, as JSON.
    pub(super) fn payload_text(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// The signed token.
    pub(super) fn sign(&self, key: &SigningKey) -> String {
        let algorithm = self.header.get("alg").and_then(Value::as_str).unwrap_or(key.algorithm());
        sign(key, algorithm, &self.header_text(key), &self.payload_text())
    }

    /// The signed token without `kid`.
    pub(super) fn sign_without_key_id(&self, key: &SigningKey) -> String {
        let mut header = self.header.clone();
        header.insert("alg".to_owned(), json!(key.algorithm()));
        sign(key, key.algorithm(), &Value::Object(header).to_string(), &self.payload_text())
    }

    /// The signed token with another text as its header.
    pub(super) fn sign_header(&self, key: &SigningKey, header: &str) -> String {
        sign(key, key.algorithm(), header, &self.payload_text())
    }

    /// The signed token with another text as its payload.
    pub(super) fn sign_payload(&self, key: &SigningKey, payload: &str) -> String {
        sign(key, key.algorithm(), &self.header_text(key), payload)
    }
}

/// A token of any header and payload, rightly signed.
pub(super) fn sign(key: &SigningKey, algorithm: &str, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = key.sign(algorithm, message.as_bytes());
    format!("{message}.{}", encode(signature))
}

/// Base64url without padding.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
