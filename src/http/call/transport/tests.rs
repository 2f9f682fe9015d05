//! Which calls belong to which transport.

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
        (Transport::of(&headers, "/"), has_known_codec(&headers))
    };
    for grpc in
        ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8", "Application/GRPC+Proto ; a=b"]
    {
        assert_eq!(of(grpc), (Transport::Grpc, true), "{grpc}");
    }
    for other_codec in ["application/grpc+json", "application/grpc+", "APPLICATION/GRPC+THRIFT;a=b"] {
        assert_eq!(of(other_codec), (Transport::Grpc, false), "{other_codec}");
    }
    for other in ["application/json", "application/grpc-web+proto", "application/grpcx", "application/grp", ""] {
        assert_eq!(of(other).0, Transport::Legacy, "{other}");
    }
    assert_eq!(Transport::of(&HeaderMap::new(), "/"), Transport::Legacy);
}

#[test]
fn the_path_tells_the_rest_apis_apart() {
    let grpc = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"))]);
    for (path, rest) in [
        ("/v1/whoami", Transport::Rest),
        ("/v1/", Transport::Rest),
        ("/v1", Transport::Legacy),
        ("/v10/whoami", Transport::Legacy),
        ("/V1/whoami", Transport::Legacy),
        ("/a/v1/whoami", Transport::Legacy),
    ] {
        assert_eq!(Transport::of(&HeaderMap::new(), path), rest, "{path}");
        assert_eq!(Transport::of(&grpc, path), Transport::Grpc, "{path}");
    }
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
