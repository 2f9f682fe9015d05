//! Latency of creates at half the maximum rate of the service, against one transaction at a time.

use std::time::{Duration, Instant};

use super::creates::{creates, prepared};
use crate::load::{quantile, steady};
use crate::pgbench::Pgbench;
use crate::settings::Settings;
use crate::table::{Table, Turns};
use crate::{grpc, service, topic};

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let pgbench = Pgbench::creates(&env).await;
    let [mut middle, mut high] = <[Turns; 2]>::default();
    for _ in 0..settings.rounds {
        let service = service::cmgate(&env);
        let peak = creates(&service, settings.duration).await.rate;
        topic::settle(&env).await;
        let clients = grpc::clients(service.address).await;
        let call = move |nth: usize| {
            let mut client = clients[nth % clients.len()].clone();
            async move { grpc::create(&mut client).await }
        };
        let answered = steady(peak / 2.0, settings.duration, move |nth| {
            let call = call(nth);
            async move {
                call.await;
                Instant::now()
            }
        })
        .await;
        let mut latencies: Vec<Duration> = answered.iter().map(|(due, answered)| *answered - *due).collect();
        drop(service);
        let alone = pgbench.run(1, settings.duration).await.latency;
        middle.add(quantile(&mut latencies, 0.5), alone);
        high.add(quantile(&mut latencies, 0.99), alone);
    }
    env.drop_database().await;
    table.compare("create at half of the peak rate, p50", "ms", &middle, "one pgbench client, mean", "-");
    table.compare("create at half of the peak rate, p99", "ms", &high, "one pgbench client, mean", "<= 3");
}
