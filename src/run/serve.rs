//! The service put together: built from the configuration, run until a signal, taken down in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::upkeep::Upkeep;
use super::{greeting, open};
use crate::clock::Clock;
use crate::config::{AuthenticationKind, Config, DatabaseKind, Mode};
use crate::domain::{Principal, Subject};
use crate::exit::{Failure, FailureKind};
use crate::feed::Feed;
use crate::grpc::Serving;
use crate::http::admin::{LaneHealth, Readiness};
use crate::http::auth::{Authentication, Development};
use crate::http::server::{self, Server, ServerSettings};
use crate::http::{ApiSettings, admin, assemble};
use crate::kafka::KafkaSettings;
use crate::mimcm;
use crate::relay::{LaneState, LaneStatus, Relay, RelaySettings};
use crate::service::{Authority, Service, Writer, WriterSettings, import_subjects, load_catalog};
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::templates;

/// How often the relay looks for events of other processes on one database.
const SHARED_POLL: Duration = Duration::from_millis(2);
/// How often it looks where this process is the only one as a rule.
const EMBEDDED_POLL: Duration = Duration::from_millis(100);

/// Serves until a signal.
///
/// # Errors
/// What kept the service from starting.
pub(super) async fn serve(config: &Config) -> Result<(), Failure> {
    let shutdown = Shutdown::new();
    tokio::spawn(shutdown.on_signals(config.shutdown.grace).map_err(|error| internal(&error))?);
    let metrics = Metrics::start().map_err(|error| internal(&error))?;
    tokio::spawn(metrics.clone().upkeep(shutdown.hard().clone()));

    let clock = Clock::System;
    let templates = templates::load(&config.templates)?;
    let store = open::store(config).await?;
    let mut upkeep = Upkeep::new(Arc::clone(&store), clock.clone(), config.idempotency.keep);
    upkeep.maintain().await;
    make_known(&*store, &clock, templates.subjects).await?;
    let catalog = Arc::new(load_catalog(&*store, &clock, templates.templates).await?);
    let (kafka, broker) = open::kafka(config)?;

    let feed = Arc::new(Feed::new(store.topology().shards));
    let relay = start_relay(config, kafka, &store, &feed, &clock)?;
    let tasks = TaskTracker::new();
    let writer = Writer::start(&store, &feed, writer_settings(config), &tasks);
    let parts = [writer.broken(), relay.broken()];
    let service = Service::new(Arc::clone(&store), writer, catalog, clock, authority(config));
    tasks.spawn(shutdown.soft().clone().run_until_cancelled_owned(upkeep.keep_going()));

    let draining = Arc::new(AtomicBool::new(false));
    let (public, private) = (CancellationToken::new(), CancellationToken::new());
    let readiness = readiness(&store, relay.lanes(), &draining);
    let (public_port, serving) = serve_public(config, service, public.clone()).await?;
    let private_port = serve_private(config, readiness, metrics, private.clone()).await?;
    let addresses = greeting::Addresses {
        public: public_port.address(),
        private: private_port.address(),
        broker: broker.as_ref().map_or_else(|| config.kafka.brokers.clone(), crate::kafka::TestBroker::address),
    };
    greeting::print(&mut io::stdout(), config, &addresses);

    let outcome = ended(&shutdown, &parts).await;
    let drain = async {
        draining.store(true, Ordering::Release);
        serving.end();
        public.cancel();
        public_port.ended().await;
        // The service went with its port, and the writer ends with the service.
        tasks.close();
        tasks.wait().await;
        relay.drain().await;
        private.cancel();
        store.close().await;
    };
    if shutdown.hard().run_until_cancelled(drain).await.is_none() {
        tracing::warn!("stopped before everything was drained; the next process goes on from there");
    }
    tracing::info!("stopped");
    outcome
}

/// Waits until the process is to end, because it was told to or because a part of it has died.
async fn ended(shutdown: &Shutdown, parts: &[CancellationToken; 2]) -> Result<(), Failure> {
    let [writer, relay] = parts;
    let part = tokio::select! {
        () = shutdown.soft().cancelled() => return Ok(()),
        () = writer.cancelled() => "writer",
        () = relay.cancelled() => "relay",
    };
    tracing::error!(part, "a part of the service died, ending");
    shutdown.begin();
    Err(Failure::new(FailureKind::Internal, format!("a lane of the {part} died; the log says why")))
}

/// Makes those subjects of the template files known that are not; what has become of the others since stands in the store.
async fn make_known(store: &dyn Store, clock: &Clock, listed: Vec<Subject>) -> Result<(), StoreError> {
    let ids: Vec<_> = listed.iter().map(Subject::id).collect();
    let known = store.subjects(&ids).await?;
    let is_new = |subject: &Subject| known.iter().all(|known| known.id() != subject.id());
    let new: Vec<Subject> = listed.into_iter().filter(is_new).collect();
    if let Err(refusal) = import_subjects(store, &new, clock.now()).await? {
        tracing::warn!(%refusal, "the subjects of the template files cannot be made known");
    }
    Ok(())
}

fn authority(config: &Config) -> Authority {
    let mut administrators = config.service.administrators.0.clone();
    if config.mode == Mode::Development {
        administrators.push(Principal::User(config.development.user));
    }
    Authority { account: config.service.sid.clone(), administrators }
}

fn start_relay(
    config: &Config,
    kafka: KafkaSettings,
    store: &Arc<dyn Store>,
    feed: &Arc<Feed>,
    clock: &Clock,
) -> Result<Relay, Failure> {
    let poll_interval = match config.database.url.kind() {
        DatabaseKind::Postgres => SHARED_POLL,
        DatabaseKind::Sqlite => EMBEDDED_POLL,
    };
    Relay::start(store, feed, clock, &RelaySettings { kafka, poll_interval }).map_err(|error| internal(&error))
}

async fn serve_public(
    config: &Config,
    service: Service,
    stop: CancellationToken,
) -> Result<(Server, Serving), Failure> {
    let authentication = match config.authentication.kind {
        AuthenticationKind::Development => Authentication::Development(Development {
            user: config.development.user,
            name: config.development.name.clone(),
            sid: Some(config.development.sid.clone()),
            groups: Vec::new(),
        }),
    };
    let settings = ApiSettings {
        max_message_bytes: config.limits.message_bytes,
        max_duration: config.limits.call_time,
        max_memory_bytes: config.limits.memory_bytes,
        rest: mimcm::Settings {
            body_bytes: config.limits.message_bytes,
            descriptor_nul_tail: config.rest.descriptor_nul_tail,
        },
    };
    let api = assemble(service, authentication, settings).map_err(|error| internal(&error))?;
    let port = server::serve(config.listen, api.calls, server_settings(config), stop).await;
    Ok((port.map_err(|error| cannot_listen("listen", &error))?, api.serving))
}

async fn serve_private(
    config: &Config,
    readiness: Readiness,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<Server, Failure> {
    let router = admin::router(readiness, Box::new(move || metrics.render()));
    let port = server::serve(config.admin_listen, router, server_settings(config), stop).await;
    port.map_err(|error| cannot_listen("admin_listen", &error))
}

fn readiness(store: &Arc<dyn Store>, lanes: &[Arc<LaneStatus>], draining: &Arc<AtomicBool>) -> Readiness {
    let lanes = lanes.to_vec();
    Readiness {
        store: Arc::clone(store),
        draining: Arc::clone(draining),
        relay: Box::new(move || lanes.iter().map(|lane| lane_health(lane)).collect()),
    }
}

fn lane_health(lane: &LaneStatus) -> LaneHealth {
    let state = match lane.state() {
        LaneState::Waiting => "waiting for its lock",
        LaneState::Starting => "starting",
        LaneState::Streaming => "streaming",
        LaneState::Halted => "halted",
    };
    LaneHealth { lane: lane.lane, state, detail: lane.problem() }
}

fn writer_settings(config: &Config) -> WriterSettings {
    let lanes = match config.database.url.kind() {
        DatabaseKind::Postgres => config.writer.lanes,
        // The file has one lock; a second lane would only split the batches.
        DatabaseKind::Sqlite => 1,
    };
    WriterSettings { lanes, max_batch: config.writer.max_batch, max_waiting: config.writer.max_waiting }
}

fn server_settings(config: &Config) -> ServerSettings {
    ServerSettings {
        max_connections: config.limits.connections,
        body_bytes: config.limits.message_bytes,
        stall_timeout: config.limits.stall_time,
        // The relay needs the other half to publish what the last calls wrote.
        drain_timeout: config.shutdown.grace / 2,
        ..ServerSettings::default()
    }
}

fn cannot_listen(key: &str, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Unavailable, format!("{key}: cannot listen: {error}"))
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::of(FailureKind::Internal, error)
}
