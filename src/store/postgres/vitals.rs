//! What monitoring shows about a Postgres database.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::group_lock::LOCK_CLASS;
use super::pool::ConnectionPool;
use super::{Postgres, StoreError};
use crate::domain::Timestamp;
use crate::runtime::server_time::ServerTime;
use crate::store::{PoolUse, Topology, Vitals};

/// Resolution of the server's clock.
const RESOLUTION: Duration = Duration::from_micros(1);

/// The use of each pool.
pub(super) fn pools(store: &Postgres) -> Vec<PoolUse> {
    let Postgres { write_pool, read_pool, list_pool, import_pool, upkeep_pool, relay_pool, .. } = store;
    [write_pool, read_pool, list_pool, import_pool, upkeep_pool, relay_pool].map(|pool| pool.usage()).to_vec()
}

/// See [`crate::store::Store::vitals`].
pub(super) async fn read(pool: &ConnectionPool, topology: Topology) -> Result<Vitals, StoreError> {
    // A lock with two keys has the object sub-id 2.
    let sql = "SELECT count(DISTINCT objid), clock_timestamp() FROM pg_catalog.pg_locks
               WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objsubid = 2 AND granted
                 AND objid < $2::bigint::oid
                 AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())";
    let asked = Instant::now();
    let query = sqlx::query_as(sql).bind(i64::from(LOCK_CLASS)).bind(i64::from(topology.partition_groups));
    let mut connection = pool.acquire().await?;
    let found: Result<(i64, DateTime<Utc>), _> = query.fetch_one(&mut *connection).await;
    let (owned, time) = connection.finish(found.map_err(StoreError::from))?;
    let clock = Timestamp::from_micros(time.timestamp_micros()).map(|time| ServerTime::read(time, RESOLUTION, asked));
    let owned = u16::try_from(owned).unwrap_or(u16::MAX);
    Ok(Vitals { groups_without_owner: topology.partition_groups.saturating_sub(owned), clock, files: Vec::new() })
}

/// The estimate of the last vacuum or analyze. A count would read the whole table.
pub(super) async fn idempotency_keys(pool: &ConnectionPool) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = to_regclass('idempotency_key')";
    let mut connection = pool.acquire().await?;
    let found = sqlx::query_scalar(sql).fetch_optional(&mut *connection).await;
    let estimate: Option<i64> = connection.finish(found.map_err(StoreError::from))?;
    // -1 before the first one.
    Ok(estimate.and_then(|rows| u64::try_from(rows).ok()))
}
