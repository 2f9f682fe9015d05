//! Builds the service from its settings, runs it until a signal, and shuts it down in order.

use std::env;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::banner::{Banner, Examples, Scheme};
use super::exit::{ExitError, ExitStatus};
use super::ports::Ports;
use super::settings::Settings;
use super::templates::TemplateReload;
use super::upkeep::Upkeep;
use super::{vitals, wiring};
use crate::config::templates;
use crate::domain::Credential;
use crate::feed::Feed;
use crate::grpc::Serving;
use crate::http::admin::{Readiness, WorkerHealth, report_readiness};
use crate::http::auth::Authentication;
use crate::http::server::{self, Server, ServerSettings, Stop};
use crate::http::{Api, admin, assemble};
use crate::relay::{Relay, WorkerState, WorkerStatus};
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::supervisor::{SOCKET_VARIABLE, Supervisor};
use crate::runtime::telemetry::Metrics;
use crate::service::{Service, Writer, import_credentials, load_catalog};
use crate::store::{SchemaUpdate, Store, StoreError};

/// Serves until a signal.
///
/// # Errors
/// Why the service could not start, or which essential part failed.
pub(super) async fn serve(mut settings: Settings, examples: Examples, update: SchemaUpdate) -> Result<(), ExitError> {
    // First, because SIGHUP would end a process without a handler.
    let hangups = Hangups::listen().map_err(|error| internal(&error))?;
    let database = settings.store.target();
    log_start(&settings, &database);
    let supervisor = Supervisor::at(env::var_os(SOCKET_VARIABLE).as_deref());
    let supervisor =
        supervisor.map_err(|error| ExitError::new(ExitStatus::Usage, format!("{SOCKET_VARIABLE}: {error}")))?;
    let shutdown = Shutdown::new();
    tokio::spawn(shutdown.on_signals(settings.shutdown).map_err(|error| internal(&error))?);
    let metrics = Metrics::start().map_err(|error| internal(&error))?;
    tokio::spawn(metrics.clone().upkeep(shutdown.hard().clone()));
    vitals::record_build(&settings.store);

    let clock = Clock::System;
    let authentication = Authentication::start(settings.authentication.clone(), clock.clone(), shutdown.hard());
    let authentication = authentication.await.map_err(|error| ExitError::of_files(&error))?;
    let protection = Ports::load(&settings, &clock)?;
    let templates = templates::load(&settings.templates)?;
    wiring::check_kafka(&settings)?;
    let store = wiring::store(&settings.store, update).await?;
    wiring::check_publishing(&*store, &settings).await?;
    let mut upkeep = Upkeep::new(Arc::clone(&store), clock.clone(), settings.keep_keys);
    upkeep.maintain().await;
    import_listed(&*store, &clock, templates.credentials).await?;
    let catalog = load_catalog(&*store, &clock, templates.templates, settings.older_templates).await?;
    let broker = wiring::test_broker(&mut settings)?;

    let feed = Arc::new(Feed::new(store.topology().shards));
    let relay = Relay::start(&store, &feed, &clock, &settings.relay).map_err(|error| internal(&error))?;
    let tasks = TaskTracker::new();
    let writer = Writer::start(&store, &feed, settings.writer, &tasks);
    tasks.spawn(shutdown.soft().clone().run_until_cancelled_owned(vitals::watch(Arc::clone(&store), clock.clone())));
    let parts = [writer.broken(), relay.broken()];
    let reload = TemplateReload::new(&store, &clock, &settings);
    let service = Service::new(Arc::clone(&store), writer, Arc::new(catalog), clock, settings.authority.clone());
    let reloading = reload.at_each(hangups.clone(), service.catalog().clone());
    tasks.spawn(shutdown.soft().clone().run_until_cancelled_owned(reloading));
    tasks.spawn(shutdown.soft().clone().run_until_cancelled_owned(upkeep.keep_going()));

    let public = Stop { soon: shutdown.leaving().clone(), now: CancellationToken::new() };
    let private = CancellationToken::new();
    let readiness = Arc::new(readiness(&store, relay.workers(), &shutdown));
    let served = serve_public(&settings, &protection, service, authentication.clone(), public.clone());
    let PublicPorts { port: public_port, socket, serving } = served.await?;
    let (recorded, watched) = (protection.clone(), authentication.clone());
    let pools = Arc::clone(&store);
    let render = move || {
        vitals::record_pools(&*pools);
        authentication.record_gauges();
        recorded.record_gauges();
        metrics.render()
    };
    tokio::spawn(report_readiness(Arc::clone(&readiness), serving.clone()));
    let router = admin::router(readiness, &serving, Box::new(render), protection.tokens.clone());
    let private_port = serve_private(&settings, &protection, router, private.clone()).await?;
    protection.watch(&settings, &hangups, &shutdown);
    watched.watch(settings.reload_interval, &hangups, shutdown.hard());
    let banner = Banner {
        public: public_port.address(),
        public_scheme: Scheme::of(protection.public.is_some()),
        private: private_port.address(),
        private_scheme: Scheme::of(protection.private.is_some()),
        broker: &settings.relay.kafka.brokers,
        topic: &settings.relay.kafka.topic,
        is_test_broker: broker.is_some(),
        database: &database,
        mode: settings.mode.name(),
        examples: Some(&examples).filter(|examples| settings.shows_examples || matches!(examples, Examples::Demo(_))),
    };
    banner.print(&mut io::stdout());
    supervisor.ready(&format!("gRPC and REST at {}://{}", banner.public_scheme, banner.public));

    let outcome = ended(&shutdown, &parts, &supervisor).await;
    let drain = async {
        serving.end();
        public.now.cancel();
        public_port.ended().await;
        if let Some(socket) = socket {
            socket.ended().await;
        }
        // The service was dropped with its port, and the writer ends once the service is dropped.
        tasks.close();
        tasks.wait().await;
        relay.drain().await;
        private.cancel();
        store.close().await;
    };
    if shutdown.hard().run_until_cancelled(drain).await.is_none() {
        tracing::warn!("stopped before everything was drained; the next process continues from there");
    }
    tracing::info!("stopped");
    outcome
}

/// Logs what is in force, before the first dependency can fail.
fn log_start(settings: &Settings, database: &str) {
    let kafka = &settings.relay.kafka;
    let brokers = if settings.has_test_broker() { "test broker in this process" } else { &kafka.brokers };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mode = settings.mode.name(),
        database,
        brokers,
        topic = kafka.topic,
        "starting"
    );
}

/// Waits until the service should drain: after a signal and the delay, or after the failure of an essential part.
async fn ended(shutdown: &Shutdown, parts: &[CancellationToken; 2], supervisor: &Supervisor) -> Result<(), ExitError> {
    let [writer, relay] = parts;
    let asked = async {
        shutdown.leaving().cancelled().await;
        supervisor.stopping();
        shutdown.soft().cancelled().await;
    };
    let part = tokio::select! {
        () = asked => return Ok(()),
        () = writer.cancelled() => "writer",
        () = relay.cancelled() => "relay",
    };
    tracing::error!(part, "a part of the service failed, stopping");
    supervisor.stopping();
    shutdown.begin();
    Err(ExitError::new(ExitStatus::Internal, format!("the {part} failed; see the log")))
}

/// Imports the profiles and cards that the template files list and the store lacks. Stored ones may have changed and stay.
async fn import_listed(store: &dyn Store, clock: &Clock, listed: Vec<Credential>) -> Result<(), StoreError> {
    let ids: Vec<_> = listed.iter().map(Credential::id).collect();
    let known = store.credentials(&ids).await?;
    let is_new = |credential: &Credential| known.iter().all(|known| known.id() != credential.id());
    let new: Vec<Credential> = listed.into_iter().filter(is_new).collect();
    if let Err(refusal) = import_credentials(store, &new, clock.now()).await? {
        tracing::warn!(%refusal, "cannot import the profiles and cards that the template files list");
    }
    Ok(())
}

/// Where gRPC and REST listen, and the switch of their health service.
struct PublicPorts {
    port: Server,
    socket: Option<Server<PathBuf>>,
    serving: Serving,
}

async fn serve_public(
    settings: &Settings,
    ports: &Ports,
    service: Service,
    authentication: Authentication,
    stop: Stop,
) -> Result<PublicPorts, ExitError> {
    let Api { calls, serving } =
        assemble(service, authentication, settings.api.clone()).map_err(|error| internal(&error))?;
    let calls = calls.with_origins(settings.origins.clone());
    let socket = settings.listen_unix.as_deref().map(|path| {
        let limits = ServerSettings { name: "unix", ..settings.server };
        server::serve_unix(path, calls.clone(), limits, stop.clone())
            .map_err(|error| cannot_listen("listen_unix", path.display(), &error))
    });
    let socket = socket.transpose()?;
    let port = server::serve(settings.listen, calls, settings.server, ports.public(settings), stop).await;
    Ok(PublicPorts { port: port.map_err(|error| cannot_listen("listen", settings.listen, &error))?, socket, serving })
}

async fn serve_private(
    settings: &Settings,
    ports: &Ports,
    router: Router,
    stop: CancellationToken,
) -> Result<Server, ExitError> {
    let limits = ServerSettings { name: "admin", ..settings.server };
    let port = server::serve(settings.admin_listen, router, limits, ports.private(), stop).await;
    port.map_err(|error| cannot_listen("admin_listen", settings.admin_listen, &error))
}

fn readiness(store: &Arc<dyn Store>, workers: &[Arc<WorkerStatus>], shutdown: &Shutdown) -> Readiness {
    let workers = workers.to_vec();
    Readiness {
        store: Arc::clone(store),
        leaving: shutdown.leaving().clone(),
        relay: Box::new(move || workers.iter().map(|worker| worker_health(worker)).collect()),
    }
}

fn worker_health(worker: &WorkerStatus) -> WorkerHealth {
    let state = match worker.state() {
        WorkerState::Waiting => "waiting for its lock",
        WorkerState::Starting => "starting",
        WorkerState::Streaming => "streaming",
        WorkerState::Halted => "halted",
    };
    WorkerHealth { group: worker.group.number, state, detail: worker.problem() }
}

fn cannot_listen(key: &str, address: impl Display, error: &io::Error) -> ExitError {
    let status = match error.kind() {
        io::ErrorKind::PermissionDenied => ExitStatus::Denied,
        // No address of this machine.
        io::ErrorKind::AddrNotAvailable => ExitStatus::Usage,
        _ => ExitStatus::Unavailable,
    };
    ExitError::new(status, format!("{key}: cannot listen on {address}: {error}"))
}

fn internal(error: &dyn std::error::Error) -> ExitError {
    ExitError::of(ExitStatus::Internal, error)
}
