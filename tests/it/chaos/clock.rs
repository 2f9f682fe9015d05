//! The clock steps back by an hour while requests are open: the order of events, versions and idempotency keys are unaffected.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use cmgate::cli::Settings;
use cmgate::config::Config;
use cmgate::config::templates;
use cmgate::domain::{
    Action, Caller, Comment, CorrelationId, CredentialIds, Draft, IdempotencyKey, Request, RequestId, RequestType,
    Timestamp, Trace,
};
use cmgate::feed::Feed;
use cmgate::runtime::clock::Clock;
use cmgate::service::{Authority, Call, Service, Writer, WriterSettings, load_catalog};
use cmgate::store::OlderTemplate;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::figures::Figures;
use super::rounds;
use crate::audit::Acknowledged;
use crate::support::client::CARDS;
use crate::support::commands::{at, complete, fresh_card, start};
use crate::support::random;
use crate::support::relay::{TestLog, TestRelay};

/// Requests that are open when the clock steps.
const LIVES: usize = 10;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// How long keys are kept, by default.
const KEYS_ARE_KEPT: i64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_affects_neither_order_nor_keys() {
    let seed = random::seed();
    let figures = Figures::new("clock_back", seed);
    let mut log = TestLog::postgres().await;
    let time = Arc::new(AtomicI64::new(at(0).micros()));
    let users = KeyedCaller::new(&log, &time).await;
    let relay = TestRelay::start(&log).await;
    let mut events = 0;
    for round in 0..rounds(2) {
        let mut rng = random::rng(seed, u64::from(round));
        let mut answers = Vec::new();
        for _ in 0..LIVES {
            answers.push(users.create().await);
            if rng.bool() {
                answers.push(users.step(answers[answers.len() - 1].1.id, start()).await);
            }
        }
        time.fetch_sub(HOUR, Ordering::Relaxed);
        let stepped = Instant::now();
        let now = Timestamp::from_micros(time.load(Ordering::Relaxed)).unwrap();
        log.store.maintain(now, Timestamp::from_micros(now.micros() - KEYS_ARE_KEPT).unwrap()).await.unwrap();
        let open: Vec<RequestId> = answers.iter().map(|(_, request, _)| request.id).collect();
        for id in open.into_iter().collect::<std::collections::BTreeSet<_>>() {
            answers.push(users.step(id, complete(fresh_card())).await);
        }
        answers.push(users.create().await);
        for (key, request, action) in &answers {
            let again = users.ask(key, action.clone().map(|action| (request.id, action))).await;
            assert_eq!(again, *request, "a repeated call gets the same answer");
        }
        time.fetch_add(HOUR + SECOND, Ordering::Relaxed);
        relay.wait_until_published().await;
        let requests = answers.iter().map(|(_, request, _)| request);
        log.acknowledged.extend(
            requests.map(|request| Acknowledged { request: request.id.uuid(), version: request.version.get() }),
        );
        figures.add_round(answers.len(), 0, stepped.elapsed());
        let report = log.audit().await;
        figures.add_audit(report.events - events, &report);
        assert_eq!(report.events - events, answers.len(), "a repeated call has no effect");
        events = report.events;
        report.assert_clean_and_published();
    }
    relay.stop().await;
}

/// A call with its key, its answer, and its step unless it was a creation.
pub(crate) type KeyedReply = (String, Request, Option<Action>);

/// Callers of a service whose clock is set by hand.
pub(crate) struct KeyedCaller {
    service: Service,
    caller: Arc<Caller>,
}

impl KeyedCaller {
    pub(crate) async fn new(log: &TestLog, time: &Arc<AtomicI64>) -> Self {
        let store = Arc::clone(&log.store);
        let clock = Clock::Manual(Arc::clone(time));
        let templates = templates::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates")).unwrap();
        let catalog = Arc::new(load_catalog(&*store, &clock, templates.templates, OlderTemplate::Keep).await.unwrap());
        let feed = Arc::new(Feed::new(store.topology().shards));
        let writer = Writer::start(
            &store,
            &feed,
            WriterSettings { workers: 4, ..Settings::default().writer },
            &TaskTracker::new(),
        );
        let config = Config::default();
        let user = config.development;
        let caller = Arc::new(Caller { sid: Some(user.sid), ..Caller::unproven(user.user, user.name) });
        let authority = Authority { account: config.service.sid, administrators: Vec::new() };
        Self { service: Service::new(store, writer, catalog, clock, authority), caller }
    }

    pub(crate) async fn create(&self) -> KeyedReply {
        let key = Uuid::new_v4().to_string();
        let request = self.ask(&key, None).await;
        (key, request, None)
    }

    pub(crate) async fn step(&self, id: RequestId, action: Action) -> KeyedReply {
        let key = Uuid::new_v4().to_string();
        let request = self.ask(&key, Some((id, action.clone()))).await;
        (key, request, Some(action))
    }

    /// Takes a step, or creates a request.
    async fn ask(&self, key: &str, step: Option<(RequestId, Action)>) -> Request {
        let key = Some(IdempotencyKey::parse("key", self.caller.user, key).unwrap());
        let correlation = CorrelationId::of_uuid(Uuid::nil());
        let call = Call {
            caller: Arc::clone(&self.caller),
            deadline: None,
            correlation,
            trace: Trace::default(),
            facts: Arc::default(),
            memory: cmgate::service::Reservation::default(),
        };
        let answered = match step {
            Some((id, action)) => self.service.act(&call, id, action, None, key).await,
            None => self.service.create(&call, enrollment(), key).await,
        };
        (*answered.unwrap()).clone()
    }
}

fn enrollment() -> Draft {
    Draft {
        kind: RequestType::Enroll,
        template: Some(CARDS.parse().unwrap()),
        target: None,
        old: CredentialIds::NONE,
        data_items: Vec::new(),
        comment: Comment::default(),
        priority: None,
    }
}
