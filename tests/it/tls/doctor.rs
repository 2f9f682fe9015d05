//! `cmgate doctor` and the TLS files; `cmgate doctor cert`.

use std::time::SystemTime;

use rcgen::string::Ia5String;
use rcgen::{ExtendedKeyUsagePurpose, SanType};

use super::pki::Ca;
use super::{Site, crl, days, in_days};
use crate::support::doctor::{Findings, doctor};

/// Runs the doctor with client certificates and a rule for the workloads of `corp.test`.
fn examine(site: &Site, settings: &[(&str, &str)], arguments: &[&str]) -> Findings {
    let path = |name| site.path(name).display().to_string();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let (ca, crl) = (path("clients.pem"), path("clients.crl"));
    let own = [
        ("CMGATE__KAFKA__BROKERS", ""),
        ("CMGATE__TLS__CERTIFICATE", certificate.as_str()),
        ("CMGATE__TLS__KEY", key.as_str()),
        ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
        ("CMGATE__TLS__CLIENT_CA", ca.as_str()),
        ("CMGATE__TLS__CRL", crl.as_str()),
        ("CMGATE__AUTH__CERTIFICATE__0__NAME", "workloads"),
        ("CMGATE__AUTH__CERTIFICATE__0__SOURCE", "spiffe"),
        ("CMGATE__AUTH__CERTIFICATE__0__TRUST_DOMAIN", "corp.test"),
    ];
    doctor(&site.env, &[&own, settings].concat(), arguments)
}

#[test]
fn each_fault_of_the_tls_files_has_its_line() {
    let site = Site::new();
    let found = examine(&site, &[], &[]);
    found.assert_healthy();
    found.assert_line("ok", "tls.client_ca: the CA CN=client CA is valid until ");
    found.assert_line("ok", "tls.crl: the CRL of CN=client CA is valid until ");

    let now = SystemTime::now();
    let pair = |site: &Site, days: u64| site.write_pair(&site.server.server(in_days(days)));
    pair(&site, 400);
    examine(&site, &[], &[]).assert_line("ok", "tls.certificate: the certificate of ");
    pair(&site, 29);
    let soon = examine(&site, &[], &[]);
    soon.assert_healthy();
    soon.assert_line("warning", "tls.certificate: the certificate of ");
    assert!(soon.lines("warning").iter().any(|line| line.ends_with(" -> renew it")), "{}", soon.stdout);

    site.write_pair(&site.server.server(now - days(1)));
    examine(&site, &[], &[]).assert_only_fault("tls.certificate: the certificate of ");
    pair(&site, 400);
    site.write("server.key", &site.server.server(in_days(400)).key_pem);
    let certificate = site.path("server.pem");
    let key = site.path("server.key");
    let mismatch = format!(
        "tls: tls.key: the key in {} does not belong to the certificate in {}",
        key.display(),
        certificate.display()
    );
    examine(&site, &[], &[]).assert_only_fault(&mismatch);
    site.write("server.key", "-----BEGIN PRIVATE KEY-----\n");
    examine(&site, &[], &[]).assert_only_fault(&format!("tls: tls.key: {}", key.display()));
    pair(&site, 400);
    site.write("clients.crl", &site.clients.crl(&[], now - days(8), now - days(1)));
    examine(&site, &[], &[]).assert_only_fault("tls.crl: the CRL of CN=client CA expired at ");
    site.write("clients.crl", &crl(&site.clients, &[]));
    let missing = site.path("missing.pem").display().to_string();
    examine(&site, &[("CMGATE__TLS__CLIENT_CA", &missing)], &[]).assert_only_fault("tls: tls.client_ca: cannot read ");
    let admin = [("CMGATE__ADMIN_TLS__CERTIFICATE", missing.as_str()), ("CMGATE__ADMIN_TLS__KEY", missing.as_str())];
    examine(&site, &admin, &[]).assert_only_fault("admin_tls: admin_tls.certificate: cannot read ");
    examine(&site, &[], &[]).assert_healthy();
}

#[test]
fn a_client_certificate_is_judged_as_in_a_handshake() {
    let site = Site::new();
    site.write("clients.crl", &crl(&site.clients, &[5]));
    let examine = |pem: &str| {
        site.write("client.pem", pem);
        examine(&site, &[], &["cert", &site.path("client.pem").display().to_string()])
    };
    let uri = SanType::URI(Ia5String::try_from("spiffe://corp.test/ns/prod/sa/issuer").unwrap());
    let known = site.clients.client_with(1, in_days(1), |params| params.subject_alt_names = vec![uri]);
    let found = examine(&known.pem);
    found.assert_healthy();
    found.assert_line("ok", "certificate: accepted: CN=client 1, serial number 01, valid until ");
    found.assert_line("ok", "caller: user ");
    assert!(
        found.stdout.contains("(\"spiffe://corp.test/ns/prod/sa/issuer\"), no SID, no groups, by the entry workloads"),
        "{}",
        found.stdout
    );

    let unmapped = site.clients.client(2, in_days(1));
    examine(&unmapped.pem)
        .assert_only_fault("rules: no rule of auth.certificate applies to the certificate of \"CN=client 2\"");
    let now = SystemTime::now();
    let servers_only = site.clients.client_with(3, in_days(1), |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let early = site.clients.client_with(4, in_days(2), |params| params.not_before = (now + days(1)).into());
    for (what, pem, advice) in [
        ("expired", &site.clients.client(6, now - days(1)).pem, "renew the certificate"),
        ("not yet valid", &early.pem, "wait until it is valid"),
        ("for servers", &servers_only.pem, "issue it with clientAuth"),
        ("of another CA", &Ca::new("another CA").client(7, in_days(1)).pem, "add its CA to tls.client_ca"),
        ("revoked", &site.clients.client(5, in_days(1)).pem, "issue another certificate"),
    ] {
        let found = examine(pem);
        found.assert_only_fault("certificate: refused: ");
        assert!(found.stdout.contains(&format!(" -> {advice}")), "{what}: {}", found.stdout);
    }
    examine("no PEM").assert_only_fault("file: contains no certificate in PEM or DER form");
    examine(&known.key_pem).assert_only_fault("file: contains no certificate in PEM or DER form");
    let off = doctor(&site.env, &[("CMGATE__KAFKA__BROKERS", "")], &["cert", "x"]);
    off.assert_only_fault("tls.client_certificates: clients are not asked for certificates");
}
