//! Reads by id, against pgbench.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::load::callers;
use crate::pgbench::Pgbench;
use crate::place::Place;
use crate::settings::Settings;
use crate::table::{Table, Turns};
use crate::{grpc, service};

/// Requests that are read.
const REQUESTS: i32 = 10_000;

/// Of these pgbench reads, each by a script of its own.
const SCRIPTS: usize = 100;

/// Callers, and clients of pgbench.
const CALLERS: usize = 64;

struct Reader {
    client: grpc::Client,
    ids: Arc<Vec<String>>,
    next: usize,
}

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let place = Place::new().await;
    let service = service::cmgate(&place);
    let mut client = grpc::clients(service.address).await.remove(0);
    for _ in 0..REQUESTS / 100 {
        grpc::create_batch(&mut client, 100).await;
    }
    drop(service);
    let ids = Arc::new(ids(&place).await);
    place.execute("VACUUM ANALYZE request").await;
    let pgbench = Pgbench::reads(&place, &ids.iter().take(SCRIPTS).cloned().collect::<BTreeSet<_>>());
    let mut turns = Turns::default();
    for _ in 0..settings.rounds {
        let service = service::cmgate(&place);
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
    place.leave().await;
    table.compare("GetRequest, 64 callers", "/s", &turns, "pgbench, 64 clients", ">= 1.0");
}

async fn ids(place: &Place) -> Vec<String> {
    let pool = sqlx::PgPool::connect(&place.database).await.unwrap();
    let ids = sqlx::query_scalar("SELECT id::text FROM request LIMIT $1").bind(REQUESTS);
    let ids = ids.fetch_all(&pool).await.unwrap();
    pool.close().await;
    ids
}
