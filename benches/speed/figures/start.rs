//! Time from process start to the first answer, and memory at that point, with everything in one process.

use std::time::{Duration, Instant};

use crate::rest::RestClient;
use crate::service;
use crate::settings::Settings;
use crate::table::Table;

/// How long the service is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let [mut times, mut memory] = <[Vec<f64>; 2]>::default();
    for _ in 0..settings.rounds {
        let begun = Instant::now();
        let service = service::embedded();
        RestClient::connect(service.address).await.create().await;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(REST).await;
        memory.push(service.resident());
    }
    table.tell("start to the first request created, embedded", "ms", &times, "<= 150 ms");
    table.tell("resident memory idle, embedded", "MiB", &memory, "<= 64 MiB");
}
