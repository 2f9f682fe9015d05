//! A TLS client by rustls, with calls over HTTP/1.1, HTTP/2 and gRPC.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use cmgate::contract::v1::request_service_client::RequestServiceClient;
use http::{HeaderMap, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::pki::{Ca, Leaf};

pub(crate) const H2: &str = "h2";
pub(crate) const HTTP1: &str = "http/1.1";

/// How a client connects. Each keeps the sessions that it may resume.
#[derive(Clone)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

/// An open connection with an HTTP client.
pub(crate) struct Connection {
    sender: Sender,
    /// What ended the connection.
    driver: Option<JoinHandle<hyper::Result<()>>>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) closes: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl TlsClient {
    /// Trusts the CA of a server; speaks every version of TLS, and HTTP/1.1.
    pub(super) fn new(server: &Ca) -> Self {
        Self::with(server, &[&TLS12, &TLS13], None)
    }

    /// The same with these versions of TLS.
    pub(super) fn of_versions(server: &Ca, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self::with(server, versions, None)
    }

    /// The same with a certificate.
    pub(super) fn known_as(server: &Ca, leaf: &Leaf) -> Self {
        Self::with(server, &[&TLS12, &TLS13], Some(leaf))
    }

    pub(super) fn with(server: &Ca, versions: &[&'static SupportedProtocolVersion], leaf: Option<&Leaf>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(server.der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match leaf {
            Some(leaf) => config.with_client_auth_cert(leaf.chain(), leaf.key()).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP1.into()];
        Self(Arc::new(config))
    }

    /// Presents a certificate with the key of another one.
    pub(super) fn impostor(server: &Ca, version: &'static SupportedProtocolVersion, leaf: &Leaf, other: &Leaf) -> Self {
        let key = any_supported_type(&other.key()).unwrap();
        let presented = SingleCertAndKey::from(CertifiedKey::new(leaf.chain(), key));
        let mut config = ClientConfig::clone(&Self::with(server, &[version], None).0);
        config.client_auth_cert_resolver = Arc::new(presented);
        Self(Arc::new(config))
    }

    /// The same client, with these protocols in ALPN.
    pub(crate) fn offering(&self, protocols: &[&str]) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// Connects to a server on this machine.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.0)).connect(name, socket).await
    }

    /// Connects for HTTP/2 if the server chooses it, else for HTTP/1.1.
    pub(crate) async fn open(&self, address: SocketAddr) -> io::Result<Connection> {
        Ok(Connection::over(self.connect(address).await?).await)
    }

    /// Makes one call on a new connection. In TLS 1.3, a server that refuses the client's certificate says so only now.
    pub(super) async fn get(&self, address: SocketAddr, path: &str) -> Result<Answered, String> {
        let mut connection = self.open(address).await.map_err(|error| error.to_string())?;
        connection.get(path).await
    }

    /// A gRPC client.
    pub(crate) fn grpc(&self, address: SocketAddr) -> RequestServiceClient<Channel> {
        RequestServiceClient::new(self.channel(address))
    }

    /// A lazy connection for gRPC.
    pub(super) fn channel(&self, address: SocketAddr) -> Channel {
        let client = self.offering(&[H2]);
        let connector = tower::service_fn(move |_| {
            let client = client.clone();
            async move { client.connect(address).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        endpoint.connect_with_connector_lazy(connector)
    }
}

impl Connection {
    pub(super) async fn over(stream: TlsStream<TcpStream>) -> Self {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(H2.as_bytes());
        Self::on(stream, is_http2).await
    }

    pub(super) async fn on<S>(socket: S, is_http2: bool) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let socket = TokioIo::new(socket);
        if is_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), socket).await.unwrap();
            Self { sender: Sender::Http2(sender), driver: Some(tokio::spawn(connection)) }
        } else {
            let (sender, connection) = http1::handshake(socket).await.unwrap();
            Self { sender: Sender::Http1(sender), driver: Some(tokio::spawn(connection)) }
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answered, String> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answered, String> {
        let uri = match self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("https://localhost{path}"),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if let Sender::Http1(_) = self.sender {
            request = request.header("Host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match self.sender.send(request.body(Full::new(body)).unwrap()).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.end(error).await),
        }
    }

    /// Why a call failed: the error that reset its stream, or else the one that ended the connection, if there is one.
    async fn end(&mut self, error: hyper::Error) -> String {
        let stream = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<h2::Error>());
        if stream.is_some_and(h2::Error::is_reset) {
            return told(&error);
        }
        let Some(driver) = self.driver.take() else { return told(&error) };
        driver.await.unwrap().err().map_or_else(|| told(&error), |error| told(&error))
    }
}

impl Sender {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answered> {
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (status, version) = (response.status().as_u16(), response.version());
        let headers = response.headers().clone();
        let closes = headers.get("connection").is_some_and(|value| value == "close");
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answered { status, version, closes, headers, body: String::from_utf8(body.to_vec()).unwrap() })
    }
}

impl Answered {
    /// The value of a header; the first one if it occurs several times.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// An error with its causes.
fn told(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
