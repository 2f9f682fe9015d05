//! The CA of the demo with the certificates of the server and of a client. All are made together, and the key of the CA is never
//! stored, so the CA cannot sign anything else.

use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::directory::{Access, Directory};
use super::error::DemoError;
use crate::domain::Timestamp;

pub(super) const CA: &str = "ca.pem";
pub(super) const SERVER: &str = "server.pem";
pub(super) const SERVER_KEY: &str = "server.key";
pub(super) const CLIENT: &str = "client.pem";
pub(super) const CLIENT_KEY: &str = "client.key";

/// Names of the server.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The SPIFFE id of the client, whose trust domain the configuration of the demo names.
const CLIENT_ID: &str = "spiffe://demo.cmgate/agent";

/// Lifetime of the certificates.
const LIFETIME: Duration = Duration::from_hours(30 * 24);
/// They are made again when they have less than this left.
const RENEWAL: Duration = Duration::from_hours(2 * 24);
/// Tolerated difference between the clocks of client and server.
const SKEW: Duration = Duration::from_mins(10);

/// Makes the certificates, unless those in the directory remain valid for a while.
pub(super) fn ensure(directory: &Directory, now: Timestamp) -> Result<(), DemoError> {
    if are_usable(directory, now) { Ok(()) } else { make(directory, now) }
}

/// Whether both certificates are valid under the CA until the time of renewal, and have their keys.
fn are_usable(directory: &Directory, now: Timestamp) -> bool {
    let Some(ca) = directory.read(CA).and_then(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok()) else {
        return false;
    };
    let at = |time: Duration| UnixTime::since_unix_epoch(since_epoch(now) + time);
    let is_usable = |certificate, key, usage: fn() -> KeyUsage, is_named: fn(&EndEntityCert<'_>) -> bool| {
        let pair = directory.read(certificate).zip(directory.read(key));
        pair.is_some_and(|(certificate, key)| {
            [Duration::ZERO, RENEWAL]
                .into_iter()
                .all(|time| is_valid(&ca, (&certificate, &key), at(time), usage(), is_named))
        })
    };
    is_usable(SERVER, SERVER_KEY, KeyUsage::server_auth, has_every_name)
        && is_usable(CLIENT, CLIENT_KEY, KeyUsage::client_auth, |_| true)
}

fn is_valid(
    ca: &CertificateDer<'_>,
    (certificate, key): (&str, &str),
    at: UnixTime,
    usage: KeyUsage,
    is_named: fn(&EndEntityCert<'_>) -> bool,
) -> bool {
    let provider = rustls::crypto::ring::default_provider();
    let check = || {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
        CertifiedKey::from_der(vec![der.clone()], key, &provider).ok()?;
        let leaf = EndEntityCert::try_from(&der).ok()?;
        let anchors = [anchor_from_trusted_cert(ca).ok()?];
        let algorithms = provider.signature_verification_algorithms.all;
        leaf.verify_for_usage(algorithms, &anchors, &[], at, usage, None, None).ok()?;
        is_named(&leaf).then_some(())
    };
    check().is_some()
}

fn has_every_name(leaf: &EndEntityCert<'_>) -> bool {
    let names = NAMES.into_iter().map(ServerName::try_from);
    names.flatten().filter(|name| leaf.verify_is_valid_for_subject_name(name).is_ok()).count() == NAMES.len()
}

fn make(directory: &Directory, now: Timestamp) -> Result<(), DemoError> {
    let mut params = named("cmgate demo CA, not for production", now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    directory.write(CA, &ca.pem(), Access::Public)?;

    let mut server = named("cmgate demo", now)?;
    server.subject_alt_names = CertificateParams::new(NAMES.map(str::to_owned))?.subject_alt_names;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (certificate, key) = issue(&server, &ca)?;
    directory.write(SERVER_KEY, &key.serialize_pem(), Access::Secret)?;
    directory.write(SERVER, &certificate.pem(), Access::Public)?;

    let mut client = named("cmgate demo client", now)?;
    client.subject_alt_names = vec![SanType::URI(CLIENT_ID.try_into()?)];
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (certificate, key) = issue(&client, &ca)?;
    directory.write(CLIENT_KEY, &key.serialize_pem(), Access::Secret)?;
    directory.write(CLIENT, &certificate.pem(), Access::Public)
}

fn issue(
    params: &CertificateParams,
    ca: &CertifiedIssuer<'_, KeyPair>,
) -> Result<(Certificate, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, ca)?, key))
}

fn named(name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    let now = UNIX_EPOCH + since_epoch(now);
    params.not_before = (now - SKEW).into();
    params.not_after = (now + LIFETIME).into();
    Ok(params)
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(time.micros()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// 2026-09-01T12:00:00Z
    const START: i64 = 1_788_264_000_000_000;
    const DAY: i64 = 24 * 3_600 * 1_000_000;
    const FILES: [&str; 5] = [CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY];

    fn time(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn contents(directory: &Directory) -> Vec<String> {
        FILES.iter().map(|name| directory.read(name).unwrap()).collect()
    }

    #[test]
    fn valid_files_are_reused_and_made_again_before_they_expire() {
        let outer = tempfile::tempdir().unwrap();
        let directory = Directory::open(outer.path()).unwrap();
        ensure(&directory, time(START)).unwrap();
        let first = contents(&directory);
        for days in [0, 27] {
            ensure(&directory, time(START + days * DAY)).unwrap();
            assert_eq!(contents(&directory), first, "day {days}");
        }
        ensure(&directory, time(START + 28 * DAY + 1_000_000)).unwrap();
        let second = contents(&directory);
        assert!(first.iter().zip(&second).all(|(old, new)| old != new), "all files are made together");
        // A clock that was set back makes the certificates invalid as well.
        ensure(&directory, time(START)).unwrap();
        assert_ne!(contents(&directory), second);
    }

    #[test]
    fn a_file_that_is_missing_or_damaged_or_of_another_pair_makes_all_again() {
        let outer = tempfile::tempdir().unwrap();
        let directory = Directory::open(outer.path()).unwrap();
        let now = time(START);
        ensure(&directory, now).unwrap();
        for name in FILES {
            let before = contents(&directory);
            fs::remove_file(outer.path().join(name)).unwrap();
            ensure(&directory, now).unwrap();
            assert_ne!(contents(&directory), before, "{name} was missing");
            let before = contents(&directory);
            fs::write(outer.path().join(name), "no PEM").unwrap();
            ensure(&directory, now).unwrap();
            assert_ne!(contents(&directory)[0], before[0], "{name} was damaged");
        }
        for (name, other) in [(SERVER, CLIENT), (SERVER_KEY, CLIENT_KEY), (CLIENT_KEY, SERVER_KEY)] {
            let before = contents(&directory);
            fs::copy(outer.path().join(other), outer.path().join(name)).unwrap();
            ensure(&directory, now).unwrap();
            assert_ne!(contents(&directory)[0], before[0], "{name} was that of {other}");
        }
    }
}
