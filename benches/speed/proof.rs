//! Callers with a proof of their identity: an issuer of tokens, and the files of TLS with a client certificate.

#[expect(dead_code, reason = "the tests of the service use the rest")]
#[path = "../../src/http/server/tls/tests/pki.rs"]
mod pki;
#[expect(dead_code, reason = "the tests of the service use the rest")]
#[path = "../../src/http/auth/jwt/tests/signer.rs"]
mod signer;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use self::pki::Ca;
use self::signer::{Draft, SigningKey, encode};
use crate::grpc::Authorization;

/// The issuer of all tokens.
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "cmgate";
/// Longer than any measurement.
const LIFETIME: Duration = Duration::from_hours(12);

/// An issuer of tokens that are signed with RS256, as most issuers do.
pub(crate) struct Issuer {
    keys: Arc<Keys>,
}

struct Keys {
    /// The published key set.
    set: Mutex<String>,
    /// How often it was read over HTTP.
    reads: AtomicUsize,
}

impl Issuer {
    /// With one key.
    pub(crate) fn new(key_id: &'static str) -> Self {
        let issuer = Self { keys: Arc::new(Keys { set: Mutex::default(), reads: AtomicUsize::new(0) }) };
        issuer.publish(&[key_id]);
        issuer
    }

    /// Replaces the published keys.
    pub(crate) fn publish(&self, key_ids: &[&'static str]) {
        let keys: Vec<_> = key_ids.iter().map(|id| SigningKey::rsa(id).jwk()).collect();
        *self.keys.set.lock().unwrap() = json!({"keys": keys}).to_string();
    }

    /// The published key set.
    pub(crate) fn key_set(&self) -> String {
        self.keys.set.lock().unwrap().clone()
    }

    /// Serves the key set over HTTP, and returns its URL.
    pub(crate) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let keys = Arc::clone(&self.keys);
        let handler = async move || {
            keys.reads.fetch_add(1, Ordering::Relaxed);
            keys.set.lock().unwrap().clone()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/keys", get(handler))).await });
        url
    }

    /// How often the key set was read over HTTP.
    pub(crate) fn reads(&self) -> usize {
        self.keys.reads.load(Ordering::Relaxed)
    }
}

/// The settings of a service that accepts the issuer, whose keys are at `place`; `key` is `JWKS_FILE` or `JWKS_URI`.
pub(crate) fn issuer_settings(key: &str, place: String) -> Vec<(String, String)> {
    let usual = [("NAME", "idp"), ("ISSUERS", ISSUER), ("AUDIENCES", AUDIENCE), ("MAX_LIFETIME", "24h")];
    let usual = usual.into_iter().map(|(key, value)| (key, value.to_owned()));
    usual.chain([(key, place)]).map(|(key, value)| (format!("CMGATE__AUTH__JWT__0__{key}"), value)).collect()
}

/// A good token of a subject.
pub(crate) fn token(key_id: &'static str, subject: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": format!("caller-{subject}"), "iat": now - 5, "exp": now + LIFETIME.as_secs(),
    });
    Draft::new(json!({"typ": "JWT"}), claims).sign(&SigningKey::rsa(key_id))
}

/// The same with a signature that is wrong in one byte.
pub(crate) fn forged_token(key_id: &'static str, subject: usize) -> String {
    let mut token = token(key_id, subject);
    let last = token.rfind('.').unwrap() + 100;
    let other = if &token[last..=last] == "A" { "B" } else { "A" };
    token.replace_range(last..=last, other);
    token
}

/// The same with another key id, under which the signature is not checked.
pub(crate) fn with_key_id(token: &str, key_id: &str) -> String {
    let (_header, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", encode(json!({"typ": "JWT", "alg": "RS256", "kid": key_id}).to_string()))
}

/// The header `Authorization` of a token.
pub(crate) fn bearer(token: &str) -> Authorization {
    format!("Bearer {token}").parse().unwrap()
}

/// The files of TLS, and how clients connect.
pub(crate) struct TlsSite {
    directory: TempDir,
    server: Ca,
    clients: Ca,
}

impl TlsSite {
    pub(crate) fn new() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            server: Ca::new("server CA"),
            clients: Ca::new("client CA"),
        };
        let leaf = site.server.server(SystemTime::now() + LIFETIME);
        for (name, content) in
            [("server.pem", &leaf.pem), ("server.key", &leaf.key_pem), ("clients.pem", &site.clients.pem())]
        {
            fs::write(site.directory.path().join(name), content).unwrap();
        }
        site
    }

    /// The settings of the service.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let file = |key: &str, name: &str| {
            (format!("CMGATE__TLS__{key}"), self.directory.path().join(name).display().to_string())
        };
        vec![file("CERTIFICATE", "server.pem"), file("KEY", "server.key")]
    }

    /// The settings of a service that takes callers from the names in their certificates.
    pub(crate) fn client_settings(&self) -> Vec<(String, String)> {
        let rule = |key: &str, value: &str| (format!("CMGATE__AUTH__CERTIFICATE__0__{key}"), value.to_owned());
        let ca = self.directory.path().join("clients.pem").display().to_string();
        let own = [
            ("CMGATE__TLS__CLIENT_CA".to_owned(), ca),
            ("CMGATE__TLS__CLIENT_CERTIFICATES".to_owned(), "optional".to_owned()),
            rule("NAME", "agents"),
            rule("SOURCE", "dn"),
            rule("CALLERS__0__VALUE", "CN=client 1"),
        ];
        self.settings().into_iter().chain(own).collect()
    }

    /// How a client connects, with a certificate or without.
    pub(crate) fn client(&self, has_certificate: bool) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = if has_certificate {
            let leaf = self.clients.client(1, SystemTime::now() + LIFETIME);
            config.with_client_auth_cert(leaf.chain(), leaf.key()).unwrap()
        } else {
            config.with_no_client_auth()
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}
