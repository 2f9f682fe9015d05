//! Finds the transport of a call and its gRPC method, and detects calls that fit neither transport.

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version, header};

/// A transport of the public port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// gRPC over HTTP/2.
    Grpc,
    /// The legacy REST facade: everything else.
    Legacy,
}

impl Transport {
    /// The transport for the content type of a request. `application/grpc-web` is not gRPC.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        match ContentType::of(headers) {
            ContentType::Protobuf | ContentType::OtherCodec => Self::Grpc,
            ContentType::GrpcWeb | ContentType::NotGrpc => Self::Legacy,
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
const GRPC_METHODS: [&str; 21] = [
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
    let service = |path: &'static str| path.split('/').next().unwrap_or_default();
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(service, _)| service);
    named.is_some_and(|named| GRPC_METHODS.into_iter().any(|method| service(method) == named))
}

/// Whether a gRPC path needs no authentication.
pub(super) fn is_open(path: &str) -> bool {
    OPEN_SERVICES.iter().any(|service| path.starts_with(service))
}

#[cfg(test)]
mod tests {
    use http::request::Parts;
    use http::{HeaderMap, HeaderValue, Method, Request, Version, header};
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::{GRPC_METHODS, Mismatch, Transport, grpc_method, has_known_codec, is_open, names_grpc_service};
    use crate::contract::DESCRIPTORS;

    fn head(version: Version, method: Method, path: &'static str, content_type: Option<&'static str>) -> Parts {
        let mut request = Request::builder().version(version).method(method).uri(path).body(()).unwrap();
        let content_type = content_type.map(HeaderValue::from_static);
        request.headers_mut().extend(content_type.map(|value| (header::CONTENT_TYPE, value)));
        request.into_parts().0
    }

    #[test]
    fn the_content_type_identifies_grpc() {
        let of = |content_type| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            (Transport::of(&headers), has_known_codec(&headers))
        };
        for grpc in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;charset=utf-8",
            "Application/GRPC+Proto ; a=b",
        ] {
            assert_eq!(of(grpc), (Transport::Grpc, true), "{grpc}");
        }
        for other_codec in ["application/grpc+json", "application/grpc+", "APPLICATION/GRPC+THRIFT;a=b"] {
            assert_eq!(of(other_codec), (Transport::Grpc, false), "{other_codec}");
        }
        for other in ["application/json", "application/grpc-web+proto", "application/grpcx", "application/grp", ""] {
            assert_eq!(of(other).0, Transport::Legacy, "{other}");
        }
        assert_eq!(Transport::of(&HeaderMap::new()), Transport::Legacy);
    }

    #[test]
    fn grpc_requires_http_2_and_post() {
        let method = "/cmgate.v1.RequestService/CreateRequest";
        let rest = "/CertificateManagement/api/v1.0/requests";
        let (old, new) = (Version::HTTP_11, Version::HTTP_2);
        let mismatch = |version, method, path, content_type| Mismatch::of(&head(version, method, path, content_type));
        for grpc in ["application/grpc", "application/grpc+proto", "application/grpc+json", "APPLICATION/GRPC; a=b"] {
            for path in [method, rest, "/"] {
                for verb in [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS] {
                    assert_eq!(mismatch(old, verb.clone(), path, Some(grpc)), Some(Mismatch::OldHttp));
                    assert_eq!(mismatch(Version::HTTP_10, verb, path, Some(grpc)), Some(Mismatch::OldHttp));
                }
                for verb in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
                    assert_eq!(mismatch(new, verb, path, Some(grpc)), Some(Mismatch::NotPost));
                }
                assert_eq!(mismatch(new, Method::POST, path, Some(grpc)), None);
            }
        }
        for version in [old, new] {
            for web in ["application/grpc-web", "application/grpc-web-text+proto", "Application/gRPC-Web+json;q=1"] {
                for (verb, path) in [(Method::POST, method), (Method::POST, rest), (Method::GET, rest)] {
                    assert_eq!(mismatch(version, verb, path, Some(web)), Some(Mismatch::GrpcWeb));
                }
            }
            for other in [None, Some("application/json"), Some("text/plain"), Some("application/grpcx")] {
                assert_eq!(mismatch(version, Method::POST, method, other), Some(Mismatch::NotGrpc));
                assert_eq!(mismatch(version, Method::GET, method, other), Some(Mismatch::NotPost));
                assert_eq!(mismatch(version, Method::POST, rest, other), None);
                assert_eq!(mismatch(version, Method::GET, rest, other), None);
            }
        }
    }

    #[test]
    fn a_path_names_a_grpc_service_by_its_full_name() {
        for path in
            ["/cmgate.v1.RequestService/CreateRequest", "/grpc.health.v1.Health/", "/cmgate.v1.CredentialService/a/b"]
        {
            assert!(names_grpc_service(path), "{path}");
        }
        for path in ["/cmgate.v1.RequestService", "/cmgate.v1.RequestServiceX/Y", "/cmgate.v1/", "/", "", "//", "*"] {
            assert!(!names_grpc_service(path), "{path}");
        }
    }

    #[test]
    fn every_method_of_every_served_contract_is_known() {
        let sets = [
            DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut served = Vec::new();
        for file in sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).unwrap().file) {
            for service in &file.service {
                let methods = service.method.iter();
                served.extend(methods.map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name())));
            }
        }
        assert_eq!(served.len(), GRPC_METHODS.len());
        for method in served {
            let path = format!("/{method}");
            assert_eq!(grpc_method(&path), Some(method.as_str()));
            assert_eq!(is_open(&path), !method.starts_with("cmgate."), "{method}");
        }
        assert_eq!(grpc_method("/cmgate.v1.RequestService/Nothing"), None);
    }
}
