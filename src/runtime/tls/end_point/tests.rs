//! The hash function of the binding.

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};
use sha2::{Digest, Sha256, Sha384};

use super::*;

fn certificate(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    CertificateParams::new(["cm.corp.test".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
}

fn binding(hash: &[u8]) -> Vec<u8> {
    [b"tls-server-end-point:", hash].concat()
}

fn of(certificate: &[u8]) -> Option<Vec<u8>> {
    ServerEndPoint::of_certificate(certificate).map(|binding| binding.as_bytes().to_vec())
}

#[test]
fn the_hash_function_is_that_of_the_signature() {
    let p256 = certificate(&PKCS_ECDSA_P256_SHA256);
    assert_eq!(of(&p256), Some(binding(&Sha256::digest(&p256))));
    let p384 = certificate(&PKCS_ECDSA_P384_SHA384);
    assert_eq!(of(&p384), Some(binding(&Sha384::digest(&p384))));
}

#[test]
fn a_signature_without_a_hash_function_has_no_binding() {
    assert_eq!(of(&certificate(&PKCS_ED25519)), None);
    assert_eq!(of(b"no certificate"), None);
}
