//! Time from process start to the first answer, and memory at that point, with everything in one process.

use std::time::{Duration, Instant};

use crate::rest::RestClient;
use crate::service;
use crate::settings::Settings;
use crate::table::Table;

/// Idle time before the memory is measured.
const IDLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let [mut times, mut memory] = <[Vec<f64>; 2]>::default();
    for _ in 0..settings.rounds {
        let begun = Instant::now();
        let service = service::embedded();
        RestClient::connect(service.address).await.create().await;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(IDLE).await;
        memory.push(service.resident());
    }
    table.report("start to the first request created, embedded", "ms", &times, "<= 150 ms");
    table.report("resident memory idle, embedded", "MiB", &memory, "<= 64 MiB");
}
