//! Both transports show every request with the same meaning: generated drafts and steps of the life cycle are sent over gRPC and
//! over REST alike.

mod draft;
mod view;
mod walk;

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use cmgate::contract::v1::Request;
use cmgate::contract::v1::request_service_client::RequestServiceClient;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tonic::transport::Channel;

use self::draft::{GeneratedDraft, drafts};
use self::view::shown;
use self::walk::{GeneratedStep, steps};
use super::Api;
use crate::script::{read, without_ids_and_times};
use crate::support::client::{Http, REQUESTS, creation};

/// Number of drafts, unless `PROPTEST_CASES` sets it.
const CASES: u32 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_accepted_by_one_transport_has_the_same_meaning_in_both() {
    let api = Api::start();
    let both = Both { client: api.client.clone(), http: api.http.clone() };
    let runtime = Handle::current();
    let cases = env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let taken = spawn_blocking(move || {
        let taken = AtomicU32::new(0);
        let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
        let tried = TestRunner::new(config).run(&(drafts(), steps()), |(draft, steps)| {
            let is_taken = runtime.block_on(both.clone().compare(&draft, &steps));
            taken.fetch_add(is_taken.into(), Ordering::Relaxed);
            Ok(())
        });
        tried.unwrap_or_else(|failure| panic!("{failure}"));
        taken.into_inner()
    });
    let taken = taken.await.unwrap();
    assert!(taken >= cases / 4, "only {taken} of {cases} drafts were accepted");
}

/// A caller of both transports.
#[derive(Clone)]
struct Both {
    client: RequestServiceClient<Channel>,
    http: Http,
}

impl Both {
    /// Sends a draft over each transport, takes further steps with both requests, and compares them after every step. Returns
    /// whether the draft was accepted.
    async fn compare(mut self, draft: &GeneratedDraft, steps: &[GeneratedStep]) -> bool {
        let over_grpc = self.client.create_request(creation(draft.message())).await;
        let over_rest = self.http.post(&[], &draft.body()).await;
        let Ok(created) = over_grpc.map(tonic::Response::into_inner) else {
            assert!((400..500).contains(&over_rest.status), "gRPC refuses a draft that REST accepts: {over_rest:?}");
            return false;
        };
        let (one, other) = (created.request.unwrap().id, over_rest.created());
        self.compare_twins(&one, &other).await;
        for step in steps.iter().filter(|step| draft.is_about_nothing_shared() || !step.changes_credentials()) {
            let (on_one, on_other) = (step.over_grpc(&mut self, &one).await, step.over_rest(&mut self, &other).await);
            assert_eq!(on_one, on_other, "only one transport accepts {step:?}");
            self.compare_twins(&one, &other).await;
        }
        true
    }

    async fn compare_twins(&mut self, one: &str, other: &str) {
        let (one, other) = (self.read(one).await, self.read(other).await);
        assert_eq!(without_ids_and_times(one), without_ids_and_times(other));
    }

    /// Reads a request over gRPC and checks that REST shows the same.
    async fn read(&mut self, id: &str) -> Request {
        let message = read(&mut self.client, id).await;
        let mut view = self.http.get(&format!("{REQUESTS}/{id}")).await.json();
        view::drop_what_is_particular(&mut view);
        assert_eq!(view, shown(&message));
        message
    }
}
