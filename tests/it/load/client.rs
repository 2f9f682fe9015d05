//! One client: it carries request after request through its life, and repeats each call until it is answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

use super::call::{Ask, Connection, Outcome, Step};
use super::{Addresses, Answered, RETRY_PAUSE, Told};
use crate::dice::Dice;

/// Lives that requests have under load.
const LIVES: [&[Step]; 6] = [
    &[Step::Create, Step::Start, Step::Complete],
    &[Step::Create, Step::Complete],
    &[Step::Create, Step::Start, Step::Fail],
    &[Step::Create, Step::Cancel],
    &[Step::Create, Step::Abandon],
    &[Step::Create, Step::Start, Step::Abandon],
];

/// Longest pause of a client between two calls: enough load to meet every fault, and not so much that audits take long.
const THINKING: Duration = Duration::from_millis(20);

pub(super) struct Client {
    addresses: Addresses,
    told: Arc<Told>,
    dice: Dice,
    connection: Option<Connection>,
}

impl Client {
    pub(super) fn new(addresses: Addresses, told: Arc<Told>, dice: Dice) -> Self {
        Self { addresses, told, dice, connection: None }
    }

    pub(super) async fn work(mut self) {
        loop {
            let mut request = None;
            for (step, version) in self.dice.pick(&LIVES).iter().zip(1..) {
                let ask = Ask { step: *step, request, version, key: Uuid::new_v4().to_string() };
                request = Some(self.repeat(&ask).await);
                tokio::time::sleep(self.dice.up_to(THINKING)).await;
            }
        }
    }

    /// Repeats a call under its key until it is answered, each time over gRPC or REST: a key means the same over both.
    async fn repeat(&mut self, ask: &Ask) -> Uuid {
        loop {
            match self.call(ask).await {
                Some(Outcome::Done(request)) => {
                    assert!(ask.request.is_none_or(|asked| asked == request), "another request was answered");
                    let answered = Answered { key: ask.key.clone(), request, version: ask.version };
                    self.told.answered.lock().unwrap().push(answered);
                    return request;
                }
                Some(Outcome::Unknown) => {
                    self.told.unknown.fetch_add(1, Ordering::AcqRel);
                }
                Some(Outcome::Away) => {
                    self.told.failed.fetch_add(1, Ordering::AcqRel);
                }
                None => {}
            }
            self.connection = None;
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Makes the call once; `None` if there is nobody to call.
    async fn call(&mut self, ask: &Ask) -> Option<Outcome> {
        if self.connection.is_none() {
            self.connection = self.addresses.pick(&mut self.dice).map(Connection::to);
        }
        let connection = self.connection.as_mut()?;
        Some(if ask.step.is_rest() && self.dice.coin() {
            connection.over_rest(ask).await
        } else {
            connection.over_grpc(ask).await
        })
    }
}
