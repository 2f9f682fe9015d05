//! One client: it takes request after request through the life cycle and retries each call until it succeeds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use uuid::Uuid;

use super::call::{Ask, Connection, LoadStep, Outcome};
use super::{Addresses, Answered, RETRY_PAUSE, Tally};
use crate::support::random;

/// Steps that requests take under load.
const SEQUENCES: [&[LoadStep]; 6] = [
    &[LoadStep::Create, LoadStep::Start, LoadStep::Complete],
    &[LoadStep::Create, LoadStep::Complete],
    &[LoadStep::Create, LoadStep::Start, LoadStep::Fail],
    &[LoadStep::Create, LoadStep::Cancel],
    &[LoadStep::Create, LoadStep::Abandon],
    &[LoadStep::Create, LoadStep::Start, LoadStep::Abandon],
];

/// Longest pause of a client between two calls: enough load for every fault, and short audits.
const THINKING: Duration = Duration::from_millis(20);

pub(super) struct LoadClient {
    addresses: Addresses,
    tally: Arc<Tally>,
    rng: Rng,
    connection: Option<Connection>,
}

impl LoadClient {
    pub(super) fn new(addresses: Addresses, tally: Arc<Tally>, rng: Rng) -> Self {
        Self { addresses, tally, rng, connection: None }
    }

    pub(super) async fn work(mut self) {
        loop {
            let mut request = None;
            for (step, version) in self.rng.choice(&SEQUENCES).unwrap().iter().zip(1..) {
                let ask = Ask { step: *step, request, version, key: Uuid::new_v4().to_string() };
                request = Some(self.repeat(&ask).await);
                tokio::time::sleep(random::up_to(&mut self.rng, THINKING)).await;
            }
        }
    }

    /// Repeats a call with its key until it is answered, each time over gRPC or REST, which share keys.
    async fn repeat(&mut self, ask: &Ask) -> Uuid {
        loop {
            match self.call(ask).await {
                Some(Outcome::Done(request)) => {
                    assert!(ask.request.is_none_or(|asked| asked == request), "the answer is about another request");
                    let answered = Answered { key: ask.key.clone(), request, version: ask.version };
                    self.tally.answered.lock().unwrap().push(answered);
                    return request;
                }
                Some(Outcome::Unknown) => {
                    self.tally.unknown.fetch_add(1, Ordering::AcqRel);
                }
                Some(Outcome::Away) => {
                    self.tally.failed.fetch_add(1, Ordering::AcqRel);
                }
                None => {}
            }
            self.connection = None;
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Makes the call once; `None` if there is no instance.
    async fn call(&mut self, ask: &Ask) -> Option<Outcome> {
        if self.connection.is_none() {
            self.connection = self.addresses.choose(&mut self.rng).map(Connection::to);
        }
        let connection = self.connection.as_mut()?;
        Some(if ask.step.is_rest() && self.rng.bool() {
            connection.over_rest(ask).await
        } else {
            connection.over_grpc(ask).await
        })
    }
}
