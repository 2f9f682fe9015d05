//! The issuer of the demo's tokens: an Ed25519 key, its key set, and the tokens of the people.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::directory::{Access, Directory};
use super::error::DemoError;
use super::people::Person;
use crate::config::DEMO_ISSUER;
use crate::domain::Timestamp;

/// The private key, in PKCS #8.
const KEY: &str = "issuer.key";
/// The key set (RFC 7517), which the configuration of the demo names.
const KEY_SET: &str = "jwks.json";
/// Accepted by the configuration of the demo.
const AUDIENCE: &str = "cmgate";
/// Lifetime of a token, in seconds: a working day. The configuration of the demo accepts no longer one.
const LIFETIME: i64 = 8 * 3_600;

/// The issuer.
pub(super) struct Issuer {
    key: KeyPair,
    key_id: String,
}

impl Issuer {
    /// The issuer whose key is in the directory, or a new one. Writes its key set.
    pub(super) fn open(directory: &Directory) -> Result<Self, DemoError> {
        let stored = directory.read(KEY).and_then(|pem| KeyPair::from_pem(&pem).ok());
        let key = if let Some(key) = stored.filter(|key| key.is_compatible(&PKCS_ED25519)) {
            key
        } else {
            let key = KeyPair::generate_for(&PKCS_ED25519)?;
            directory.write(KEY, &key.serialize_pem(), Access::Secret)?;
            key
        };
        // A new key has a new id, so that a running service reads the key set again.
        let key_id = encode(Sha256::digest(key.public_key_raw()));
        let issuer = Self { key, key_id };
        directory.write(KEY_SET, &issuer.key_set(), Access::Public)?;
        Ok(issuer)
    }

    fn key_set(&self) -> String {
        let x = encode(self.key.public_key_raw());
        let key = json!({
            "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.key_id, "use": "sig", "alg": "EdDSA",
        });
        format!("{}\n", json!({ "keys": [key] }))
    }

    /// A signed token (RFC 9068) of a person.
    pub(super) fn token(&self, person: &Person, now: Timestamp) -> Result<String, DemoError> {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.key_id });
        let issued_at = now.micros() / 1_000_000;
        let claims = json!({
            "iss": DEMO_ISSUER,
            "aud": AUDIENCE,
            "sub": person.subject,
            "name": person.name,
            "sid": person.sid,
            "groups": person.groups,
            "iat": issued_at,
            "exp": issued_at + LIFETIME,
            "jti": Uuid::new_v4(),
        });
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.key.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", encode(signature)))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::demo::people::PEOPLE;

    #[test]
    fn the_key_is_reused_until_it_is_lost() {
        let outer = tempfile::tempdir().unwrap();
        let directory = Directory::open(outer.path()).unwrap();
        let first = Issuer::open(&directory).unwrap();
        let keys = directory.read(KEY_SET).unwrap();
        assert_eq!(Issuer::open(&directory).unwrap().key_id, first.key_id);
        assert_eq!(directory.read(KEY_SET).unwrap(), keys);
        fs::write(outer.path().join(KEY), KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert_ne!(Issuer::open(&directory).unwrap().key_id, first.key_id, "the key was of another kind");
        assert_ne!(directory.read(KEY_SET).unwrap(), keys);
    }

    #[test]
    fn a_token_ends_after_a_working_day() {
        let outer = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(&Directory::open(outer.path()).unwrap()).unwrap();
        let now = Timestamp::from_micros(1_788_264_000_999_999).unwrap();
        let token = issuer.token(&PEOPLE[0], now).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!((&claims["iat"], &claims["exp"]), (&1_788_264_000.into(), &1_788_292_800.into()));
        assert_eq!(claims["iss"], "urn:cmgate:demo");
    }
}
