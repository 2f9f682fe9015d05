//! Health, reflection and the admin port.

use cmgate::runtime::telemetry::names;
use futures::stream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::Api;
use crate::support::client::{REQUESTS, create_many};
use crate::support::instance::channel;
use crate::support::wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_are_served_on_the_public_port() {
    let api = Api::start();
    let mut health = HealthClient::new(channel(api.instance.public));
    let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "cmgate.v1.RequestService"] {
        assert_eq!(health.check(check(service)).await.unwrap().into_inner().status(), ServingStatus::Serving);
    }
    assert_eq!(health.check(check("cmgate.v2.RequestService")).await.unwrap_err().code(), Code::NotFound);
    let mut watched = health.watch(check("cmgate.v2.RequestService")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);

    let mut reflection = ServerReflectionClient::new(channel(api.instance.public));
    let ask = |question| ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let symbol = MessageRequest::FileContainingSymbol("cmgate.v1.RequestService.GetRequests".to_owned());
    let questions = [ask(MessageRequest::ListServices(String::new())), ask(symbol)];
    let mut answers = reflection.server_reflection_info(stream::iter(questions)).await.unwrap().into_inner();
    let listed = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = listed else { panic!("no list of services: {listed:?}") };
    let services: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for service in ["cmgate.v1.RequestService", "grpc.health.v1.Health"] {
        assert!(services.contains(&service), "{services:?}");
    }
    let found = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::FileDescriptorResponse(files) = found else { panic!("no description: {found:?}") };
    assert!(!files.file_descriptor_proto.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_reports_health_and_metrics() {
    let api = Api::start_with(&[]);
    let private = api.instance.private.clone();
    create_many(&mut api.client.clone(), 20).await;
    api.http.get(REQUESTS).await;
    api.http.get("/nowhere").await;

    let alive = private.get("/livez").await;
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive\n"));
    wait_until("both workers stream", async || {
        let workers = api.instance.workers().await;
        workers.len() == 2 && workers.iter().all(|(state, detail)| state == "streaming" && detail.is_empty())
    })
    .await;
    let ready = private.get("/readyz").await;
    let checks = &ready.json()["checks"];
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    assert_eq!((&checks["database"]["ok"], &checks["accepting"]["ok"]), (&true.into(), &true.into()));

    wait_until("the metrics show that everything is published", async || {
        let metrics = private.get("/metrics").await;
        metrics.metric(names::RELAY_POSITION) >= 20.0
            && metrics.metric(names::RELAY_LAG_EVENTS) == 0.0
            && metrics.metric(names::RELAY_LAG_SECONDS) == 0.0
    })
    .await;
    let metrics = private.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for name in [
        names::CALLS,
        names::CALL_SECONDS,
        names::BATCH_SIZE,
        names::COMMIT_SECONDS,
        names::LOG_POSITION,
        names::RELAY_POSITION,
        names::RELAY_LAG_EVENTS,
        names::RELAY_LAG_SECONDS,
        names::RELAY_STATE,
    ] {
        let help = format!("# HELP {name} ");
        assert!(metrics.body.lines().any(|line| line.starts_with(&help)), "{name} has no HELP line");
        let is_sample = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ', '_']));
        assert!(metrics.body.lines().any(is_sample), "no sample of {name} in\n{}", metrics.body);
    }
    for line in [
        "cmgate_calls_total{method=\"cmgate.v1.RequestService/CreateRequest\",outcome=\"OK\"} 20",
        "cmgate_calls_total{method=\"GET /requests\",outcome=\"200\"} 1",
        "cmgate_calls_total{method=\"other\",outcome=\"404\"} 1",
        "cmgate_relay_state{group=\"0\"} 2",
        "cmgate_relay_state{group=\"1\"} 2",
        "cmgate_batch_size_sum 20",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line} is not in\n{}", metrics.body);
    }
    assert_eq!(private.get(REQUESTS).await.status, 404, "the admin port serves no requests");
    assert_eq!(api.http.get("/metrics").await.status, 404, "the public port serves no metrics");
}
