//! Time from the answer to a create until a consumer of committed records receives its event.
//!
//! The answer arrives here slightly after COMMIT returned in the service, so the figure is too small by that much. The time from
//! the call to the receipt is printed as an upper bound.

use std::time::{Duration, Instant};

use super::creates::prepared;
use crate::load::{quantile, steady};
use crate::settings::Settings;
use crate::table::Table;
use crate::topic::Receipts;
use crate::{grpc, service};

/// Creates per second.
const RATES: [f64; 2] = [100.0, 1_000.0];

/// How long the relay gets to publish the last events.
const SETTLE: Duration = Duration::from_secs(2);

/// The printed quantiles, each with the goal for the time from the answer.
const QUANTILES: [(f64, &str, &str); 3] = [(0.5, "p50", "<= 4 ms"), (0.99, "p99", "<= 20 ms"), (0.999, "p99.9", "-")];

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let service = service::cmgate(&env);
    let clients = grpc::clients(service.address).await;
    for rate in RATES {
        let mut from_answer = [const { Vec::new() }; QUANTILES.len()];
        let mut from_call = [const { Vec::new() }; QUANTILES.len()];
        for _ in 0..settings.rounds {
            grpc::create(&mut clients[0].clone()).await;
            tokio::time::sleep(SETTLE).await;
            let receipts = Receipts::of(&env.topic);
            tokio::time::sleep(SETTLE).await;
            let clients = clients.clone();
            let answered = steady(rate, settings.duration, move |nth| {
                let mut client = clients[nth % clients.len()].clone();
                async move { (grpc::create(&mut client).await, Instant::now()) }
            })
            .await;
            tokio::time::sleep(SETTLE).await;
            let receipts = receipts.end();
            let since = |begin: Instant, id: &String| receipts[id].saturating_duration_since(begin);
            let mut after_answer: Vec<_> = answered.iter().map(|(_, (id, at))| since(*at, id)).collect();
            let mut after_call: Vec<_> = answered.iter().map(|(due, (id, _))| since(*due, id)).collect();
            for (nth, (part, ..)) in QUANTILES.into_iter().enumerate() {
                from_answer[nth].push(quantile(&mut after_answer, part));
                from_call[nth].push(quantile(&mut after_call, part));
            }
        }
        for (nth, (_, name, goal)) in QUANTILES.into_iter().enumerate() {
            table.report(&format!("answer to receipt at {rate}/s, {name}"), "ms", &from_answer[nth], goal);
            table.report(&format!("call to receipt at {rate}/s, {name}"), "ms", &from_call[nth], "-");
        }
    }
    drop(service);
    env.drop_database().await;
}
