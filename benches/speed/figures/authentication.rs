//! What the proof of identity costs: processor time of creates by kind of proof, of refused calls, and of the limits of callers.

use std::num::NonZeroU32;
use std::time::Instant;

use cmgate::domain::{Caller, UserId};
use cmgate::service::{CallerLimit, CallerLimitSettings, CallerLimits, Rate};
use tempfile::TempDir;
use tonic::Code;
use uuid::Uuid;

use super::creates::{CALLERS, micros_per_call, prepared};
use crate::env::BenchEnv;
use crate::grpc::{self, Authorization, GrpcClient};
use crate::load::callers;
use crate::proof::{Issuer, TlsSite, bearer, forged_token, issuer_settings, token};
use crate::service::{Process, cmgate_with};
use crate::settings::Settings;
use crate::table::{Table, Turns};
use crate::topic;

/// Id of the key of all tokens.
const KEY: &str = "key";

/// Callers of the figure for limits, and calls of each.
const LIMITED: (usize, usize) = (10_000, 100);

/// A caller with its proof.
#[derive(Clone)]
struct Proven {
    client: GrpcClient,
    authorization: Option<Authorization>,
}

/// The service with each kind of proof.
struct Bench {
    env: BenchEnv,
    keys: TempDir,
    tls: TlsSite,
}

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let bench = Bench::new().await;
    let [mut by_token, mut over_tls, mut by_certificate] = <[Turns; 3]>::default();
    let [mut without, mut forged, mut limits] = <[Vec<f64>; 3]>::default();
    let tokens = |make: fn(&'static str, usize) -> String| -> Vec<_> {
        (0..CALLERS).map(|caller| Some(bearer(&make(KEY, caller)))).collect()
    };
    let (good, wrong, none) = (tokens(token), tokens(forged_token), vec![None; CALLERS]);
    for _ in 0..settings.rounds {
        let development = cmgate_with(&bench.env, &limits_of_callers());
        let plain = grpc::clients(development.address).await;
        let base = bench.creates(settings, development, plain, &none).await;

        let by_jwt = cmgate_with(&bench.env, &bench.issuer(&[]));
        let plain = grpc::clients(by_jwt.address).await;
        by_token.add(bench.creates(settings, by_jwt, plain, &good).await, base);

        let encrypted = cmgate_with(&bench.env, &bench.issuer(&bench.tls.settings()));
        let clients = grpc::clients_over_tls(encrypted.address, &bench.tls.client(false)).await;
        over_tls.add(bench.creates(settings, encrypted, clients, &good).await, base);

        let mutual = cmgate_with(&bench.env, &[limits_of_callers(), bench.tls.client_settings()].concat());
        let clients = grpc::clients_over_tls(mutual.address, &bench.tls.client(true)).await;
        by_certificate.add(bench.creates(settings, mutual, clients, &none).await, base);

        let guarded = cmgate_with(&bench.env, &bench.issuer(&[]));
        without.push(refusals(settings, &guarded, &none).await);
        forged.push(refusals(settings, &guarded, &wrong).await);
        limits.push(nanos_per_admission());
    }
    bench.env.drop_database().await;
    let development = "the development caller";
    table.compare("CPU per create with a token", "µs", &by_token, development, "<= 1.1");
    table.compare("CPU per create with a token, over TLS", "µs", &over_tls, development, "<= 1.25");
    table.compare("CPU per create with a client certificate", "µs", &by_certificate, development, "<= 1.25");
    table.report("CPU per call without credentials", "µs", &without, "< 60 µs");
    table.report("CPU per call with a wrong signature (RS256)", "µs", &forged, "-");
    table.report("limits of a caller, per call", "ns", &limits, "< 200 ns");
}

impl Bench {
    async fn new() -> Self {
        let keys = tempfile::tempdir().unwrap();
        std::fs::write(keys.path().join("keys.json"), Issuer::new(KEY).key_set()).unwrap();
        Self { env: prepared().await, keys, tls: TlsSite::new() }
    }

    /// With the issuer and more settings.
    fn issuer(&self, more: &[(String, String)]) -> Vec<(String, String)> {
        let file = self.keys.path().join("keys.json").display().to_string();
        [&*limits_of_callers(), &*issuer_settings("JWKS_FILE", file), more].concat()
    }

    /// Processor time of the service per create, in microseconds. Ends the service.
    async fn creates(
        &self,
        settings: &Settings,
        process: Process,
        clients: Vec<GrpcClient>,
        authorizations: &[Option<Authorization>],
    ) -> f64 {
        let call = |mut caller: Proven| async {
            grpc::create_as(&mut caller.client, caller.authorization.as_ref()).await.unwrap();
            caller
        };
        let caller = |index: usize| Proven {
            client: clients[index % clients.len()].clone(),
            authorization: authorizations[index].clone(),
        };
        let measured = callers(CALLERS, settings.duration, caller, call, || process.cpu()).await;
        topic::settle(&self.env).await;
        micros_per_call(&measured)
    }
}

/// Limits that no caller reaches, so that they are part of every figure.
fn limits_of_callers() -> Vec<(String, String)> {
    [("RATE", "1000000"), ("CALLS", "100000")]
        .map(|(key, value)| (format!("CMGATE__LIMITS__CALLER__{key}"), value.to_owned()))
        .to_vec()
}

/// Processor time of the service per refused call, in microseconds.
async fn refusals(settings: &Settings, process: &Process, authorizations: &[Option<Authorization>]) -> f64 {
    let clients = grpc::clients(process.address).await;
    let call = |mut caller: Proven| async {
        let refused = grpc::create_as(&mut caller.client, caller.authorization.as_ref()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        caller
    };
    let caller = |index: usize| Proven {
        client: clients[index % clients.len()].clone(),
        authorization: authorizations[index].clone(),
    };
    micros_per_call(&callers(CALLERS, settings.duration, caller, call, || process.cpu()).await)
}

/// Time to admit a call of one of many callers, on one thread.
fn nanos_per_admission() -> f64 {
    let many = NonZeroU32::MAX;
    let general = CallerLimit { rate: Some(Rate { per_second: many, burst: many }), calls: Some(many) };
    let limits = CallerLimits::new(CallerLimitSettings { general, ..CallerLimitSettings::default() });
    let (number, rounds) = LIMITED;
    let callers: Vec<_> = (0..number).map(|_| Caller::unproven(UserId::new(Uuid::new_v4()), "measured")).collect();
    let admit_all = || callers.iter().for_each(|caller| drop(limits.admit(caller).unwrap()));
    admit_all();
    let begun = Instant::now();
    (0..rounds).for_each(|_| admit_all());
    begun.elapsed().as_secs_f64() * 1e9 / (number * rounds) as f64
}
