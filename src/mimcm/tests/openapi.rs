//! The description of the API in `openapi.json`: it has the paths of the router, and answers to generated calls conform to it.

mod generate;
mod schema;

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use serde_json::Value;
use tower::layer::util::Identity;

use self::generate::Generator;
use self::schema::Description;
use super::memory::{CARD, Memory, PROFILE};
use super::{CARD_TEMPLATE, Facade};
use crate::mimcm::routes::routes;

const TEXT: &str = include_str!("../openapi.json");
const API: &str = "/CertificateManagement/api/v1.0";

/// Number of generated calls per operation, unless `CMGATE_TEST_CALLS` sets it.
const CALLS: usize = 1_500;

/// A path with `{id}` for each id, as routes have it.
fn with_unnamed_ids(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        "{type}" => segment,
        _ if segment.starts_with('{') => "{id}",
        _ => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_description_is_served() {
    let answer = Facade::start().await.get(&format!("{API}/OpenAPI.json")).await;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.body(), TEXT);
}

#[test]
fn the_paths_of_the_description_are_those_of_the_router() {
    let described = Description::read(TEXT).operations().into_iter();
    let described = described.map(|operation| format!("{} {}", operation.method, with_unnamed_ids(&operation.path)));
    let routed: BTreeSet<String> = routes(Identity::new()).endpoints().into_iter().collect();
    assert_eq!(described.collect::<BTreeSet<_>>(), routed);
}

/// Valid and invalid calls, generated from the description: it describes every answer, and no answer is a 5xx except 501.
#[tokio::test]
async fn generated_calls_are_answered_as_described() {
    let description = Description::read(TEXT);
    let calls = std::env::var("CMGATE_TEST_CALLS").ok().map_or(CALLS, |calls| calls.parse().unwrap());
    let facade = Facade::over(Memory::default()).await;
    let request = facade.created(include_str!("golden/create-1.json")).await;
    let mut generator = Generator::new([&request, CARD, PROFILE, CARD_TEMPLATE].map(str::to_owned).to_vec());
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for _ in 0..calls {
        for operation in description.operations() {
            let call = generator.call(&description, &operation);
            let mut sent = Request::builder().method(operation.method.as_str()).uri(format!("{API}{}", call.path));
            for (name, value) in &call.headers {
                sent = sent.header(name, value);
            }
            let sent = sent.header("content-type", "application/json");
            let answer = facade.send(sent.body(Body::from(call.body.clone())).unwrap()).await;
            let status = answer.status.as_u16();
            let said = description.answer(&operation, status);
            let shown = format!("{} {}: {} {}", operation.method, call.path, call.body, answer.body());
            let said = said.unwrap_or_else(|| panic!("{status} is not described: {shown}"));
            assert!(status < 500 || status == 501, "{status}: {shown}");
            match said {
                None => assert_eq!(answer.body(), "", "{shown}"),
                Some(schema) => {
                    let body: Value = serde_json::from_str(answer.body()).unwrap();
                    if let Err(problem) = description.check(schema, &body) {
                        panic!("{problem}: {shown}");
                    }
                }
            }
            seen.insert(format!("{} {status}", operation.id));
            if status == 201 {
                generator.learn(answer.body());
            }
        }
    }
    // Otherwise all calls could be refused for the same reason and the test would still pass.
    for outcome in [
        "createRequest 201",
        "createRequest 400",
        "getRequest 304",
        "changeRequest 200",
        "changeRequest 409",
        "changeRequest 412",
        "bindSmartcard 201",
        "bindSmartcard 409",
        "changeSmartcard 200",
        "changeSmartcard 409",
        "getSmartcard 200",
        "getSmartcard 204",
        "getSmartcard 404",
        "listProfiles 204",
        "listCertificates 501",
    ] {
        assert!(seen.contains(outcome), "{outcome} never came: {seen:?}");
    }
}
