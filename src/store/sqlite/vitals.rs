//! What monitoring shows about a SQLite database.

use std::fs;
use std::path::Path;

use sqlx::SqlitePool;

use super::inspect::wal;
use super::{Sqlite, StoreError, group_lock};
use crate::store::{PoolUse, Topology, Vitals};

/// The use of the readers and of the write connection.
pub(super) fn pools(store: &Sqlite) -> Vec<PoolUse> {
    let (size, idle) = (usize::try_from(store.readers.size()).unwrap_or(usize::MAX), store.readers.num_idle());
    let limit = usize::try_from(store.readers.options().get_max_connections()).ok();
    vec![PoolUse { name: "read", in_use: size.saturating_sub(idle), idle, limit }, store.writer.usage()]
}

/// See [`crate::store::Store::vitals`].
pub(super) fn read(path: &Path, topology: Topology) -> Result<Vitals, StoreError> {
    let mut groups_without_owner = 0;
    for group in 0..topology.partition_groups {
        groups_without_owner += u16::from(!group_lock::is_held(path, group)?);
    }
    let size = |path: &Path| fs::metadata(path).ok().map(|file| file.len());
    let files = [("database", size(path)), ("wal", size(&wal(path)))];
    let files = files.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))).collect();
    Ok(Vitals { groups_without_owner, clock: None, files })
}

/// Counts the keys in an index that holds little else.
pub(super) async fn idempotency_keys(readers: &SqlitePool) -> Result<Option<u64>, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_key").fetch_one(readers).await?;
    Ok(u64::try_from(count).ok())
}
