//! Postgres dies while batches of the largest requests are written, each a transaction of megabytes. A caller repeats its call
//! under its key until it is answered, and every request is there once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{CreateRequestRequest, DataItem, RequestDraft};
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

use super::fleet::Wiring;
use super::{Kind, play};
use crate::load::Answered;
use crate::support::client::{CARDS, enrollment};
use crate::support::instance::Instance;
use crate::support::servers::control;
use crate::support::wait::wait_until;

/// Callers at once; their requests fill several batches.
const CALLERS: usize = 24;

/// Data items of a request and characters of each: slightly below the limit.
const ITEMS: usize = 52;
const ITEM_CHARS: usize = 16_000;

/// Pause before a failed call is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How Postgres ends.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Kill -9 of the postmaster and all backends.
    Killed,
    /// Postgres's own immediate shutdown.
    StoppedAtOnce,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_huge_request_is_lost_when_the_database_dies() {
    let kind = Kind {
        name: "huge",
        wiring: Wiring::Direct,
        fleets: None,
        variants: &[Fault::Killed, Fault::StoppedAtOnce],
        rare: Fault::Killed,
        rounds: 2,
    };
    play(kind, async |fleet, fault| {
        let clients: Vec<_> = fleet.instances.iter().map(Instance::client).collect();
        let created = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(create(clients[caller % clients.len()].clone(), Arc::clone(&created)));
        }
        wait_until("the first request is created", async || created.load(Ordering::Acquire) > 0).await;
        control("postgres", if matches!(fault, Fault::Killed) { "kill" } else { "stop-immediate" });
        assert!(created.load(Ordering::Acquire) < CALLERS, "some calls are in flight");
        fleet.any_moment().await;
        control("postgres", "start");
        let mended = Instant::now();
        fleet.remember(callers.join_all().await);
        mended
    })
    .await;
}

/// Creates a huge request, retrying until it succeeds. An error that an outage does not explain is a defect.
async fn create(mut client: RequestServiceClient<Channel>, created: Arc<AtomicUsize>) -> Answered {
    let key = Uuid::new_v4().to_string();
    let item = |number| DataItem { name: format!("item {number}"), value: Some("x".repeat(ITEM_CHARS)) };
    let draft = RequestDraft { data_items: (0..ITEMS).map(item).collect(), ..enrollment(CARDS) };
    loop {
        let call = CreateRequestRequest { draft: Some(draft.clone()), idempotency_key: key.clone() };
        match client.create_request(call).await.map(|answer| answer.into_inner().request) {
            Ok(request) => {
                let request = request.expect("every answer has its request");
                created.fetch_add(1, Ordering::AcqRel);
                return Answered { key, request: request.id.parse().expect("ids are UUIDs"), version: request.version };
            }
            Err(status) => {
                let is_of_outage = matches!(
                    status.code(),
                    Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unknown
                );
                assert!(is_of_outage, "a huge request was refused: {status:?}");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}
