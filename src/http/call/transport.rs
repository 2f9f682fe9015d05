//! Finds the transport of a call and its gRPC method, and detects calls that fit neither transport.

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version, header};

/// A transport of the public port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// gRPC over HTTP/2.
    Grpc,
    /// The REST API of the service itself: paths under `/v1/`.
    Rest,
    /// The legacy REST facade: everything else.
    Legacy,
}

impl Transport {
    /// The transport for the content type and the path of a request. `application/grpc-web` is not gRPC.
    #[must_use]
    pub fn of(headers: &HeaderMap, path: &str) -> Self {
        match ContentType::of(headers) {
            ContentType::Protobuf | ContentType::OtherCodec => Self::Grpc,
            ContentType::GrpcWeb | ContentType::NotGrpc if path.starts_with("/v1/") => Self::Rest,
            ContentType::GrpcWeb | ContentType::NotGrpc => Self::Legacy,
        }
    }

    /// Its name in audit lines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Rest => "rest",
            Self::Legacy => "facade",
        }
    }
}

/// A content type, with respect to gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentType {
    /// gRPC with protobuf messages.
    Protobuf,
    /// gRPC with messages in another format, such as JSON.
    OtherCodec,
    /// gRPC-Web, which is a different protocol.
    GrpcWeb,
    /// Any other content type, or none.
    NotGrpc,
}

impl ContentType {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let Some((prefix, rest)) = essence.split_at_checked(GRPC.len()) else { return Self::NotGrpc };
        if !prefix.eq_ignore_ascii_case(GRPC) {
            return Self::NotGrpc;
        }
        match rest {
            [] => Self::Protobuf,
            [b'+', codec @ ..] if codec.eq_ignore_ascii_case(b"proto") => Self::Protobuf,
            [b'+', ..] => Self::OtherCodec,
            [b'-', ..] if starts_with_ignore_case(rest, b"-web") => Self::GrpcWeb,
            _ => Self::NotGrpc,
        }
    }
}

const GRPC: &[u8] = b"application/grpc";

fn starts_with_ignore_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Why a call fits neither transport, judged by the head of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// gRPC over HTTP/1.
    OldHttp,
    /// gRPC, or the path of a gRPC method, with an HTTP method other than POST.
    NotPost,
    /// gRPC-Web.
    GrpcWeb,
    /// The path of a gRPC method with another content type.
    NotGrpc,
}

impl Mismatch {
    /// Checks the head of a request; `None` if it fits its transport.
    pub(super) fn of(parts: &Parts) -> Option<Self> {
        match ContentType::of(&parts.headers) {
            ContentType::GrpcWeb => Some(Self::GrpcWeb),
            ContentType::Protobuf | ContentType::OtherCodec if parts.version < Version::HTTP_2 => Some(Self::OldHttp),
            ContentType::Protobuf | ContentType::OtherCodec => (parts.method != Method::POST).then_some(Self::NotPost),
            ContentType::NotGrpc if !names_grpc_service(parts.uri.path()) => None,
            ContentType::NotGrpc if parts.method != Method::POST => Some(Self::NotPost),
            ContentType::NotGrpc => Some(Self::NotGrpc),
        }
    }

    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::OldHttp => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NotPost => StatusCode::METHOD_NOT_ALLOWED,
            Self::GrpcWeb | Self::NotGrpc => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// Message that names the correct call.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::OldHttp => {
                "the content type application/grpc requires HTTP/2; the REST API expects the content type application/json"
            }
            Self::NotPost => "only POST is allowed for gRPC calls",
            Self::GrpcWeb => {
                "gRPC-Web is not supported; use gRPC over HTTP/2 with the content type application/grpc, or the REST API"
            }
            Self::NotGrpc => "this path is a gRPC method; call it over HTTP/2 with the content type application/grpc",
        }
    }
}

/// Whether the codec of a gRPC call is supported.
pub(super) fn has_known_codec(headers: &HeaderMap) -> bool {
    ContentType::of(headers) != ContentType::OtherCodec
}

/// All gRPC methods. Only these become labels of metrics, so callers cannot create time series.
pub(super) const GRPC_METHODS: [&str; 24] = [
    "cmgate.v1.RequestService/CreateRequest",
    "cmgate.v1.RequestService/GetRequest",
    "cmgate.v1.RequestService/GetRequests",
    "cmgate.v1.RequestService/BatchCreateRequests",
    "cmgate.v1.RequestService/ApproveRequest",
    "cmgate.v1.RequestService/DenyRequest",
    "cmgate.v1.RequestService/StartRequest",
    "cmgate.v1.RequestService/BindSmartcard",
    "cmgate.v1.RequestService/ChangeSmartcard",
    "cmgate.v1.RequestService/CompleteRequest",
    "cmgate.v1.RequestService/FailRequest",
    "cmgate.v1.RequestService/CancelRequest",
    "cmgate.v1.RequestService/AbandonRequest",
    "cmgate.v1.CredentialService/GetCredential",
    "cmgate.v1.CredentialService/GetCredentials",
    "cmgate.v1.CredentialService/ImportCredentials",
    "cmgate.v1.CallerService/WhoAmI",
    "cmgate.v1.DirectoryService/GetUser",
    "cmgate.v1.DirectoryService/GetUsers",
    "cmgate.v1.DirectoryService/ImportUsers",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Services that expose no request data and need no authentication.
const OPEN_SERVICES: [&str; 3] =
    ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// The gRPC method at a path; `None` if it does not exist.
pub(super) fn grpc_method(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix('/')?;
    GRPC_METHODS.into_iter().find(|method| *method == path)
}

/// Whether a path names a gRPC service of this port, with any method.
fn names_grpc_service(path: &str) -> bool {
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(service, _)| service);
    let is_in = |method: &str, service: &str| method.strip_prefix(service).is_some_and(|rest| rest.starts_with('/'));
    named.is_some_and(|named| GRPC_METHODS.into_iter().any(|method| is_in(method, named)))
}

/// Whether a gRPC path needs no authentication.
pub(super) fn is_open(path: &str) -> bool {
    OPEN_SERVICES.iter().any(|service| path.starts_with(service))
}

#[cfg(test)]
mod tests;
