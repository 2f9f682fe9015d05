//! Tests of the facade through its router, over a store in memory.
//!
//! The stores, the writer and the life cycle have tests of their own.

mod answers;
mod caching;
mod cards;
mod changes;
mod drafts;
mod forms;
mod golden;
mod hostile;
mod lists;
mod memory;
mod openapi;
mod page;
mod profiles;
mod routes;
mod templates;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower::layer::util::Identity;

use self::memory::Memory;
use super::{FacadeSettings, RestApi};
use crate::cli::Settings;
use crate::domain::{
    Caller, DataItemDefinition, DataItemType, Distribution, Medium, OneTimePasswords, Policy, Principal, Priority,
    ProfileTemplate, Provider, RequestType, Sid, SmartcardConfiguration, TemporaryCards, Trace, UserId,
};
use crate::feed::Feed;
use crate::runtime::clock::Clock;
use crate::service::{Authority, Call, Service, Writer, load_catalog};
use crate::store::{OlderTemplate, Store};

const REQUESTS: &str = "/CertificateManagement/api/v1.0/requests";
const USER: &str = "8f1590dc-d932-4b66-8e68-2e91c5880780";
const CARD_TEMPLATE: &str = "a039b4d0-5ce8-4eff-8651-181c6576fda3";
const SOFTWARE_TEMPLATE: &str = "97cd65fa-af4b-4587-9309-0dd6bfd8b4e1";
/// A template whose policy allows only one other user to initiate requests, without self-service.
const CLOSED_TEMPLATE: &str = "00000000-0000-0000-0000-00000000c105";
const CORRELATION: &str = "0c0a7d1e-3c0c-7000-8000-00000000c0de";

/// The facade and its store.
struct Facade {
    api: RestApi,
    service: Service,
    store: Arc<Memory>,
}

/// An HTTP response.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// The body, or the error that ended it early.
    body: Result<String, String>,
}

impl Facade {
    async fn start() -> Self {
        Self::over(Memory::default()).await
    }

    async fn over(memory: Memory) -> Self {
        Self::with(memory, Settings::default().api.rest).await
    }

    async fn with(memory: Memory, settings: FacadeSettings) -> Self {
        Self::built(memory, settings, templates()).await
    }

    /// A facade with only these templates.
    async fn offering(templates: Vec<ProfileTemplate>) -> Self {
        Self::built(Memory::default(), Settings::default().api.rest, templates).await
    }

    async fn built(memory: Memory, settings: FacadeSettings, templates: Vec<ProfileTemplate>) -> Self {
        let memory = Arc::new(memory);
        let store: Arc<dyn Store> = Arc::clone(&memory) as _;
        // 2015-07-07T23:36:21.93Z
        let clock = Clock::Manual(Arc::new(AtomicI64::new(1_436_312_181_930_000)));
        let catalog = load_catalog(&*store, &clock, templates, OlderTemplate::Keep).await.unwrap();
        let feed = Arc::new(Feed::new(store.topology().shards));
        let writer = Writer::start(&store, &feed, Settings::default().writer, &TaskTracker::new());
        let account = Sid::parse("S-1-5-21-1-2-3-1000").unwrap();
        let authority = Authority { account, administrators: Vec::new() };
        let service = Service::new(store, writer, Arc::new(catalog), clock, authority);
        Self { api: RestApi::new(service.clone(), settings, Identity::new()), service, store: memory }
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(call());
        self.send_as_is(request).await
    }

    /// Sends a request as it is; without a [`Call`] in its extensions, the caller is not authenticated.
    async fn send_as_is(&self, request: Request<Body>) -> Answer {
        let response = self.api.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string());
        let body = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, body: impl Into<Body>) -> Answer {
        let request = Request::post(REQUESTS).header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }
}

impl Answer {
    fn body(&self) -> &str {
        self.body.as_deref().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The message of an error without its last sentence. Checks the content type and the correlation id.
    fn message(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        let body: serde_json::Value = serde_json::from_str(self.body()).unwrap();
        assert_eq!(body["CorrelationId"], CORRELATION);
        let message = body["Message"].as_str().unwrap();
        let end = format!(". The correlation id of this call is {CORRELATION}.");
        message.strip_suffix(&end).unwrap_or(message).to_owned()
    }
}

fn call() -> Call {
    Call {
        caller: Arc::new(caller()),
        deadline: None,
        correlation: CORRELATION.parse().unwrap(),
        trace: Trace::default(),
        facts: Arc::default(),
        memory: crate::service::Reservation::default(),
    }
}

fn caller() -> Caller {
    Caller::unproven(user(), "dev")
}

fn user() -> UserId {
    USER.parse().unwrap()
}

/// The policy of the documented examples: one data item, provided by the subscriber.
fn policy() -> Policy {
    let item = DataItemDefinition::new("Sample Data Item", Provider::Subscriber);
    Policy { data_items: vec![item], ..Policy::default() }
}

fn template(id: &str, medium: Medium, kinds: &[RequestType]) -> ProfileTemplate {
    ProfileTemplate {
        id: id.parse().unwrap(),
        name: "Sample".to_owned(),
        description: String::new(),
        medium,
        policies: kinds.iter().map(|kind| (*kind, Arc::new(policy()))).collect(),
        smartcard: SmartcardConfiguration::default(),
    }
}

fn templates() -> Vec<ProfileTemplate> {
    let mut card = template(CARD_TEMPLATE, Medium::Smartcard, &RequestType::ALL);
    (card.smartcard.is_virtual, card.smartcard.diversify_admin_key) = (true, true);
    let mut software = template(SOFTWARE_TEMPLATE, Medium::Software, &[RequestType::Enroll]);
    software.policies.values_mut().for_each(|policy| Arc::make_mut(policy).data_items.push(floor()));
    let mut closed = template(CLOSED_TEMPLATE, Medium::Smartcard, &[RequestType::Enroll]);
    for policy in closed.policies.values_mut().map(Arc::make_mut) {
        policy.self_service = false;
        policy.initiators = vec![Principal::User(UserId::new(uuid::Uuid::from_u128(9)))];
    }
    vec![card, software, closed]
}

/// A template whose policies set almost every field.
fn elaborate_template() -> ProfileTemplate {
    let badge = DataItemDefinition {
        pattern: Some("[A-Z]{2}".to_owned().into()),
        ..DataItemDefinition::new("Badge", Provider::CertificateManager)
    };
    let mut policy = policy();
    policy.data_items.extend([DataItemDefinition { required: true, ..floor() }, badge]);
    let policy = Policy {
        approvals_needed: 2,
        default_priority: Priority(3),
        approvers: vec![Principal::Group(Sid::parse("S-1-5-21-1").unwrap()), Principal::User(user())],
        collect_comments: true,
        collect_request_priority: true,
        documents: vec!["Rules".to_owned()],
        one_time_passwords: OneTimePasswords {
            secret_provider_type: "Numbers".to_owned(),
            secret_provider_data: "8".to_owned(),
            distribution: vec![Distribution { distribution_type: 2, email_template: "Hello".to_owned() }],
        },
        personalization: [("layout".to_owned(), "blue".to_owned())].into(),
        allow_specify_certificate_template: true,
        temporary_cards: TemporaryCards {
            allow_kiosk_retirement: true,
            block_admin_pin: true,
            ..TemporaryCards::default()
        },
        ..policy
    };
    let mut template = template(CARD_TEMPLATE, Medium::Smartcard, &RequestType::ALL);
    template.policies.values_mut().for_each(|placed| *placed = Arc::new(policy.clone()));
    template
}

/// A numeric data item of the certificate manager.
fn floor() -> DataItemDefinition {
    DataItemDefinition { kind: DataItemType::Number, ..DataItemDefinition::new("Floor", Provider::CertificateManager) }
}
