//! TLS of the built program: versions and protocols, reload of its files, client certificates, and clients that misbehave.

mod callers;
mod certificates;
pub(crate) mod client;
mod doctor;
mod hostile;
#[expect(dead_code, reason = "the unit tests of the port use the rest")]
#[path = "../../../src/http/server/tls/tests/pki.rs"]
mod pki;
mod proxy;
mod reload;
mod rules;
mod terminated;
mod versions;
mod weak;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

use self::client::TlsClient;
use self::pki::{Ca, Leaf};
use crate::support::client::Answer;
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::wait::wait_until;

/// A page that any caller may read.
const PAGE: &str = "/CertificateManagement/api/v1.0/openapi.json";

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

/// So many days from now.
fn in_days(number: u64) -> SystemTime {
    SystemTime::now() + days(number)
}

/// A CRL that lists these serial numbers, in PEM form.
fn crl(ca: &Ca, revoked: &[u64]) -> String {
    ca.crl(revoked, SystemTime::now() - days(1), in_days(1))
}

/// The directory of the TLS files of an instance, and the CAs behind them.
pub(crate) struct Site {
    directory: TempDir,
    /// The CA of the server.
    server: Ca,
    /// The CA of the clients.
    clients: Ca,
    env: TestEnv,
}

impl Site {
    /// Files for the server, a CA of clients and its empty CRL.
    pub(crate) fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            server: Ca::new("server CA"),
            clients: Ca::new("client CA"),
            env: TestEnv::sqlite(),
        };
        site.write_pair(&site.server.server(in_days(30)));
        site.write("clients.pem", &site.clients.pem());
        site.write("clients.crl", &crl(&site.clients, &[]));
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Replaces the certificate of the server.
    pub(crate) fn renew(&self) {
        self.write_pair(&self.server.server(in_days(90)));
    }

    /// The certificate in the file.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path("server.pem")).unwrap()
    }

    /// A file with the CA of the server.
    pub(crate) fn trusted(&self) -> PathBuf {
        self.write("server-ca.pem", &self.server.pem());
        self.path("server-ca.pem")
    }

    fn write_pair(&self, leaf: &Leaf) {
        self.write("server.pem", &leaf.pem);
        self.write("server.key", &leaf.key_pem);
    }

    /// Starts the service with these files and more settings. Changes are noticed by SIGHUP only, unless a setting changes that.
    pub(crate) fn start(&self, settings: &[(&str, &str)]) -> Instance {
        let path = |name| self.path(name).display().to_string();
        let (certificate, key) = (path("server.pem"), path("server.key"));
        let own = [
            ("CMGATE__KAFKA__BROKERS", ""),
            ("CMGATE__TLS__CERTIFICATE", certificate.as_str()),
            ("CMGATE__TLS__KEY", key.as_str()),
            ("CMGATE__TLS__RELOAD_INTERVAL", "24h"),
        ];
        self.env.start_with(&[&own, settings].concat())
    }

    /// Starts the service with client certificates: `optional` or `required`.
    fn start_with_clients(&self, mode: &str) -> Instance {
        let path = |name| self.path(name).display().to_string();
        let (ca, crl) = (path("clients.pem"), path("clients.crl"));
        self.start(&[
            ("CMGATE__TLS__CLIENT_CERTIFICATES", mode),
            ("CMGATE__TLS__CLIENT_CA", &ca),
            ("CMGATE__TLS__CRL", &crl),
        ])
    }

    /// A client with a certificate of the clients' CA, and the certificate.
    pub(crate) fn known(&self, serial: u64) -> (TlsClient, CertificateDer<'static>) {
        let leaf = self.clients.client(serial, in_days(1));
        (TlsClient::known_as(&self.server, &leaf), leaf.chain().remove(0))
    }

    /// A client without a certificate that trusts the server.
    pub(crate) fn client(&self) -> TlsClient {
        TlsClient::new(&self.server)
    }
}

/// The metrics of an instance.
async fn metrics(instance: &Instance) -> Answer {
    instance.private.get("/metrics").await
}

/// The value of a metric with a label set, as it is written in the answer; 0 if there is none.
pub(crate) async fn sample(instance: &Instance, series: &str) -> f64 {
    let text = metrics(instance).await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// Sends SIGHUP and waits until the changed files are in force.
pub(crate) async fn reload(instance: &Instance) {
    let applied = "cmgate_tls_reloads_total{port=\"public\",result=\"applied\"}";
    let before = sample(instance, applied).await;
    instance.signal("HUP");
    wait_until("the changed files are in force", async || sample(instance, applied).await > before).await;
}
