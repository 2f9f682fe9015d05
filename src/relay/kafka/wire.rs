//! A minimal connection to one broker, for responses that librdkafka does not expose.
//!
//! The crate `kafka-protocol` provides requests and responses; this adds the connection, its deadline, and SASL PLAIN.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use secrecy::{ExposeSecret, SecretString};

/// Port of a broker that is given without one.
const DEFAULT_PORT: u16 = 9092;

/// Longest answer that is read.
const LONGEST_ANSWER: u32 = 8 << 20;

/// Longest wait for a connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The version of `ApiVersions` that every broker answers.
const ASK_VERSIONS: i16 = 0;
/// The version of SASL in which each step is a request.
const SASL_VERSION: i16 = 1;
const SASL_MECHANISM: &str = "PLAIN";

/// How to authenticate to a broker.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// No authentication.
    Open,
    /// SASL PLAIN.
    Password { name: String, password: SecretString },
}

impl Access {
    /// The authentication that properties of librdkafka configure; `None` if this client does not support it.
    pub(super) fn of(properties: &BTreeMap<String, SecretString>) -> Option<Self> {
        let property = |name: &str| properties.get(name).map(|value| value.expose_secret().to_owned());
        match property("security.protocol").unwrap_or_default().to_lowercase().as_str() {
            "" | "plaintext" => Some(Self::Open),
            "sasl_plaintext" => {
                let mechanism = property("sasl.mechanism").or_else(|| property("sasl.mechanisms"))?;
                let password = properties.get("sasl.password")?.clone();
                let name = property("sasl.username")?;
                mechanism.eq_ignore_ascii_case(SASL_MECHANISM).then_some(Self::Password { name, password })
            }
            _ => None,
        }
    }
}

/// A connection with one request in flight at a time.
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Instant,
    requests: i32,
    /// Newest version of each request that the broker supports, by API key.
    versions: BTreeMap<i16, i16>,
}

impl Connection {
    /// Connects to a broker, `host`, `host:port` or either after `protocol://`, and gains access.
    pub(super) fn open(broker: &str, access: &Access, deadline: Instant) -> io::Result<Self> {
        let stream = connect(broker, deadline)?;
        let mut connection = Self { stream, deadline, requests: 0, versions: BTreeMap::new() };
        let versions = connection.ask(&ApiVersionsRequest::default(), ASK_VERSIONS)?;
        check(versions.error_code, "the versions of its protocol")?;
        connection.versions = versions.api_keys.iter().map(|api| (api.api_key, api.max_version)).collect();
        if let Access::Password { name, password } = access {
            connection.sign_in(name, password)?;
        }
        Ok(connection)
    }

    /// Newest version of a request that both sides support; 0 if the broker does not list it.
    pub(super) fn version<R: Request>(&self) -> i16 {
        self.versions.get(&R::KEY).map_or(0, |newest| R::VERSIONS.max.min(*newest))
    }

    /// Sends a request and reads its answer.
    pub(super) fn ask<R: Request>(&mut self, request: &R, version: i16) -> io::Result<R::Response> {
        self.requests = self.requests.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.requests)
            .with_client_id(Some(StrBytes::from_static_str("cmgate")));
        let mut message = BytesMut::from(&[0; 4][..]);
        header.encode(&mut message, R::header_version(version)).map_err(io::Error::other)?;
        request.encode(&mut message, version).map_err(io::Error::other)?;
        let length = u32::try_from(message.len() - 4).map_err(io::Error::other)?;
        message[..4].copy_from_slice(&length.to_be_bytes());
        self.limit()?;
        self.stream.write_all(&message)?;

        let mut answer = self.read()?;
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version));
        if header.map_err(io::Error::other)?.correlation_id != self.requests {
            return Err(io::Error::other("the broker answered another request"));
        }
        R::Response::decode(&mut answer, version).map_err(io::Error::other)
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > LONGEST_ANSWER {
            return Err(io::Error::other(format!("a response of {length} bytes does not come from Kafka")));
        }
        let mut answer = vec![0; length as usize];
        self.read_exact(&mut answer)?;
        Ok(answer.into())
    }

    /// Reads within the deadline of the connection.
    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            self.limit()?;
            match self.stream.read(&mut buffer[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn limit(&self) -> io::Result<()> {
        let left = remaining(self.deadline)?;
        self.stream.set_read_timeout(Some(left))?;
        self.stream.set_write_timeout(Some(left))
    }

    fn sign_in(&mut self, name: &str, password: &SecretString) -> io::Result<()> {
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(SASL_MECHANISM));
        check(self.ask(&handshake, SASL_VERSION)?.error_code, "SASL PLAIN")?;
        let proof = format!("\0{name}\0{}", password.expose_secret());
        let proof = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(proof));
        check(self.ask(&proof, SASL_VERSION)?.error_code, "the user name and password")
    }
}

/// Fails if a broker answered with an error.
pub(super) fn check(code: i16, what: &str) -> io::Result<()> {
    match kafka_protocol::ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => Err(io::Error::other(format!("the broker refuses {what}: {error}"))),
    }
}

fn connect(broker: &str, deadline: Instant) -> io::Result<TcpStream> {
    let address = broker.trim();
    let address = address.split_once("://").map_or(address, |(_, address)| address);
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let addresses = if has_port { address.to_socket_addrs() } else { (address, DEFAULT_PORT).to_socket_addrs() };
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses? {
        match TcpStream::connect_timeout(&address, remaining(deadline)?.min(CONNECT_TIMEOUT)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(properties: &[(&str, &str)]) -> Option<Access> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), SecretString::from(*value));
        Access::of(&properties.iter().map(owned).collect())
    }

    #[test]
    fn access_is_what_the_properties_ask_for() {
        assert!(matches!(access(&[]), Some(Access::Open)));
        assert!(matches!(access(&[("security.protocol", "PLAINTEXT")]), Some(Access::Open)));
        let plain = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanisms", "PLAIN"),
            ("sasl.username", "relay"),
            ("sasl.password", "canary"),
        ];
        let Some(Access::Password { name, password }) = access(&plain) else { panic!("SASL PLAIN is understood") };
        assert_eq!((name.as_str(), password.expose_secret()), ("relay", "canary"));
        assert!(access(&plain[..3]).is_none());
        assert!(access(&[("security.protocol", "ssl")]).is_none());
        let scram = [plain[0], ("sasl.mechanism", "SCRAM-SHA-256"), plain[2], plain[3]];
        assert!(access(&scram).is_none());
    }
}
