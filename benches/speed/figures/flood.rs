//! A flood of tokens with random key ids: what it does to good callers, to the issuer, and to a rotation of its key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic::Code;
use uuid::Uuid;

use super::creates::prepared;
use crate::grpc::{self, GrpcClient};
use crate::load::{quantile, steady};
use crate::proof::{Issuer, bearer, issuer_settings, token, with_key_id};
use crate::service::cmgate_with;
use crate::settings::Settings;
use crate::table::{Table, Turns};

/// Tokens of the flood per second.
const FLOOD: f64 = 10_000.0;
/// How long it lasts: longer than the service waits between two reads of a key set that calls ask for.
const DURATION: Duration = Duration::from_secs(40);
/// When the issuer changes its key after the begin of the flood.
const ROTATION: Duration = Duration::from_secs(5);
/// Calls of good callers per second.
const GOOD: f64 = 200.0;
/// Pause between two calls with a token of the new key.
const POLL: Duration = Duration::from_millis(100);

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let [mut middle, mut high] = <[Turns; 2]>::default();
    let [mut rates, mut reads, mut waits] = <[Vec<f64>; 3]>::default();
    for _ in 0..settings.rounds {
        let issuer = Issuer::new("old");
        let service = cmgate_with(&env, &issuer_settings("JWKS_URI", issuer.serve().await));
        let clients = grpc::clients(service.address).await;
        let old = bearer(&token("old", 0));
        let id = grpc::create_as(&mut clients[0].clone(), Some(&old)).await.unwrap();
        let good = |duration: Duration| {
            let (clients, id, old) = (clients.clone(), id.clone(), old.clone());
            steady(GOOD, duration, move |nth| {
                let (mut client, id, old) = (clients[nth % clients.len()].clone(), id.clone(), old.clone());
                async move {
                    grpc::get_as(&mut client, &id, &old).await.unwrap();
                    Instant::now()
                }
            })
        };
        let mut quiet = latencies(&good(settings.duration).await);

        let reads_before = issuer.reads();
        let strangers = Arc::new(grpc::clients(service.address).await);
        let begun = Instant::now();
        let flood = tokio::spawn(flood(strangers));
        let rotation = async {
            tokio::time::sleep(ROTATION).await;
            issuer.publish(&["old", "new"]);
            accepted_after(&mut clients[1].clone(), &id).await
        };
        let (answers, wait) = tokio::join!(good(DURATION), rotation);
        let refused = flood.await.unwrap();
        rates.push(refused as f64 / begun.elapsed().as_secs_f64());
        reads.push((issuer.reads() - reads_before) as f64);
        waits.push(wait.as_secs_f64());
        let mut loud = latencies(&answers);
        middle.add(quantile(&mut loud, 0.5), quantile(&mut quiet, 0.5));
        high.add(quantile(&mut loud, 0.99), quantile(&mut quiet, 0.99));
    }
    env.drop_database().await;
    table.report("flood of unknown key ids, refused", "/s", &rates, ">= 10000/s");
    table.compare("GetRequest during the flood, p50", "ms", &middle, "without the flood", "-");
    table.compare("GetRequest during the flood, p99", "ms", &high, "without the flood", "<= 2");
    table.report("reads of the key set in 40 s of flood", "reads", &reads, "<= 2");
    table.report("from a key's publication to its first accepted token", "s", &waits, "<= 31 s");
}

/// Sends the flood, and returns how many of its calls were refused.
async fn flood(clients: Arc<Vec<GrpcClient>>) -> usize {
    let token: Arc<str> = token("old", 1).into();
    let id = Uuid::new_v4().to_string();
    let answers = steady(FLOOD, DURATION, move |nth| {
        let (mut client, token, id) = (clients[nth % clients.len()].clone(), Arc::clone(&token), id.clone());
        async move {
            let stranger = bearer(&with_key_id(&token, &format!("random-{nth}")));
            grpc::get_as(&mut client, &id, &stranger).await.unwrap_err().code()
        }
    });
    let codes = answers.await;
    assert!(codes.iter().all(|(_, code)| *code == Code::Unauthenticated));
    codes.len()
}

/// How long it takes until a token of the new key is accepted.
async fn accepted_after(client: &mut GrpcClient, id: &str) -> Duration {
    let (published, new) = (Instant::now(), bearer(&token("new", 2)));
    while grpc::get_as(client, id, &new).await.is_err() {
        tokio::time::sleep(POLL).await;
    }
    published.elapsed()
}

fn latencies(answers: &[(Instant, Instant)]) -> Vec<Duration> {
    answers.iter().map(|(due, answered)| *answered - *due).collect()
}
