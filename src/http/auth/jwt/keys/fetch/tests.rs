//! Documents of well-behaved and other servers, and the certificates of servers.

use std::fs;

use http::header::CACHE_CONTROL;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::fixture::{Origin, Reply};
use super::*;
use crate::runtime::clock::Clock;

async fn get(origin: &Origin, path: &str) -> Result<Document, FetchError> {
    let fetcher = Fetcher::new(None).unwrap();
    fetcher.get(&origin.url(path).parse().unwrap(), fetcher.deadline()).await
}

#[tokio::test]
async fn a_document_is_read_with_its_max_age() {
    let origin = Origin::start().await;
    origin.put("/plain", Reply::Text("{}".to_owned()));
    origin.put("/cached", Reply::Cached("{}".to_owned(), "public, max-age=90"));
    origin.put("/large", Reply::Spaces(MAX_BYTES));
    let body = Bytes::from_static(b"{}");
    for (path, max_age) in [("/plain", None), ("/cached", Some(Duration::from_secs(90)))] {
        let document = get(&origin, path).await.unwrap();
        assert_eq!((&document.body, document.max_age), (&body, max_age));
        // The server of the test has the clock of this process.
        let ahead = document.clock.unwrap().ahead_of(&Clock::System);
        assert!(ahead.abs() < 60_000_000, "{ahead}");
    }
    assert_eq!(get(&origin, "/large").await.unwrap().body.len(), MAX_BYTES);
}

#[tokio::test]
async fn other_responses_are_refused() {
    let origin = Origin::start().await;
    origin.put("/failed", Reply::Status(StatusCode::INTERNAL_SERVER_ERROR));
    origin.put("/empty", Reply::Status(StatusCode::NO_CONTENT));
    origin.put("/elsewhere", Reply::Redirect(origin.url("/target")));
    origin.put("/target", Reply::Text("{}".to_owned()));
    origin.put("/large", Reply::Spaces(MAX_BYTES + 1));
    origin.put("/huge", Reply::Spaces(10 << 20));
    origin.put("/endless", Reply::Endless);
    origin.put("/cut", Reply::Cut);
    for (path, expected) in [("/failed", 500), ("/empty", 204), ("/elsewhere", 302), ("/missing", 404)] {
        let error = get(&origin, path).await.unwrap_err();
        assert!(matches!(error, FetchError::Status(status) if status.as_u16() == expected), "{path}: {error:?}");
    }
    assert_eq!(origin.reads("/target"), 0, "the redirect is not followed");
    for path in ["/large", "/huge", "/endless"] {
        let error = get(&origin, path).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge), "{path}: {error:?}");
    }
    let error = get(&origin, "/cut").await.unwrap_err();
    assert!(matches!(error, FetchError::Broken(_)), "{error:?}");
}

#[tokio::test]
async fn a_silent_or_absent_server_is_given_up() {
    let origin = Origin::start().await;
    origin.put("/never", Reply::Never);
    let fetcher = Fetcher::new(None).unwrap().within(Duration::from_millis(50));
    let error = fetcher.get(&origin.url("/never").parse().unwrap(), fetcher.deadline()).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut { .. }), "{error:?}");
    // Port 1 is below those that systems assign.
    let fetcher = Fetcher::new(None).unwrap();
    let error = fetcher.get(&Uri::from_static("http://127.0.0.1:1/"), fetcher.deadline()).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect(_)), "{error:?}");
}

/// A certification authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// Starts a server for 127.0.0.1 with a certificate of the authority, and returns its URL.
async fn start_server(authority: &CertifiedIssuer<'static, KeyPair>) -> Uri {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    url
}

#[tokio::test]
async fn a_server_needs_a_certificate_of_the_named_authority() {
    let (ours, theirs) = (authority(), authority());
    let directory = tempfile::tempdir().unwrap();
    let bundle = |name: &str, authorities: &[&CertifiedIssuer<'static, KeyPair>]| {
        let path = directory.path().join(name);
        fs::write(&path, authorities.iter().map(|authority| authority.pem()).collect::<String>()).unwrap();
        path
    };
    let url = start_server(&ours).await;
    for path in [bundle("ours.pem", &[&ours]), bundle("both.pem", &[&theirs, &ours])] {
        let fetcher = Fetcher::new(Some(&path)).unwrap();
        let document = fetcher.get(&url, fetcher.deadline()).await.unwrap();
        assert_eq!(document.body, "{}");
    }
    let other = bundle("theirs.pem", &[&theirs]);
    for ca in [Some(other.as_path()), None] {
        let fetcher = Fetcher::new(ca).unwrap();
        let error = fetcher.get(&url, fetcher.deadline()).await.unwrap_err();
        assert!(matches!(error, FetchError::Connect(_)), "{ca:?}: {error:?}");
    }
}

#[test]
fn a_file_without_authorities_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let error = Fetcher::new(Some(&path)).unwrap_err();
    assert!(matches!(error, RootsError::File(FileError::Unreadable { .. })), "{error:?}");
    for content in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(&path, content).unwrap();
        let error = Fetcher::new(Some(&path)).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{content:?}: {error}");
    }
}

#[test]
fn the_age_of_a_document_is_the_first_max_age() {
    let age = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        max_age(&headers).map(|age| age.as_secs())
    };
    for (values, expected) in [
        (&["max-age=60"][..], Some(60)),
        (&["public, Max-Age=\"300\" , must-revalidate"], Some(300)),
        (&["no-transform", "max-age=7"], Some(7)),
        (&["max-age=1, max-age=2"], Some(1)),
        (&[], None),
        (&["no-store"], None),
        (&["max-age"], None),
        (&["max-age=-1"], None),
        (&["max-age=99999999999999999999"], None),
        (&["s-maxage=5"], None),
    ] {
        assert_eq!(age(values), expected, "{values:?}");
    }
}
