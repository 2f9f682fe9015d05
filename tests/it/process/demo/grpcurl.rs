//! A stand-in for grpcurl where it is not installed: a function of the shell that hands its arguments to this process, which makes the
//! call over TLS with the descriptors of the contract.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use bytes::{Buf, BufMut};
use cmgate::contract::DESCRIPTORS;
use hyper_util::rt::TokioIo;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::AsciiMetadataKey;
use tonic::transport::{Channel, Endpoint};

/// Two pipes: for the arguments of a call, and for its answer. The thread that serves them ends with the process.
pub(super) struct StandIn {
    pipes: Option<TempDir>,
}

impl StandIn {
    /// Starts it, unless grpcurl is installed.
    pub(super) fn start() -> Self {
        if Command::new("grpcurl").arg("-version").output().is_ok() {
            return Self { pipes: None };
        }
        let pipes = tempfile::tempdir().unwrap();
        let (calls, answers) = (pipes.path().join("calls"), pipes.path().join("answers"));
        assert!(Command::new("mkfifo").arg(&calls).arg(&answers).status().unwrap().success());
        thread::spawn(move || serve(&calls, &answers));
        Self { pipes: Some(pipes) }
    }

    /// The definition of the function; nothing if grpcurl is installed.
    pub(super) fn definition(&self) -> String {
        let Some(pipes) = &self.pipes else { return String::new() };
        let pipes = pipes.path().display();
        format!(
            "grpcurl() {{ {{ pwd; printf '%s\\n' \"$@\"; }} > {pipes}/calls; local answer; answer=$(cat {pipes}/answers); \
             echo \"$answer\"; [[ $answer == {{* ]]; }}"
        )
    }
}

/// Answers call after call; opening a pipe waits for the shell.
fn serve(calls: &PathBuf, answers: &PathBuf) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    while let Ok(call) = fs::read_to_string(calls) {
        let answer = runtime.block_on(Call::parse(&call).make());
        let answer = answer.unwrap_or_else(|status| format!("ERROR: {status}"));
        if fs::write(answers, answer).is_err() {
            break;
        }
    }
}

/// The arguments of a call.
#[derive(Default)]
struct Call {
    /// `None` without TLS.
    ca: Option<PathBuf>,
    pair: Option<(PathBuf, PathBuf)>,
    headers: Vec<(String, String)>,
    data: String,
    address: String,
    /// `package.Service/Method`.
    method: String,
}

impl Call {
    /// Reads the directory of the shell and the arguments, one per line.
    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let directory = PathBuf::from(lines.next().unwrap());
        let path = |name: Option<&str>| directory.join(name.unwrap());
        let mut call = Self { data: "{}".to_owned(), ..Self::default() };
        let mut certificate = None;
        while let Some(argument) = lines.next() {
            match argument {
                "-plaintext" => call.ca = None,
                "-cacert" => call.ca = Some(path(lines.next())),
                "-cert" => certificate = Some(path(lines.next())),
                "-key" => call.pair = certificate.take().zip(Some(path(lines.next()))),
                "-H" => {
                    let (name, value) = lines.next().unwrap().split_once(": ").unwrap();
                    call.headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
                "-d" => lines.next().unwrap().clone_into(&mut call.data),
                flag if flag.starts_with('-') => panic!("the stand-in for grpcurl does not know {flag}"),
                address if call.address.is_empty() => address.clone_into(&mut call.address),
                method => method.clone_into(&mut call.method),
            }
        }
        call
    }

    /// Makes the call, and returns the answer as JSON.
    async fn make(self) -> Result<String, Status> {
        let (service, name) = self.method.split_once('/').unwrap();
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let method = service.methods().find(|method| method.name() == name).unwrap();
        let mut json = serde_json::Deserializer::from_str(&self.data);
        let message = DynamicMessage::deserialize(method.input(), &mut json)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut request = tonic::Request::new(message.encode_to_vec());
        for (name, value) in &self.headers {
            let name = AsciiMetadataKey::from_bytes(name.as_bytes()).unwrap();
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        let mut client = tonic::client::Grpc::new(self.connect());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let answer = client.unary(request, format!("/{}", self.method).parse().unwrap(), Bytes).await?;
        let answer = DynamicMessage::decode(method.output(), answer.into_inner().as_slice()).unwrap();
        Ok(serde_json::to_string(&answer).unwrap())
    }

    fn connect(&self) -> Channel {
        let Some(ca) = &self.ca else {
            return Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy();
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match &self.pair {
            Some((certificate, key)) => config.with_client_auth_cert(chain(certificate), key_in(key)).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let (connector, address) = (TlsConnector::from(Arc::new(config)), self.address.parse::<SocketAddr>().unwrap());
        let connector = tower::service_fn(move |_| {
            let connector = connector.clone();
            async move {
                let name = ServerName::from(address.ip());
                connector.connect(name, TcpStream::connect(address).await?).await.map(TokioIo::new)
            }
        });
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
    }
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_file(path).unwrap()]
}

fn key_in(path: &Path) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_file(path).unwrap()
}

/// Messages that are encoded already.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}
