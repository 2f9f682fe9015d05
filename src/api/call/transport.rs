//! Which transport a request speaks, and which of the known gRPC methods it calls.

use http::{HeaderMap, header};

/// A transport of the public port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// gRPC over HTTP/2.
    Grpc,
    /// The legacy REST facade: everything else.
    Legacy,
}

impl Transport {
    /// The transport of a request, told by its content type. `application/grpc-web` is not gRPC.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        match content_type.strip_prefix(b"application/grpc") {
            Some([] | [b'+' | b';', ..]) => Self::Grpc,
            Some(_) | None => Self::Legacy,
        }
    }
}

/// Every gRPC method that is served. Metrics know these only, so that no caller can invent new series.
const GRPC_METHODS: [&str; 20] = [
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
    "cmgate.v1.SubjectService/GetSubject",
    "cmgate.v1.SubjectService/GetSubjects",
    "cmgate.v1.SubjectService/ImportSubjects",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Services that tell nothing about requests and need no caller.
const OPEN_SERVICES: [&str; 3] =
    ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// The gRPC method of a path, if it is served.
pub(super) fn grpc_method(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix('/')?;
    GRPC_METHODS.into_iter().find(|method| *method == path)
}

/// Whether a gRPC path is open to callers that nobody knows.
pub(super) fn is_open(path: &str) -> bool {
    OPEN_SERVICES.iter().any(|service| path.starts_with(service))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::{GRPC_METHODS, Transport, grpc_method, is_open};
    use crate::contract::DESCRIPTORS;

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let of = |content_type| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            Transport::of(&headers)
        };
        for grpc in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
            assert_eq!(of(grpc), Transport::Grpc, "{grpc}");
        }
        for other in ["application/json", "application/grpc-web+proto", ""] {
            assert_eq!(of(other), Transport::Legacy, "{other}");
        }
        assert_eq!(Transport::of(&HeaderMap::new()), Transport::Legacy);
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
