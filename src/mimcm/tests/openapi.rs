//! The description of the API in `openapi.json`: it has the paths of the router, and answers to generated calls conform to it.

mod generate;
mod schema;

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;

use self::generate::Generator;
use self::schema::Description;
use super::memory::{CARD, Memory, PROFILE};
use super::{CARD_TEMPLATE, Facade};
use crate::mimcm::route;

const TEXT: &str = include_str!("../openapi.json");
const API: &str = "/CertificateManagement/api/v1.0";

/// Number of generated calls per operation, unless `CMGATE_TEST_CALLS` sets it.
const CALLS: usize = 1_500;

/// A path with `{}` for each parameter.
fn unnamed(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_description_is_served() {
    let answer = Facade::start().await.get(&format!("{API}/OpenAPI.json")).await;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.body(), TEXT);
}

/// The routes of the router are the string literals in its sources that look like routes.
#[test]
fn the_paths_of_the_description_are_those_of_the_router() {
    let sources = [include_str!("../path.rs"), include_str!("../unsupported.rs")].concat();
    let is_route = |text: &&str| ["GET /", "POST /", "PUT /"].iter().any(|begin| text.starts_with(begin));
    let routes: BTreeSet<String> = sources.split('"').filter(is_route).map(unnamed).collect();
    assert!(routes.len() > 25, "{routes:?}");

    let mut described = BTreeSet::new();
    for operation in Description::read(TEXT).operations() {
        let path = operation.path.replace("{type}", "Enroll");
        let segments = path.split('/').map(|segment| if segment.starts_with('{') { CARD } else { segment });
        let path = format!("{API}{}", segments.collect::<Vec<_>>().join("/"));
        let method: Method = operation.method.parse().unwrap();
        let found = route(&method, &path).unwrap_or_else(|| panic!("{method} {path} is no route"));
        let found = unnamed(found);
        // A policy has two paths, and so has the proposed PIN.
        let described_path = unnamed(&operation.path)
            .replace("/policy/workflow/", "/policies/")
            .replace("/requests/{}/smartcards/{}/serverproposedpin", "/smartcards/{}/serverproposedpin")
            .replace("/smartcards/{}/serverproposedpin", "/requests/{}/smartcards/{}/serverproposedpin");
        assert_eq!(found, format!("{method} {described_path}"));
        described.insert(found);
    }
    assert_eq!(described, routes);
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
