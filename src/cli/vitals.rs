//! The metrics of the build, of the database and of its connections.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio::time::MissedTickBehavior;

use super::settings::StoreSettings;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::names;
use crate::store::{Store, Vitals};

/// Interval of checks of the database.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long the database may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Stands for a value that is not known: such a gauge is not rendered.
const UNKNOWN: f64 = f64::NAN;

/// Records what this process is.
pub(super) fn record_build(store: &StoreSettings) {
    let (version, revision) = (env!("CARGO_PKG_VERSION"), option_env!("CMGATE_REVISION").unwrap_or("unknown"));
    gauge!(names::BUILD_INFO, "version" => version, "revision" => revision, "store" => store.kind()).set(1.0);
}

/// Records the use of the pools of connections.
pub(super) fn record_pools(store: &dyn Store) {
    for pool in store.pools() {
        gauge!(names::DATABASE_CONNECTIONS_IN_USE, "pool" => pool.name).set(pool.in_use as f64);
        gauge!(names::DATABASE_CONNECTIONS_IDLE, "pool" => pool.name).set(pool.idle as f64);
        if let Some(limit) = pool.limit {
            gauge!(names::DATABASE_CONNECTIONS_LIMIT, "pool" => pool.name).set(limit as f64);
        }
    }
}

/// Checks the database forever, and records the result.
pub(super) async fn watch(store: Arc<dyn Store>, clock: Clock) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let is_up = matches!(tokio::time::timeout(TIMEOUT, store.ping()).await, Ok(Ok(())));
        gauge!(names::DATABASE_UP).set(f64::from(u8::from(is_up)));
        let vitals = tokio::time::timeout(TIMEOUT, store.vitals()).await;
        record(vitals.ok().and_then(Result::ok).as_ref(), &clock);
    }
}

/// Records readings of the database; without any, their metrics become absent.
fn record(vitals: Option<&Vitals>, clock: &Clock) {
    let without_owner = vitals.map_or(UNKNOWN, |vitals| f64::from(vitals.groups_without_owner));
    gauge!(names::RELAY_GROUPS_WITHOUT_OWNER).set(without_owner);
    let ahead = vitals.and_then(|vitals| vitals.clock).map_or(UNKNOWN, |server| server.ahead_of(clock) as f64 / 1e6);
    gauge!(names::DATABASE_CLOCK_AHEAD).set(ahead);
    for (file, bytes) in vitals.iter().flat_map(|vitals| &vitals.files) {
        gauge!(names::SQLITE_BYTES, "file" => *file).set(*bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::runtime::server_time::ServerTime;

    /// The lines of a metric after these readings.
    fn rendered(readings: &[Option<Vitals>], metric: &str) -> Vec<String> {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for vitals in readings {
                record(vitals.as_ref(), &Clock::System);
            }
        });
        let text = recorder.handle().render();
        text.lines().filter(|line| line.starts_with(metric)).map(str::to_owned).collect()
    }

    #[test]
    fn readings_are_recorded_and_unknown_once_the_database_is_away() {
        let ahead = ServerTime::read(Clock::System.now(), Duration::ZERO, Instant::now());
        let vitals = Vitals { groups_without_owner: 2, clock: Some(ahead), files: vec![("wal", 4_096)] };
        let known = [Some(vitals)];
        assert_eq!(rendered(&known, names::RELAY_GROUPS_WITHOUT_OWNER), ["cmgate_relay_groups_without_owner 2"]);
        assert_eq!(rendered(&known, names::SQLITE_BYTES), ["cmgate_sqlite_bytes{file=\"wal\"} 4096"]);
        let [clock] = &rendered(&known, names::DATABASE_CLOCK_AHEAD)[..] else { panic!("no sample of the clock") };
        let ahead: f64 = clock.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(ahead.abs() < 60.0, "{ahead}");

        let [known] = known;
        let away = [known, None];
        for metric in [names::RELAY_GROUPS_WITHOUT_OWNER, names::DATABASE_CLOCK_AHEAD] {
            assert_eq!(rendered(&away, metric), [format!("{metric} NaN")]);
        }
    }
}
