//! Changed files are used without a restart, all together and only if they are valid.

use std::fs;

use rustls::pki_types::CertificateDer;

use super::pki::Leaf;
use super::{PAGE, Site, in_days, metrics, reload, sample};
use crate::support::client::create_many;
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::wait::wait_until;

const FAILED: &str = "cmgate_tls_reloads_total{port=\"public\",result=\"failed\"}";
const LEFT: &str = "cmgate_tls_seconds_left";

/// The certificate that the service presents to a new client.
async fn presented(site: &Site, instance: &Instance) -> CertificateDer<'static> {
    let stream = site.client().connect(instance.public).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn der(leaf: &Leaf) -> CertificateDer<'static> {
    leaf.chain().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_presented_after_sighup() {
    let site = Site::new();
    let instance = site.start(&[]);
    let mut open = site.client().open(instance.public).await.unwrap();
    open.get(PAGE).await.unwrap();
    let next = site.server.server(in_days(90));
    site.write_pair(&next);
    assert_ne!(presented(&site, &instance).await, der(&next), "nothing has asked to read the files");
    reload(&instance).await;
    assert_eq!(presented(&site, &instance).await, der(&next));
    assert_eq!(open.get(PAGE).await.unwrap().status, 200, "open connections go on");
    let left = metrics(&instance).await.metric(LEFT);
    assert!((89.0..=90.0).contains(&(left / 86_400.0)), "the metric follows the reload: {left}");
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_content_is_noticed_without_a_signal() {
    let site = Site::new();
    let instance = site.start(&[("CMGATE__TLS__RELOAD_INTERVAL", "100ms")]);
    let next = site.server.server(in_days(30));
    site.write_pair(&next);
    wait_until("the new certificate is presented", async || presented(&site, &instance).await == der(&next)).await;
    // Kubernetes replaces files by moving a link.
    let later = site.server.server(in_days(30));
    for (name, content) in [("server.pem", &later.pem), ("server.key", &later.key_pem)] {
        let target = site.path(&format!("later-{name}"));
        fs::write(&target, content).unwrap();
        let link = site.path(&format!("link-{name}"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        fs::rename(&link, site.path(name)).unwrap();
    }
    wait_until("the linked certificate is presented", async || presented(&site, &instance).await == der(&later)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_leave_the_old_ones_in_force() {
    let site = Site::new();
    let instance = site.start(&[]);
    let first = presented(&site, &instance).await;
    let next = site.server.server(in_days(30));
    let other = site.server.server(in_days(30));
    for (number, (certificate, key, told)) in (1..).zip([
        (&*next.pem, &*other.key_pem, "does not belong to the certificate in"),
        (&next.pem[..next.pem.len() / 2], &next.key_pem, "server.pem ends within a PEM section"),
        (&next.pem, &next.key_pem[..40], "server.key ends within a PEM section"),
        (&next.pem, "", "contains no private key"),
        ("", &next.key_pem, "contains no certificate"),
    ]) {
        site.write("server.pem", certificate);
        site.write("server.key", key);
        instance.signal("HUP");
        wait_until("the reload failed", async || sample(&instance, FAILED).await >= f64::from(number)).await;
        assert_eq!(presented(&site, &instance).await, first, "{told}");
        let log = instance.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(told)).collect();
        let directory = site.directory.path().to_str().unwrap();
        assert!(lines.len() == 1 && lines[0].contains(" ERROR ") && lines[0].contains(directory), "{told}: {log}");
    }
    site.write_pair(&next);
    reload(&instance).await;
    assert_eq!(presented(&site, &instance).await, der(&next));
    create_many(&mut site.client().grpc(instance.public), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_failure_is_tried_again_and_logged_once() {
    let site = Site::new();
    let instance = site.start(&[("CMGATE__TLS__RELOAD_INTERVAL", "100ms")]);
    let next = site.server.server(in_days(30));
    site.write("server.pem", &next.pem[..next.pem.len() / 2]);
    wait_until("several attempts failed", async || sample(&instance, FAILED).await >= 3.0).await;
    let log = instance.log();
    assert_eq!(log.lines().filter(|line| line.contains("ends within a PEM section")).count(), 1, "{log}");
    site.write_pair(&next);
    wait_until("the new certificate is presented", async || presented(&site, &instance).await == der(&next)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_sighup_changes_nothing() {
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", "")]);
    instance.signal("HUP");
    wait_until("the signal is noticed", async || instance.log().contains("SIGHUP")).await;
    create_many(&mut instance.client(), 1).await;
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_not_start_with_files_that_it_cannot_use() {
    let site = Site::new();
    let other = site.server.server(in_days(30));
    site.write("server.key", &other.key_pem);
    let path = |name| site.path(name).display().to_string();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let settings = [("CMGATE__TLS__CERTIFICATE", certificate.as_str()), ("CMGATE__TLS__KEY", &key)];
    let quiet = ("CMGATE__LOG__FILTER", "error");
    for command in ["serve", "check-config"] {
        let output = TestEnv::sqlite().run(&[&settings[..], &[quiet]].concat(), &[command]);
        let told = String::from_utf8(output.stderr).unwrap();
        let sentence =
            format!("cmgate: tls.key: the key in {key} does not belong to the certificate in {certificate}\n");
        assert_eq!((output.status.code(), told), (Some(64), sentence), "{command}");
    }
}
