//! Pages of a list over many requests, against the same page over few.

use std::time::Instant;

use cmgate::contract::v1::{GetRequestsRequest, RequestStatus};

use super::creates::prepared;
use crate::env::BenchEnv;
use crate::grpc::{self, GrpcClient};
use crate::load::quantile;
use crate::rest::RestList;
use crate::service::{self, Process};
use crate::settings::Settings;
use crate::table::{Table, Turns};

/// Requests in the smaller table.
const FEW: u64 = 10_000;

/// Pages read in each turn.
const PAGES: usize = 500;

/// Requests in the list that REST returns as one response.
const LISTED: u64 = 1_000_000;

/// Copies the only request: one copy per second of submit time, spread over a hundred users. The indexes are built at the end.
const FILL: &str = "
    SET maintenance_work_mem = '1GB';
    ALTER TABLE request SET UNLOGGED;
    DO $$
    DECLARE
        definitions text[];
        definition text;
        removal text;
    BEGIN
        SELECT array_agg(indexdef), string_agg(format('DROP INDEX %I', indexname), '; ') INTO definitions, removal
        FROM pg_indexes WHERE tablename = 'request' AND indexname <> 'request_pkey';
        EXECUTE removal;
        ALTER TABLE request DROP CONSTRAINT request_pkey;
        INSERT INTO request (id, version, status, type, target, originator, template, submitted_at, document)
        SELECT new_id, 1, 1 + n % 7, type, user_id, user_id, template, at,
               replace(replace(document::text, id::text, new_id::text), document ->> 'submitted_at',
                       to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))::json
        FROM (SELECT *, gen_random_uuid() AS new_id, submitted_at - n * interval '1 second' AS at,
                     ('00000000-0000-4000-8000-' || lpad((n % 100)::text, 12, '0'))::uuid AS user_id
              FROM request, generate_series(1::bigint, ROWS) AS n) AS made;
        ALTER TABLE request ADD PRIMARY KEY (id);
        FOREACH definition IN ARRAY definitions LOOP
            EXECUTE definition;
        END LOOP;
    END $$";

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let (few, many) = (filled(FEW).await, filled(settings.rows).await);
    for (name, message) in lists() {
        let mut turns = Turns::default();
        for _ in 0..settings.rounds {
            let large = latency(&service::cmgate(&many), &message).await;
            turns.add(large, latency(&service::cmgate(&few), &message).await);
        }
        let figure = format!("page of 50 of {} requests, {name}, p50", settings.rows);
        table.compare(&figure, "ms", &turns, "of 10000", "<= 1.2");
    }
    many.drop_database().await;
    let listed = filled(LISTED).await;
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        of_few.push(memory_of_list(&service::cmgate(&few), FEW).await);
        of_many.push(memory_of_list(&service::cmgate(&listed), LISTED).await);
    }
    table.report(&format!("resident memory while REST lists {FEW} requests"), "MiB", &of_few, "-");
    table.report(&format!("resident memory while REST lists {LISTED} requests"), "MiB", &of_many, "the same");
    few.drop_database().await;
    listed.drop_database().await;
}

fn lists() -> [(&'static str, GetRequestsRequest); 3] {
    let all = GetRequestsRequest { page_size: 50, ..GetRequestsRequest::default() };
    let pending = GetRequestsRequest { statuses: vec![RequestStatus::Pending.into()], ..all.clone() };
    let of_one = GetRequestsRequest { targets: vec!["00000000-0000-4000-8000-000000000007".to_owned()], ..all.clone() };
    [("all", all), ("by status", pending), ("by target", of_one)]
}

async fn filled(rows: u64) -> BenchEnv {
    let env = prepared().await;
    let begun = Instant::now();
    env.execute(FILL.replace("ROWS", &rows.to_string())).await;
    env.execute("VACUUM ANALYZE request").await;
    println!("{rows} requests created in {:?}", begun.elapsed());
    env
}

/// Median latency of a page, in milliseconds. Nearly all pages follow another one, so the query must find their position.
async fn latency(service: &Process, message: &GetRequestsRequest) -> f64 {
    let mut client: GrpcClient = grpc::clients(service.address).await.remove(0);
    let mut message = message.clone();
    let mut latencies = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let begun = Instant::now();
        message.page_token = grpc::page(&mut client, message.clone()).await;
        latencies.push(begun.elapsed());
        if latencies.len() % 20 == 0 {
            message.page_token.clear();
        }
    }
    quantile(&mut latencies, 0.5)
}

/// Peak resident memory of a service while it returns the whole list, in MiB.
async fn memory_of_list(service: &Process, rows: u64) -> f64 {
    let mut list = RestList::ask(service.address).await;
    let mut most = service.resident();
    while list.read().await {
        most = most.max(service.resident());
    }
    assert_eq!(list.requests(), rows + 1, "the list is whole");
    most
}
