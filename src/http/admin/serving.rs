//! Keeps the gRPC health service in line with readiness.

use std::sync::Arc;
use std::time::Duration;

use super::{Check, Readiness};
use crate::grpc::Serving;

/// Pause between two checks of the database.
const INTERVAL: Duration = Duration::from_millis(400);

/// Switches the health service off while the database is unavailable, and for good once shutdown starts; then it returns.
pub async fn report_readiness(readiness: Arc<Readiness>, serving: Serving) {
    let leaving = readiness.leaving.clone();
    let mut was_ready = true;
    while let Some(Check { ok, detail }) = leaving.run_until_cancelled(readiness.database()).await {
        if ok != was_ready {
            log_change(detail.as_deref());
        }
        was_ready = ok;
        serving.set(ok);
        if leaving.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            break;
        }
    }
    serving.set(false);
}

fn log_change(problem: Option<&str>) {
    if let Some(problem) = problem {
        tracing::warn!(problem, "not ready: the database is unavailable");
    } else {
        tracing::info!("ready: the database is available again");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::http::tests::support::{NoStore, Pings};

    /// The longest time until a loss of the database is reported.
    const PROMISE: Duration = Duration::from_secs(2);

    /// Watches the server and its liveness, switches the database, and returns the statuses of both that follow.
    async fn statuses_after(pings: Pings) -> (Vec<ServingStatus>, Vec<ServingStatus>) {
        let (store, leaving) = (Arc::new(NoStore::default()), CancellationToken::new());
        let readiness = Readiness { store: store.clone(), leaving: leaving.clone(), relay: Box::new(Vec::new) };
        let serving = Serving::default();
        let reporting = tokio::spawn(report_readiness(Arc::new(readiness), serving.clone()));
        let mut client = HealthClient::new(serving.service());
        let mut watch = async |service: &str| {
            let request = HealthCheckRequest { service: service.to_owned() };
            client.watch(request).await.unwrap().into_inner()
        };
        let (mut server, mut liveness) = (watch("").await, watch("liveness").await);
        let mut seen = (Vec::new(), Vec::new());
        seen.0.push(server.message().await.unwrap().unwrap().status());
        tokio::time::sleep(10 * INTERVAL).await;

        store.set(pings);
        let lost = Instant::now();
        seen.0.push(server.message().await.unwrap().unwrap().status());
        assert!(lost.elapsed() <= PROMISE, "reported after {:?}", lost.elapsed());
        store.set(Pings::Answered);
        seen.0.push(server.message().await.unwrap().unwrap().status());

        leaving.cancel();
        reporting.await.unwrap();
        seen.0.push(server.message().await.unwrap().unwrap().status());
        // Nothing turns it on again, and the streams end with the server.
        serving.end();
        serving.set(true);
        assert_eq!(server.message().await.unwrap(), None);
        while let Some(answer) = liveness.message().await.unwrap() {
            seen.1.push(answer.status());
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn health_follows_the_database_and_the_shutdown_and_liveness_does_not() {
        use ServingStatus::{NotServing, Serving};
        for pings in [Pings::Refused, Pings::Silent] {
            let (server, liveness) = statuses_after(pings).await;
            assert_eq!(server, [Serving, NotServing, Serving, NotServing], "{pings:?}");
            assert_eq!(liveness, [Serving], "{pings:?}");
        }
    }
}
