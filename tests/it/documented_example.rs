//! The example of the MIM CM documentation, from its first call to its last, over a real store: a user enrolls a smart card, it
//! is issued, and its PIN is unblocked. Documented answers are compared byte for byte.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use cmgate::cli::Settings;
use cmgate::config::Config;
use cmgate::config::templates;
use cmgate::domain::{
    Action, Atr, Caller, Comment, CorrelationId, CredentialIds, ProfileId, RequestId, SerialNumber, SmartcardId, Trace,
    UserId,
};
use cmgate::feed::Feed;
use cmgate::mimcm::{FacadeSettings, RestApi};
use cmgate::runtime::clock::Clock;
use cmgate::service::{Authority, Call, Reservation, Service, Writer, load_catalog};
use cmgate::store::{OlderTemplate, Store};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower::layer::util::Identity;
use uuid::Uuid;

use crate::support::commands::approver;
use crate::support::database::TestDatabase;

const API: &str = "/CertificateManagement/api/v1.0";
const REQUESTS: &str = "/CertificateManagement/api/v1.0/requests";

/// Values in the documentation.
macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../src/mimcm/tests/golden/", $name, ".json"))
    };
}

/// 2015-07-07T23:36:21.93Z, in microseconds since 1970.
const ENROLLED: i64 = 1_436_312_181_930_000;
/// 2015-07-07T23:37:37.767Z
const ISSUED: i64 = 1_436_312_257_767_000;
/// 2015-07-07T23:40:33.133Z
const UNBLOCKED: i64 = 1_436_312_433_133_000;

/// The issued profile and card.
fn issued() -> CredentialIds {
    let profile: ProfileId = "b99ff38c-6653-471f-ae3c-325bb351a6bc".parse().unwrap();
    let smartcard: SmartcardId = "17cf063d-e337-4aa9-a822-346554ddd3c9".parse().unwrap();
    CredentialIds { profile: Some(profile), smartcard: Some(smartcard) }
}

/// The serial number of the documented card.
fn serial_number() -> SerialNumber {
    SerialNumber::parse("", "bc88f13f-83ba-4037-8262-46eba1291c6e").unwrap()
}

fn atr() -> Atr {
    Atr::parse("", "3b8d0180fba000000397425446590301c8").unwrap()
}

/// The documented installation: its user, its templates, its clock.
struct Installation {
    service: Service,
    api: RestApi,
    time: Arc<AtomicI64>,
}

impl Installation {
    async fn open(store: Arc<dyn Store>, descriptor_nul_tail: u8) -> Self {
        let time = Arc::new(AtomicI64::new(ENROLLED));
        let clock = Clock::Manual(Arc::clone(&time));
        let templates = templates::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates")).unwrap();
        // The credentials in the files are omitted: the request that issues the card registers it.
        let catalog = load_catalog(&*store, &clock, templates.templates, OlderTemplate::Keep).await.unwrap();
        let feed = Arc::new(Feed::new(store.topology().shards));
        let writer = Writer::start(&store, &feed, Settings::default().writer, &TaskTracker::new());
        let authority = Authority { account: Config::default().service.sid, administrators: Vec::new() };
        let service = Service::new(store, writer, Arc::new(catalog), clock, authority);
        Self { api: RestApi::new(service.clone(), nuls(descriptor_nul_tail), Identity::new()), service, time }
    }

    fn at(&self, micros: i64) {
        self.time.store(micros, Ordering::Relaxed);
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(call(user()));
        let (head, body) = self.api.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn create(&self, body: &str) -> RequestId {
        let (status, uri) = self.send("POST", REQUESTS, &[], body).await;
        assert_eq!(status, StatusCode::CREATED, "{uri}");
        let id = uri.strip_prefix("\"api/v1.0/requests/").and_then(|uri| uri.strip_suffix('"')).unwrap();
        id.parse().unwrap()
    }

    async fn read(&self, id: RequestId) -> String {
        let (status, body) = self.send("GET", &format!("{REQUESTS}/{id}"), &[], "").await;
        assert_eq!(status, StatusCode::OK);
        body
    }

    async fn put(&self, id: RequestId, status: &str) -> String {
        let (code, body) = self.send("PUT", &format!("{REQUESTS}/{id}"), &[], &change(status)).await;
        assert_eq!(code, StatusCode::OK, "{body}");
        body
    }

    /// Binds the documented card, under the id that the documents give it.
    async fn bind(&self, id: RequestId) {
        let Action::BindSmartcard { card, comment, .. } =
            self.service.binding(serial_number(), atr(), Comment::default())
        else {
            panic!("the action binds no card");
        };
        let smartcard = issued().smartcard.unwrap();
        self.act(user().user, id, Action::BindSmartcard { card, id: smartcard, comment }).await;
        for path in [format!("{API}/smartcards/{smartcard}"), format!("{REQUESTS}/{id}/smartcards/{smartcard}")] {
            let (status, body) = self.send("GET", &path, &[], "").await;
            assert_eq!(status, StatusCode::OK);
            // The version of the template differs here.
            assert_eq!(
                body,
                documented(golden!("smartcard-2"), RequestId::new(smartcard.uuid())).replace(":46,", ":1,")
            );
        }
    }

    /// A step that the REST API does not offer.
    async fn act(&self, user: UserId, id: RequestId, action: Action) {
        let caller = Caller::unproven(user, "");
        self.service.act(&call(caller), id, action, None, None).await.unwrap();
    }
}

fn change(status: &str) -> String {
    format!("{{\"status\":\"{status}\"}}")
}

/// The user in the documentation.
fn user() -> Caller {
    let user = Config::default().development;
    Caller { sid: Some(user.sid), ..Caller::unproven(user.user, user.name) }
}

fn call(caller: Caller) -> Call {
    Call {
        caller: Arc::new(caller),
        deadline: None,
        correlation: CorrelationId::of_uuid(Uuid::nil()),
        trace: Trace::default(),
        facts: Arc::default(),
        memory: Reservation::default(),
    }
}

/// The documented text without blanks, with the id of the request in this test.
fn documented(text: &str, id: RequestId) -> String {
    let mut compact = String::new();
    let mut is_quoted = false;
    for letter in text.chars() {
        is_quoted ^= letter == '"';
        if is_quoted || !letter.is_whitespace() {
            compact.push(letter);
        }
    }
    let (begin, rest) = compact.split_at("{\"Uuid\":\"".len());
    format!("{begin}{id}{}", &rest[id.to_string().len()..])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_is_answered_byte_for_byte() {
    let database = TestDatabase::sqlite();
    let installation = Installation::open(database.open().await, 9).await;

    let enroll = installation.create(golden!("create-1")).await;
    assert_eq!(installation.read(enroll).await, documented(golden!("get-1"), enroll));

    installation.at(ISSUED);
    installation.bind(enroll).await;
    let complete = Action::Complete { new: issued(), comment: Comment::default() };
    installation.act(user().user, enroll, complete).await;
    assert_eq!(installation.read(enroll).await, documented(golden!("completed-1"), enroll));

    installation.at(UNBLOCKED);
    // The next documented descriptor has a different number of NULs; the documentation does not explain it.
    let api = RestApi::new(installation.service.clone(), nuls(6), Identity::new());
    let installation = Installation { api, ..installation };
    let unblock = installation.create(golden!("create-2")).await;
    assert_eq!(installation.read(unblock).await, documented(golden!("get-2"), unblock));
    let done = documented(golden!("get-2"), unblock)
        .replace("\"Status\":3", "\"Status\":8")
        .replace("\"Completed\":\"0001-01-01T00:00:00\"", "\"Completed\":\"2015-07-07T23:40:33.133Z\"");
    assert_eq!(installation.put(unblock, "Completed").await, done);
    assert_eq!(installation.read(unblock).await, done);
}

fn nuls(descriptor_nul_tail: u8) -> FacadeSettings {
    FacadeSettings { descriptor_nul_tail, ..Settings::default().api.rest }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_of_the_third_example_needs_approval() {
    let database = TestDatabase::sqlite();
    let installation = Installation::open(database.open().await, 0).await;
    let id = installation.create(golden!("create-3")).await;
    let pending = concat!(
        "\"RequestType\":1,\"Status\":16,\"Flags\":0,\"DataCollection\":[{\"Name\":\"name\",\"Value\":\"pavle\"},",
        "{\"Name\":\"city\",\"Value\":\"seattle\"}],\"DataCollectionFlags\":48,",
        "\"OriginatorUserUuid\":\"8f1590dc-d932-4b66-8e68-2e91c5880780\",",
        "\"TargetUserUuid\":\"97cc3493-f556-4c9b-9d8b-982434201527\",",
        "\"Submitted\":\"2015-07-07T23:36:21.93Z\",\"Completed\":\"0001-01-01T00:00:00\",",
    );
    let body = installation.read(id).await;
    assert!(body.starts_with(&format!("{{\"Uuid\":\"{id}\",{pending}")), "{body}");
    let rest =
        "\"Priority\":4,\"Comment\":\"LALALALA\",\"ProfileTemplateUuid\":\"97cd65fa-af4b-4587-9309-0dd6bfd8b4e1\"";
    assert!(body.contains(rest), "{body}");
    assert!(body.ends_with("\"IsSmartcard\":false,\"IsEnrollmentAgent\":false,\"IsDataCollectionComplete\":true}"));

    installation.act(approver(1), id, Action::Approve { comment: Comment::default(), data_items: Vec::new() }).await;
    assert_eq!(installation.read(id).await, body.replace("\"Status\":16", "\"Status\":3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_with_an_idempotency_key_is_applied_once() {
    let database = TestDatabase::sqlite();
    let installation = Installation::open(database.open().await, 0).await;
    let id = installation.create(golden!("create-1")).await;
    let path = format!("{REQUESTS}/{id}");
    let headers = [("idempotency-key", "once"), ("if-match", "\"v1\"")];
    let first = installation.send("PUT", &path, &headers, &change("Canceled")).await;
    assert_eq!(first.0, StatusCode::OK, "{}", first.1);
    assert_eq!(installation.send("PUT", &path, &headers, &change("canceled")).await, first);
    let (status, _) = installation.send("PUT", &path, &headers, &change("Abandoned")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}
