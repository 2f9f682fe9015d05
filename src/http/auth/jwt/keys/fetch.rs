//! Reads a small document over HTTP: bounded in size and time, and without following redirects.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::DateTime;
use http::header::{ACCEPT, CACHE_CONTROL, DATE};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::super::KeySet;
use crate::domain::Timestamp;
use crate::runtime::file::{self, FileError};
use crate::runtime::server_time::ServerTime;

/// Maximum time for all documents of a read, from the connection to the end of the last one.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Limit on a document, in bytes.
pub(super) const MAX_BYTES: usize = KeySet::MAX_BYTES;
/// Limit on the head of a response, in bytes.
const HEAD_BYTES: usize = 32 << 10;

/// A client for the servers of one issuer.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    timeout: Duration,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) body: Bytes,
    /// How long it may be kept (RFC 9111, 5.2.2.1), if the server says so.
    pub(super) max_age: Option<Duration>,
    /// The clock of the server, if it tells the time.
    pub(super) clock: Option<ServerTime>,
}

/// Why a document cannot be read.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server cannot be reached, or its certificate is not accepted.
    #[error("cannot connect to the server")]
    Connect(#[source] hyper_util::client::legacy::Error),
    /// The connection ended before the end of the response, or the response is not HTTP.
    #[error("no complete response")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The response took too long.
    #[error("no complete response within {} s", .limit.as_secs_f32())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The status is not 200. Redirects are not followed: the keys must come from the configured place.
    #[error("the server answered {0}, not 200")]
    Status(StatusCode),
    /// The document is too large.
    #[error("the document has more than {MAX_BYTES} bytes")]
    TooLarge,
}

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum RootsError {
    /// The file of certification authorities cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file contains no certificate that can be used, or one that cannot.
    #[error("{path} does not contain PEM certificates of certification authorities")]
    Pem {
        /// The file.
        path: String,
    },
    /// The operating system has no certification authorities.
    #[error("the operating system lists no certification authorities; name those of the issuer's server")]
    NoneInstalled,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

impl Fetcher {
    /// A client that trusts the certification authorities of a PEM file, or those of the operating system.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, RootsError> {
        let provider = Arc::new(ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        // Whether a URL may be plain HTTP is checked where the URL comes from.
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .http1_max_buf_size(HEAD_BYTES)
            // Minutes pass between two requests.
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { client, timeout: TIMEOUT })
    }

    /// The same client with another timeout.
    #[cfg(test)]
    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The time until which documents must be complete that are requested from now on.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Reads a document.
    pub(super) async fn get(&self, url: &Uri, deadline: Instant) -> Result<Document, FetchError> {
        let read = tokio::time::timeout_at(deadline.into(), self.read(url));
        read.await.map_err(|_elapsed| FetchError::TimedOut { limit: self.timeout })?
    }

    async fn read(&self, url: &Uri) -> Result<Document, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url.clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let asked = Instant::now();
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() { FetchError::Connect(error) } else { FetchError::Broken(error.into()) }
        })?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let (max_age, clock) = (max_age(response.headers()), clock(response.headers(), asked));
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { FetchError::TooLarge } else { FetchError::Broken(error) }
        })?;
        Ok(Document { body: body.to_bytes(), max_age, clock })
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        // Certificates of the operating system that rustls does not accept are of no interest to the operator.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(RootsError::NoneInstalled) } else { Ok(roots) };
    };
    let pem = || RootsError::Pem { path: path.display().to_string() };
    for certificate in CertificateDer::pem_slice_iter(&file::read(path, MAX_BYTES)?) {
        roots.add(certificate.map_err(|_| pem())?).map_err(|_| pem())?;
    }
    if roots.is_empty() { Err(pem()) } else { Ok(roots) }
}

/// The `max-age` of `Cache-Control`.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| seconds.trim_matches('"').parse::<u32>().ok()).flatten()
    })?;
    Some(Duration::from_secs(seconds.into()))
}

/// The clock of the server according to `Date` (RFC 9110, 6.6.1), in whole seconds.
fn clock(headers: &HeaderMap, asked: Instant) -> Option<ServerTime> {
    let date = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(ServerTime::read(Timestamp::new(date.to_utc()), Duration::from_secs(1), asked))
}

#[cfg(test)]
mod tests;
