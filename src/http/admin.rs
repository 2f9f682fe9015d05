//! The admin port: liveness, readiness, gRPC health and metrics. With tokens, metrics and the details of readiness require one.

mod serving;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tower::ServiceExt;

use crate::grpc::{HealthService, Serving};
use crate::runtime::telemetry::error_chain;
use crate::runtime::watched_file::WatchedFile;
use crate::store::Store;

pub use serving::report_readiness;
pub use tokens::{AdminTokens, admin_token_file};

/// How long the database may take to respond before it counts as unavailable. With the pause between two checks of the gRPC health
/// service, it is less than two seconds.
const PING_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The inputs of the readiness report.
pub struct Readiness {
    /// Pinged for each report.
    pub store: Arc<dyn Store>,
    /// Cancelled when shutdown starts.
    pub leaving: CancellationToken,
    /// The state of each relay worker.
    pub relay: Box<dyn Fn() -> Vec<WorkerHealth> + Send + Sync>,
}

/// The state of a relay worker. It does not affect readiness: the service accepts writes while events wait to be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerHealth {
    /// Number of its partition group.
    pub group: u16,
    /// Name of its state.
    pub state: &'static str,
    /// Explanation for operators, such as why the worker halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Renders all metrics in the Prometheus text format.
pub type Metrics = Box<dyn Fn() -> String + Send + Sync>;

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    /// Only for holders of a token, if there are tokens: errors of the database may name hosts and users.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
}

#[derive(Debug, Serialize)]
struct Checks {
    database: Check,
    accepting: Check,
    relay: Vec<WorkerHealth>,
}

#[derive(Debug, Serialize)]
struct Check {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The tokens of the admin port; `None` if it requires none.
pub type Guard = Option<WatchedFile<AdminTokens>>;

/// The routes of the admin port. Probes need no token: `/livez`, the status of `/readyz` and gRPC health are open.
pub fn router(readiness: Arc<Readiness>, serving: &Serving, metrics: Metrics, guard: Guard) -> Router {
    let metrics = get(metrics_text).with_state(Arc::new(metrics));
    let guarded = metrics.layer(middleware::from_fn_with_state(guard.clone(), require_token));
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz).with_state((readiness, guard)))
        .route_service(
            &format!("/{}/{{*method}}", HealthServer::<HealthService>::NAME),
            serving.service().map_request(|request: Request| request.map(tonic::body::Body::new)),
        )
        .route("/metrics", guarded)
}

async fn require_token(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if may_see(&guard, request.headers()) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"cmgate admin\"")];
    let message = "metrics require a token of admin_token_file: send the header Authorization: Bearer TOKEN\n";
    (StatusCode::UNAUTHORIZED, challenge, message).into_response()
}

/// Whether a call may see metrics and details.
fn may_see(guard: &Guard, headers: &HeaderMap) -> bool {
    guard.as_ref().is_none_or(|tokens| tokens.current().content.admit(headers))
}

async fn readyz(State((readiness, guard)): State<(Arc<Readiness>, Guard)>, headers: HeaderMap) -> Response {
    let database = readiness.database().await;
    let accepting = if readiness.leaving.is_cancelled() { Check::failed("the process is stopping") } else { Check::OK };
    let ready = database.ok && accepting.ok;
    let checks = may_see(&guard, &headers).then(|| Checks { database, accepting, relay: (readiness.relay)() });
    let report = Report { ready, checks };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(report)).into_response()
}

async fn metrics_text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics())
}

impl Readiness {
    async fn database(&self) -> Check {
        match tokio::time::timeout(PING_TIMEOUT, self.store.ping()).await {
            Ok(Ok(())) => Check::OK,
            Ok(Err(error)) => Check::failed(error_chain(&error)),
            Err(_elapsed) => Check::failed(format!("no answer within {PING_TIMEOUT:?}")),
        }
    }
}

impl Check {
    const OK: Self = Self { ok: true, detail: None };

    fn failed(detail: impl Into<String>) -> Self {
        Self { ok: false, detail: Some(detail.into()) }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("leaving", &self.leaving).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
