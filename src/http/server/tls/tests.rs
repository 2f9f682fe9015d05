//! TLS of a port over real sockets, with files that change and a clock that the test sets.

mod binding;
#[expect(dead_code, reason = "the tests of the built program use the rest")]
mod pki;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use http::Request;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use self::pki::{Ca, Leaf};
use super::CertificateRefused;
use crate::cli::Settings;
use crate::http::server::{Security, Server, ServerSettings, serve};
use crate::runtime::clock::Clock;
use crate::runtime::tls::{ClientSettings, MinVersion, PeerCertificate, Reloaded, Tls, TlsPort, TlsSettings};

/// The time at which tests begin, in seconds since 1970.
const START: u64 = 1_800_000_000;
const HOUR: u64 = 3_600;
/// When certificates expire whose end does not matter, in seconds since 1970.
const NEVER: u64 = 10 * START;

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The files of a port, its CAs and its clock.
struct Site {
    directory: TempDir,
    server: Ca,
    clients: Ca,
    micros: Arc<AtomicI64>,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            server: Ca::new("server CA"),
            clients: Ca::new("client CA"),
            micros: Arc::new(AtomicI64::new(0)),
        };
        site.set_clock(START);
        let leaf = site.server.server(time(NEVER));
        site.write("server.pem", &leaf.pem);
        site.write("server.key", &leaf.key_pem);
        site.write("clients.pem", &site.clients.pem());
        site.write("clients.crl", &site.clients.crl(&[], time(START), time(START + HOUR)));
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn set_clock(&self, seconds: u64) {
        self.micros.store(i64::try_from(seconds * 1_000_000).unwrap(), Ordering::Relaxed);
    }

    fn settings(&self) -> TlsSettings {
        let clients = ClientSettings {
            ca: self.path("clients.pem"),
            crl: Some(self.path("clients.crl")),
            rule_cas: Vec::new(),
            is_required: false,
            refuses_expired_crl: false,
        };
        TlsSettings {
            port: TlsPort::Public,
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            min_version: MinVersion::Tls12,
            clients: Some(clients),
            reload_interval: Duration::from_hours(1),
        }
    }

    fn load(&self) -> Tls {
        self.load_with(self.settings())
    }

    fn load_with(&self, settings: TlsSettings) -> Tls {
        Tls::load(settings, Clock::Manual(Arc::clone(&self.micros))).unwrap()
    }

    /// Why the files cannot be used, with the directory replaced.
    fn refusal(&self) -> String {
        let error = Tls::load(self.settings(), Clock::Manual(Arc::clone(&self.micros))).unwrap_err();
        crate::runtime::telemetry::error_chain(&error).replace(&self.directory.path().display().to_string(), "DIR")
    }

    /// A connection of a client that trusts the server's CA.
    async fn connect(&self, server: &Server, leaf: Option<&Leaf>) -> TlsStream<TcpStream> {
        self.connect_for(server, leaf, &[]).await
    }

    /// The same with protocols in ALPN.
    async fn connect_for(&self, server: &Server, leaf: Option<&Leaf>, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(server.address()).await.unwrap();
        handshake(self.client(leaf, protocols), socket).await
    }

    fn client(&self, leaf: Option<&Leaf>, protocols: &[&[u8]]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match leaf {
            Some(leaf) => config.with_client_auth_cert(leaf.chain(), leaf.key()).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }
}

/// Performs a TLS handshake over an open connection.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(config: ClientConfig, socket: S) -> TlsStream<S> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

/// Serves a router that answers with what it knows about its client.
async fn served(tls: &Tls, settings: ServerSettings, stop: &CancellationToken) -> Server {
    let router = Router::new().fallback(async |request: Request<Body>| {
        let extensions = request.extensions();
        match (extensions.get::<PeerCertificate>(), extensions.get::<CertificateRefused>()) {
            (Some(peer), None) => format!("{} by {}", peer.subject(), peer.authority().name),
            (None, Some(refused)) => refused.to_string(),
            (None, None) => "nobody".to_owned(),
            (Some(_), Some(_)) => "both".to_owned(),
        }
    });
    serve("127.0.0.1:0".parse().unwrap(), router, settings, Security::Tls(tls.clone()), stop.clone()).await.unwrap()
}

/// Makes a call over HTTP/1 on an open connection, and returns the whole response.
async fn call<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut TlsStream<S>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    let mut byte = [0];
    while !answer.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).await?;
        answer.push(char::from(byte[0]));
    }
    let length = answer.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(answer + &String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn the_certificate_of_a_client_reaches_its_requests() {
    let (site, stop) = (Site::new(), CancellationToken::new());
    let server = served(&site.load(), Settings::default().server, &stop).await;
    let mut anonymous = site.connect(&server, None).await;
    assert!(call(&mut anonymous).await.unwrap().ends_with("nobody"));
    let leaf = site.clients.client(7, time(START + HOUR));
    let mut known = site.connect(&server, Some(&leaf)).await;
    for _ in 0..2 {
        let answer = call(&mut known).await.unwrap();
        assert!(answer.ends_with("CN=client 7 by CN=client CA") && !answer.contains("connection: close"), "{answer}");
    }
    // Shutdown ends idle TLS connections too.
    stop.cancel();
    server.ended().await;
    assert!(call(&mut known).await.is_err());
}

#[tokio::test]
async fn a_required_certificate_is_demanded_by_an_answer_not_by_an_alert() {
    let (site, stop) = (Site::new(), CancellationToken::new());
    let mut settings = site.settings();
    settings.clients.as_mut().unwrap().is_required = true;
    let server = served(&site.load_with(settings), Settings::default().server, &stop).await;
    let mut anonymous = site.connect(&server, None).await;
    let answer = call(&mut anonymous).await.unwrap();
    assert!(answer.ends_with("this port requires a client certificate"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(call(&mut anonymous).await.is_err(), "the connection has ended");
    let mut known = site.connect(&server, Some(&site.clients.client(7, time(START + HOUR)))).await;
    assert!(call(&mut known).await.unwrap().ends_with("CN=client 7 by CN=client CA"));
}

#[tokio::test]
async fn an_open_connection_ends_when_its_certificate_expires() {
    let (site, stop) = (Site::new(), CancellationToken::new());
    let server = served(&site.load(), Settings::default().server, &stop).await;
    let mut known = site.connect(&server, Some(&site.clients.client(7, time(START + HOUR)))).await;
    site.set_clock(START + HOUR);
    assert!(call(&mut known).await.unwrap().ends_with("CN=client 7 by CN=client CA"));
    site.set_clock(START + HOUR + 1);
    let answer = call(&mut known).await.unwrap();
    assert!(answer.contains("no longer accepted") && answer.contains("connection: close"), "{answer}");
    assert!(call(&mut known).await.is_err(), "the connection has ended");
}

#[tokio::test]
async fn an_expired_crl_refuses_certificates_only_if_configured() {
    for refuses_expired_crl in [false, true] {
        let (site, stop) = (Site::new(), CancellationToken::new());
        let mut settings = site.settings();
        settings.clients.as_mut().unwrap().refuses_expired_crl = refuses_expired_crl;
        let tls = site.load_with(settings);
        let server = served(&tls, Settings::default().server, &stop).await;
        let leaf = site.clients.client(7, time(START + 9 * HOUR));
        let mut open = site.connect(&server, Some(&leaf)).await;
        site.set_clock(START + HOUR - 1);
        assert!(call(&mut open).await.unwrap().ends_with("CN=client 7 by CN=client CA"));
        site.set_clock(START + HOUR);
        assert_eq!(call(&mut open).await.unwrap().contains("no longer accepted"), refuses_expired_crl);
        // In TLS 1.3 the client learns about the refusal when it reads.
        let mut fresh = site.connect(&server, Some(&leaf)).await;
        assert_eq!(call(&mut fresh).await.is_err(), refuses_expired_crl);
        site.write("clients.crl", &site.clients.crl(&[], time(START), time(START + 2 * HOUR)));
        assert_eq!(tls.reload().unwrap(), Reloaded::Applied(2));
        let mut fresh = site.connect(&server, Some(&leaf)).await;
        assert!(call(&mut fresh).await.unwrap().ends_with("CN=client 7 by CN=client CA"));
    }
}

#[test]
fn a_result_holds_until_the_next_time_at_which_it_can_change() {
    let site = Site::new();
    let mut settings = site.settings();
    settings.clients.as_mut().unwrap().refuses_expired_crl = true;
    let tls = site.load_with(settings);
    let generation = tls.current();
    let clients = generation.clients.as_ref().unwrap();
    let until = |leaf: &Leaf| clients.verify(&leaf.chain()[0], &leaf.chain()[1..], tls.now()).unwrap().until;
    assert_eq!(until(&site.clients.client(1, time(START + 10))), START + 10);
    // The CRL has expired at its nextUpdate.
    assert_eq!(until(&site.clients.client(2, time(START + 9 * HOUR))), START + HOUR - 1);
    // An unrelated certificate in the chain has its own end, but an end that has passed does not matter.
    let with = |end| site.clients.client(3, time(START + 9 * HOUR)).with(&site.clients.client(4, time(end)));
    assert_eq!(until(&with(START + 5)), START + 5);
    assert_eq!(until(&with(START - 5)), START + HOUR - 1);
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let site = Site::new();
    let good = |name: &str| fs::read_to_string(site.path(name)).unwrap();
    let (certificate, key, ca, crl) =
        (good("server.pem"), good("server.key"), good("clients.pem"), good("clients.crl"));
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let other = site.server.server(time(NEVER));
    let half_written = "ends within a PEM section, as a half-written file does";
    for (name, content, refusal) in [
        ("server.pem", half(&certificate), format!("tls.certificate: DIR/server.pem {half_written}")),
        ("server.pem", key.clone(), "tls.certificate: DIR/server.pem contains no certificate in PEM form".to_owned()),
        ("server.key", half(&key), format!("tls.key: DIR/server.key {half_written}")),
        (
            "server.key",
            String::new(),
            "tls.key: DIR/server.key contains no private key; it must be an unenc".to_owned(),
        ),
        (
            "server.key",
            other.key_pem,
            "tls.key: the key in DIR/server.key does not belong to the certificate in DIR/server.pem".to_owned(),
        ),
        ("clients.pem", half(&ca), format!("tls.client_ca: DIR/clients.pem {half_written}")),
        ("clients.pem", ca.repeat(65), "tls.client_ca: DIR/clients.pem contains more than 64 certificates".to_owned()),
        ("clients.crl", half(&crl), format!("tls.crl: DIR/clients.crl {half_written}")),
        ("clients.crl", ca.clone(), "tls.crl: DIR/clients.crl contains no CRL in PEM form".to_owned()),
        (
            "clients.crl",
            certificate.replace("CERTIFICATE", "X509 CRL"),
            "tls.crl: DIR/clients.crl contains a CRL that cannot be used: ".to_owned(),
        ),
        ("clients.crl", "x".repeat((64 << 20) + 1), "tls.crl: DIR/clients.crl has more than 67108864 bytes".to_owned()),
    ] {
        let before = good(name);
        site.write(name, &content);
        let told = site.refusal();
        assert!(told.starts_with(&refusal), "{told}");
        site.write(name, &before);
    }
    fs::remove_file(site.path("server.key")).unwrap();
    assert_eq!(site.refusal(), "tls.key: cannot read DIR/server.key: No such file or directory (os error 2)");
}

#[test]
fn files_that_cannot_be_used_leave_the_configuration_in_force() {
    let site = Site::new();
    let tls = site.load();
    assert_eq!(tls.reload().unwrap(), Reloaded::Unchanged);
    let next = site.server.server(time(NEVER));
    site.write("server.pem", &next.pem);
    assert!(tls.reload().unwrap_err().to_string().contains("does not belong to the certificate"));
    assert_eq!(tls.current().number, 1);
    site.write("server.key", &next.key_pem);
    assert_eq!(tls.reload().unwrap(), Reloaded::Applied(2));
    assert_eq!(tls.reload().unwrap(), Reloaded::Unchanged);
    // A CRL in DER form, as AD CS publishes it.
    fs::write(site.path("clients.crl"), site.clients.crl_der(&[], time(START), time(START + HOUR))).unwrap();
    assert_eq!(tls.reload().unwrap(), Reloaded::Applied(3));
}

#[test]
fn no_two_configurations_share_sessions() {
    let site = Site::new();
    let tls = site.load();
    let first = tls.current();
    assert!(first.config.session_storage.put(b"id".to_vec(), b"session".to_vec()));
    site.write("clients.crl", &site.clients.crl(&[7], time(START), time(START + HOUR)));
    assert_eq!(tls.reload().unwrap(), Reloaded::Applied(2));
    assert_eq!(first.config.session_storage.get(b"id"), Some(b"session".to_vec()));
    let second = tls.current();
    assert_eq!(second.config.session_storage.get(b"id"), None);
    assert!(!first.config.ticketer.enabled() && !second.config.ticketer.enabled());
}

#[test]
fn the_metrics_show_the_files_in_force() {
    use metrics_exporter_prometheus::PrometheusBuilder;
    let site = Site::new();
    site.write("clients.pem", &(site.clients.pem() + &Ca::new("old CA").pem()));
    let tls = site.load();
    let recorder = PrometheusBuilder::new().build_recorder();
    let scrape = || {
        metrics::with_local_recorder(&recorder, || tls.record_expiry());
        recorder.handle().render()
    };
    let line = |kind: &str, name: &str, value: &str| {
        format!("cmgate_tls_seconds_left{{port=\"public\",kind=\"{kind}\",name=\"CN={name}\"}} {value}\n")
    };
    let text = scrape();
    assert!(text.contains(&line("crl", "client CA", "3600")), "{text}");
    assert!(text.contains(&format!("name=\"CN=client CA\"}} {}\n", START + HOUR)), "{text}");
    site.set_clock(START + HOUR + 10);
    assert!(scrape().contains(&line("crl", "client CA", "-10")));
    site.write("clients.pem", &site.clients.pem());
    site.write("clients.crl", &site.clients.crl(&[], time(START), time(START + 3 * HOUR)));
    assert_eq!(tls.reload().unwrap(), Reloaded::Applied(2));
    let text = scrape();
    assert!(text.contains(&line("crl", "client CA", "7190")), "{text}");
    assert!(text.contains(&line("client_ca", "old CA", "NaN")), "what is gone has no value: {text}");
}
