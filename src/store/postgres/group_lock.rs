//! The lock of a partition group: a session advisory lock on a dedicated connection.
//!
//! When a process is killed its connection closes, and the server releases the lock at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::pool::connect;
use crate::store::{PartitionGroupLock, StoreError};

/// First half of the key of every lock ("cmga"); the number of the group is the second half.
pub(super) const LOCK_CLASS: i32 = 0x636d_6761;

/// Interval between probes of the connection; when the connection is lost, so is the lock.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// The server closes the connection of a process that has stopped probing, which releases its lock.
const IDLE_SESSION: (&str, &str) = ("idle_session_timeout", "3s");

/// Connections that found the lock of their group taken, kept for the next attempt.
pub(super) type Candidates = Mutex<HashMap<u16, PgConnection>>;

struct AdvisoryLock {
    is_held: Arc<AtomicBool>,
    keeper: JoinHandle<()>,
}

/// See [`crate::store::Store::lock_partition_group`].
pub(super) async fn acquire(
    options: &PgConnectOptions,
    candidates: &Candidates,
    group: u16,
) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
    // Release the mutex before any query. Only the worker of this group uses this entry.
    let candidate = candidates.lock().await.remove(&group);
    let mut connection = match candidate {
        Some(connection) => connection,
        None => connect(&options.clone().options([IDLE_SESSION])).await?,
    };
    let is_taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(i32::from(group))
        .fetch_one(&mut connection)
        .await?;
    if !is_taken {
        candidates.lock().await.insert(group, connection);
        return Ok(None);
    }
    let is_held = Arc::new(AtomicBool::new(true));
    let keeper = tokio::spawn(keep(connection, Arc::clone(&is_held)));
    Ok(Some(Box::new(AdvisoryLock { is_held, keeper })))
}

async fn keep(mut connection: PgConnection, is_held: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(PROBE_INTERVAL).await;
        let probe = tokio::time::timeout(PROBE_INTERVAL * 4, connection.ping()).await;
        if !matches!(probe, Ok(Ok(()))) {
            is_held.store(false, Ordering::Release);
            return;
        }
    }
}

impl PartitionGroupLock for AdvisoryLock {
    fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }
}

impl Drop for AdvisoryLock {
    /// Ends the task. That drops the connection, and the server releases the lock.
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
