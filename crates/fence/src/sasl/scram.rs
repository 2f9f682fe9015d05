//! The client of SCRAM without channel binding (RFC 5802, RFC 7677). As in Kafka, names and passwords are UTF-8 without `SASLprep`.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::{digest, hmac, pbkdf2};
use secrecy::{ExposeSecret, SecretString};

use super::Step;
use crate::ScramHash;

/// Fewest iterations: what Kafka demands; fewer would make the proof easy to invert.
const MIN_ITERATIONS: u32 = 4_096;
/// Most iterations, so that a broker can't keep a processor busy.
const MAX_ITERATIONS: u32 = 200_000;

/// One exchange.
pub(crate) struct Client {
    hash: ScramHash,
    password: SecretString,
    nonce: String,
    first_bare: String,
    state: State,
}

enum State {
    AwaitsChallenge,
    /// Key and text of the signature that proves that the broker knows the password too.
    AwaitsSignature(hmac::Key, String),
    Over,
}

impl Client {
    pub(super) fn new(hash: ScramHash, username: &str, password: SecretString, nonce: &[u8]) -> Self {
        Self::with_nonce(hash, username, password, STANDARD.encode(nonce))
    }

    fn with_nonce(hash: ScramHash, username: &str, password: SecretString, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        Self { hash, password, nonce, first_bare, state: State::AwaitsChallenge }
    }

    pub(super) fn first(&self) -> Bytes {
        format!("n,,{}", self.first_bare).into()
    }

    pub(super) fn next(&mut self, received: &[u8]) -> Result<Step, String> {
        let received = std::str::from_utf8(received).map_err(|_| "the broker's message is not UTF-8".to_owned())?;
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitsChallenge => {
                let (message, key, text) = self.answer(received)?;
                self.state = State::AwaitsSignature(key, text);
                Ok(Step::Send(message.into()))
            }
            State::AwaitsSignature(key, text) => {
                if let Some(error) = received.strip_prefix("e=") {
                    return Err(error.chars().take(200).collect());
                }
                let signature = received.split(',').next().and_then(|field| field.strip_prefix("v="));
                let signature = signature.and_then(|text| STANDARD.decode(text).ok());
                let is_right = signature.is_some_and(|it| hmac::verify(&key, text.as_bytes(), &it).is_ok());
                if is_right { Ok(Step::Done) } else { Err("the broker does not know the password".to_owned()) }
            }
            State::Over => Err("the broker went on after the end".to_owned()),
        }
    }

    /// The last message, with key and text of the signature that the broker has to answer with.
    fn answer(&self, challenge: &str) -> Result<(String, hmac::Key, String), String> {
        let mut fields = challenge.split(',');
        let mut field = |name: &str| {
            let value = fields.next().and_then(|field| field.strip_prefix(name));
            value.ok_or_else(|| format!("the broker's challenge lacks {name}"))
        };
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker's nonce does not extend ours".to_owned());
        }
        let salt = STANDARD.decode(salt).map_err(|_| "the salt is not base64".to_owned())?;
        let iterations: u32 = iterations.parse().map_err(|_| "the iterations are not a number".to_owned())?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(format!("{iterations} iterations; this client accepts {MIN_ITERATIONS} to {MAX_ITERATIONS}"));
        }
        let iterations = NonZeroU32::new(iterations).ok_or("no iterations")?;
        let (hmac_hash, digest_hash, pbkdf2_hash) = match self.hash {
            ScramHash::Sha256 => (hmac::HMAC_SHA256, &digest::SHA256, pbkdf2::PBKDF2_HMAC_SHA256),
            ScramHash::Sha512 => (hmac::HMAC_SHA512, &digest::SHA512, pbkdf2::PBKDF2_HMAC_SHA512),
        };
        let mut salted = vec![0; digest_hash.output_len()];
        pbkdf2::derive(pbkdf2_hash, iterations, &salt, self.password.expose_secret().as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac_hash, key), text);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(digest_hash, client_key.as_ref());
        let without_proof = format!("c=biws,r={nonce}");
        let all = format!("{},{challenge},{without_proof}", self.first_bare);
        let signature = sign(stored_key.as_ref(), all.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::Key::new(hmac_hash, sign(&salted, b"Server Key").as_ref());
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), server_key, all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677 section 3.
    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const PROOF: &str =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn client() -> Client {
        Client::with_nonce(ScramHash::Sha256, "user", "pencil".into(), "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    fn proven() -> Client {
        let mut client = client();
        let Ok(Step::Send(proof)) = client.next(CHALLENGE.as_bytes()) else { panic!("a proof follows") };
        assert_eq!(proof, PROOF);
        client
    }

    #[test]
    fn the_exchange_of_rfc_7677_succeeds() {
        assert_eq!(client().first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert!(matches!(proven().next(SIGNATURE.as_bytes()), Ok(Step::Done)));
    }

    /// The same exchange with SHA-512; computed with Python's `hashlib` and `hmac`.
    #[test]
    fn the_exchange_with_sha_512_succeeds() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let mut client = Client::with_nonce(ScramHash::Sha512, "user", "pencil".into(), nonce);
        let Ok(Step::Send(message)) = client.next(CHALLENGE.as_bytes()) else { panic!("a proof follows") };
        let expected =
            concat!("gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN", "8PPC6wdp6dybEmDYXYTxwnYPJQ==");
        assert!(message.ends_with(format!(",p={expected}").as_bytes()), "{message:?}");
        let signature =
            concat!("v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSe", "VGT4+5ZxXnJq199RVG2rR7N7Zw==");
        assert!(matches!(client.next(signature.as_bytes()), Ok(Step::Done)));
    }

    #[test]
    fn a_broker_without_the_password_is_refused() {
        for signature in ["v=AAAA", "v=", "", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "e=invalid-proof"] {
            assert!(proven().next(signature.as_bytes()).is_err(), "{signature}");
        }
        let mut client = proven();
        client.next(SIGNATURE.as_bytes()).ok().unwrap();
        assert!(client.next(SIGNATURE.as_bytes()).is_err(), "the exchange is over");
    }

    #[test]
    fn a_weak_or_foreign_challenge_is_refused() {
        for (from, to) in [
            ("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "r=other"),
            ("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "r=rOprNGfwEbeRWgbNEkqO"),
            ("i=4096", "i=4095"),
            ("i=4096", "i=200001"),
            ("i=4096", "i=-1"),
            (",s=", ",x="),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", "?"),
            ("r=", "m=ext,r="),
        ] {
            let challenge = CHALLENGE.replace(from, to);
            assert_ne!(challenge, CHALLENGE);
            assert!(client().next(challenge.as_bytes()).is_err(), "{challenge}");
        }
    }

    #[test]
    fn commas_in_a_name_are_escaped() {
        let client = Client::with_nonce(ScramHash::Sha512, "a=b,c", "x".into(), "n".to_owned());
        assert_eq!(client.first(), "n,,n=a=3Db=2Cc,r=n");
    }
}
