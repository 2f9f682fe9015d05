//! Creates over gRPC, over REST and in batches, against pgbench and against an empty handler.

use std::time::Duration;

use futures::future::join_all;

use crate::env::BenchEnv;
use crate::grpc::GrpcClient;
use crate::load::{Measured, callers};
use crate::pgbench::Pgbench;
use crate::rest::RestClient;
use crate::service::{self, Process};
use crate::settings::Settings;
use crate::table::{Table, Turns};
use crate::{echo, grpc, topic};

/// Callers of unary calls.
pub(super) const CALLERS: usize = 256;

/// Callers of batches, and members per batch.
const BATCHES: (usize, usize) = (16, 100);

/// Clients of pgbench.
pub(super) const PGBENCH_CLIENTS: usize = 64;

/// Unary creates over gRPC and REST.
pub(super) async fn unary(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let pgbench = Pgbench::creates(&env).await;
    let [mut to_pgbench, mut to_nothing, mut rest_to_grpc, mut cpu] = <[Turns; 4]>::default();
    let mut memory = Vec::new();
    for _ in 0..settings.rounds {
        let service = service::cmgate(&env);
        let grpc = creates(&service, settings.duration).await;
        topic::settle(&env).await;
        let rest = posts(&service, settings.duration).await;
        memory.push(service.resident());
        drop(service);
        let nothing = creates(&echo::start(), settings.duration).await;
        let yardstick = pgbench.run(PGBENCH_CLIENTS, settings.duration).await;
        to_pgbench.add(grpc.rate, yardstick.rate);
        to_nothing.add(grpc.rate, nothing.rate);
        rest_to_grpc.add(rest.rate, grpc.rate);
        cpu.add(micros_per_call(&grpc), micros_per_call(&nothing));
    }
    env.drop_database().await;
    table.compare("CreateRequest, 256 callers", "/s", &to_pgbench, "pgbench, 64 clients", ">= 2.5");
    table.compare("CreateRequest, 256 callers", "/s", &to_nothing, "an empty handler", ">= 0.6");
    table.compare("REST POST, 256 callers", "/s", &rest_to_grpc, "CreateRequest", ">= 1.0");
    table.compare("CPU of the service per create", "µs", &cpu, "an empty handler", "<= 1.5");
    table.report("resident memory at full load", "MiB", &memory, "<= 256 MiB");
}

/// Creates under idempotency keys, as careful callers send them.
pub(super) async fn keyed(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let pgbench = Pgbench::creates(&env).await;
    let [mut to_pgbench, mut cpu] = <[Turns; 2]>::default();
    for _ in 0..settings.rounds {
        let service = service::cmgate(&env);
        let measured = load(&service, settings.duration, |mut client: GrpcClient| async {
            grpc::create_keyed(&mut client).await;
            client
        });
        let measured = measured.await;
        drop(service);
        let nothing = creates(&echo::start(), settings.duration).await;
        let yardstick = pgbench.run(PGBENCH_CLIENTS, settings.duration).await;
        to_pgbench.add(measured.rate, yardstick.rate);
        cpu.add(micros_per_call(&measured), micros_per_call(&nothing));
    }
    env.drop_database().await;
    table.compare("CreateRequest with a key, 256 callers", "/s", &to_pgbench, "pgbench, 64 clients", ">= 2.5");
    table.compare("CPU of the service per create with a key", "µs", &cpu, "an empty handler", "<= 1.8");
}

/// Creates in batches.
pub(super) async fn batch(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let pgbench = Pgbench::creates(&env).await;
    let mut turns = Turns::default();
    for _ in 0..settings.rounds {
        let service = service::cmgate(&env);
        let clients = grpc::clients(service.address).await;
        let call = |mut client: GrpcClient| async {
            grpc::create_batch(&mut client, BATCHES.1).await;
            client
        };
        let caller = |index: usize| clients[index % clients.len()].clone();
        let measured = callers(BATCHES.0, settings.duration, caller, call, || ()).await;
        drop(service);
        let yardstick = pgbench.run(PGBENCH_CLIENTS, settings.duration).await;
        turns.add(measured.rate * BATCHES.1 as f64, yardstick.rate);
    }
    env.drop_database().await;
    table.compare("BatchCreateRequests of 100, creates", "/s", &turns, "pgbench, 64 clients", ">= 6");
}

/// An environment with the schema and one request.
pub(super) async fn prepared() -> BenchEnv {
    let env = BenchEnv::new().await;
    let service = service::cmgate(&env);
    grpc::create(&mut grpc::clients(service.address).await[0]).await;
    env
}

/// Creates over gRPC, with the processor time of the server.
pub(super) async fn creates(process: &Process, duration: Duration) -> Measured<f64> {
    let call = |mut client: GrpcClient| async {
        grpc::create(&mut client).await;
        client
    };
    load(process, duration, call).await
}

/// Calls over gRPC, with the processor time of the server.
async fn load<F>(process: &Process, duration: Duration, call: fn(GrpcClient) -> F) -> Measured<f64>
where
    F: Future<Output = GrpcClient> + Send + 'static,
{
    let clients = grpc::clients(process.address).await;
    callers(CALLERS, duration, |index| clients[index % clients.len()].clone(), call, || process.cpu()).await
}

async fn posts(process: &Process, duration: Duration) -> Measured<()> {
    let mut clients: Vec<_> = join_all((0..CALLERS).map(|_| RestClient::connect(process.address))).await;
    let clients = std::cell::RefCell::new(clients.drain(..));
    let call = |mut client: RestClient| async {
        client.create().await;
        client
    };
    callers(CALLERS, duration, |_| clients.borrow_mut().next().unwrap(), call, || ()).await
}

pub(super) fn micros_per_call(measured: &Measured<f64>) -> f64 {
    let (before, after) = measured.observed;
    (after - before) * 1e6 / measured.calls
}
