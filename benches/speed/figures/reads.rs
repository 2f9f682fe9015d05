//! Reads by id, against pgbench.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::env::BenchEnv;
use crate::grpc::GrpcClient;
use crate::load::callers;
use crate::pgbench::Pgbench;
use crate::settings::Settings;
use crate::table::{Table, Turns};
use crate::{grpc, service};

/// Requests to read.
const REQUESTS: i32 = 10_000;

/// How many of them pgbench reads, each with its own script.
const SCRIPTS: usize = 100;

/// Callers, and clients of pgbench.
const CALLERS: usize = 64;

struct Reader {
    client: GrpcClient,
    ids: Arc<Vec<String>>,
    next: usize,
}

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let env = BenchEnv::new().await;
    let service = service::cmgate(&env);
    let mut client = grpc::clients(service.address).await.remove(0);
    for _ in 0..REQUESTS / 100 {
        grpc::create_batch(&mut client, 100).await;
    }
    drop(service);
    let ids = Arc::new(ids(&env).await);
    env.execute("VACUUM ANALYZE request").await;
    let pgbench = Pgbench::reads(&env, &ids.iter().take(SCRIPTS).cloned().collect::<BTreeSet<_>>());
    let mut turns = Turns::default();
    for _ in 0..settings.rounds {
        let service = service::cmgate(&env);
        let clients = grpc::clients(service.address).await;
        let caller = |index: usize| Reader {
            client: clients[index % clients.len()].clone(),
            ids: Arc::clone(&ids),
            next: index * ids.len() / CALLERS,
        };
        let call = |mut reader: Reader| async {
            let id = &reader.ids[reader.next % reader.ids.len()];
            grpc::get(&mut reader.client, id).await;
            reader.next += 1;
            reader
        };
        let measured = callers(CALLERS, settings.duration, caller, call, || ()).await;
        drop(service);
        turns.add(measured.rate, pgbench.run(CALLERS, settings.duration).await.rate);
    }
    env.drop_database().await;
    table.compare("GetRequest, 64 callers", "/s", &turns, "pgbench, 64 clients", ">= 1.0");
}

async fn ids(env: &BenchEnv) -> Vec<String> {
    let pool = sqlx::PgPool::connect(&env.database).await.unwrap();
    let ids = sqlx::query_scalar("SELECT id::text FROM request LIMIT $1").bind(REQUESTS);
    let ids = ids.fetch_all(&pool).await.unwrap();
    pool.close().await;
    ids
}
