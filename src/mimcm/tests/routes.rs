//! Routes: the label that metrics get, the methods that each path allows, and what is no path of the API.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use axum::routing::Route;
use futures::FutureExt;
use http::{Request, StatusCode};
use proptest::prelude::*;

use tower::layer::{layer_fn, util::Identity};
use tower::{ServiceExt, service_fn};

use super::{CARD_TEMPLATE, Facade, REQUESTS};
use crate::cli::Settings;
use crate::mimcm::routes::routes;
use crate::mimcm::{RestApi, RouteLabel};

const API: &str = "/CertificateManagement/api/v1.0";
const UNKNOWN: &str = "/CertificateManagement/api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

/// An API whose layer answers with the label of the route instead of calling the handler.
pub(super) async fn labels() -> RestApi {
    let layer = layer_fn(|_route: Route| {
        service_fn(async |request: Request<Body>| {
            let mut response = Response::default();
            if let Some(label) = request.extensions().get::<RouteLabel>() {
                response.extensions_mut().insert(*label);
            }
            Ok::<_, Infallible>(response)
        })
    });
    RestApi::new(Facade::start().await.service, Settings::default().api.rest, layer)
}

/// The label of a call.
pub(super) fn label(labels: &RestApi, method: &str, path: &str) -> Option<&'static str> {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = labels.clone().oneshot(request).now_or_never().unwrap().unwrap();
    response.extensions().get().map(|RouteLabel(label)| *label)
}

/// The methods of each path, with values for its parameters.
fn methods() -> BTreeMap<String, Vec<String>> {
    let mut methods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for endpoint in routes(Identity::new()).endpoints() {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let path = path.replace("{id}", CARD_TEMPLATE).replace("{type}", "enroll");
        methods.entry(format!("{API}{path}")).or_default().push(method.to_owned());
    }
    methods
}

#[tokio::test]
async fn metrics_name_the_routes_that_are_served() {
    let labels = labels().await;
    assert_eq!(label(&labels, "POST", &REQUESTS.to_uppercase()), Some("POST /requests"));
    assert_eq!(label(&labels, "GET", REQUESTS), Some("GET /requests"));
    assert_eq!(label(&labels, "GET", UNKNOWN), Some("GET /requests/{id}"));
    assert_eq!(label(&labels, "PUT", UNKNOWN), Some("PUT /requests/{id}"));
    assert_eq!(label(&labels, "HEAD", UNKNOWN), None);
    assert_eq!(label(&labels, "GET", "/"), None);
}

#[tokio::test]
async fn every_endpoint_has_the_label_of_its_route() {
    let labels = labels().await;
    let aliases = BTreeMap::from([
        ("GET /profiletemplates/{id}/policy/workflow/{type}", "GET /profiletemplates/{id}/policies/{type}"),
        ("GET /smartcards/{id}/serverproposedpin", "GET /requests/{id}/smartcards/{id}/serverproposedpin"),
    ]);
    let endpoints = routes(Identity::new()).endpoints();
    assert_eq!(endpoints.len(), 29);
    for endpoint in endpoints {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let path = path.replace("{id}", CARD_TEMPLATE).replace("{type}", "enroll");
        let expected = aliases.get(&*endpoint).copied().unwrap_or(&endpoint);
        assert_eq!(label(&labels, method, &format!("{API}{path}")), Some(expected));
    }
}

#[tokio::test]
async fn every_path_allows_the_methods_of_its_endpoints() {
    let facade = Facade::start().await;
    for (path, methods) in methods() {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "QUERY"] {
            let request = || Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
            let answer = facade.send(request()).await;
            if methods.iter().any(|allowed| allowed == method) {
                assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_ne!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            } else {
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_eq!(answer.header("allow"), Some(&*methods.join(", ")), "{method} {path}");
            }
            let answer = facade.send_as_is(request()).await;
            assert_eq!((answer.status, answer.header("allow")), (StatusCode::UNAUTHORIZED, None), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_form_of_an_id_is_found() {
    let facade = Facade::start().await;
    let id = facade.created(include_str!("golden/create-1.json")).await;
    let forms = [
        id.clone(),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("%7B{id}%7D"),
        format!("({id})"),
        format!("%20{id}%20"),
        format!("{id}/"),
        format!("{id}...."),
        format!("{id}%20./."),
        format!("%E3%80%80{id}"),
    ];
    for form in forms {
        let answer = facade.get(&format!("{REQUESTS}/{form}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{form}");
        assert!(answer.body().contains(&format!("\"Uuid\":\"{id}\"")), "{form}");
    }
}

#[tokio::test]
async fn other_paths_are_unknown_for_every_method() {
    let facade = Facade::start().await;
    for path in [
        "*",
        "/",
        "/requests",
        "/api/v1.0/requests",
        "/CertificateManagement/api/v1.0",
        "/CertificateManagement/api/v2.0/requests",
        "/CertificateManagement/api/v1.0/request",
        "/CertificateManagement/api/v1.0/requests/1",
        "/CertificateManagement/api/v1.0/requests/not-a-guid",
        "/CertificateManagement/api/v1.0/requests/%20",
        "/CertificateManagement/api/v1.0/requests/%C2%85",
        "/CertificateManagement/api/v1.0/requests/%zz",
        "/CertificateManagement/api/v1.0/requests/%ff",
        "/CertificateManagement/api/v1.0/requests/%",
        "/CertificateManagement/api/v1.0/requests%2Fa9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099",
        "/CertificateManagement/api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099%2Fprofiles",
        "/CertificateManagement/api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099/smartcards",
        "/CertificateManagement/api/v1.0/requests/1/smartcards/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099",
        "/CertificateManagement/api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099/smartcards/1",
        "/CertificateManagement/api/v1.0/requests/1/certificatedata",
        "/CertificateManagement/api/v1.0/smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9/status",
        "/CertificateManagement/api/v1.0/profiles/active",
        "/CertificateManagement/api/v1.0/certificates/1",
        "/CertificateManagement/api/v1.0/profiletemplates/a039b4d0-5ce8-4eff-8651-181c6576fda3/policies/nothing",
        "/certificatemanagement/api/v1.0/requests/%09a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099",
        "/certificatemanagement/api/v1.0/profiletemplates/a039b4d0-5ce8-4eff-8651-181c6576fda3/policies/enroll%09",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let answer = facade.send(request).await;
            assert_eq!((answer.status, answer.header("allow")), (StatusCode::NOT_FOUND, None), "{method} {path}");
            if method != "HEAD" {
                let message = format!("No HTTP resource was found that matches the request URI '{path}'.");
                assert_eq!(answer.message(), message);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_path_panics(path in "[!-~\u{E4}]{0,60}", id in "[%{}().0-9a-fA-F-]{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let labels = runtime.block_on(labels());
        for path in [format!("/{path}"), format!("{API}/{path}"), format!("{REQUESTS}/{id}")] {
            if path.parse::<http::Uri>().is_ok() {
                let _ = label(&labels, "GET", &path);
            }
        }
    }
}
