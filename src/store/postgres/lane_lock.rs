//! The right to run a relay lane: a session advisory lock on a connection of its own.
//!
//! A process that is killed loses its connection, and the server frees the lock at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::lines::connect;
use crate::store::{LaneLock, StoreError};

/// First half of the key of every lane's lock ("cmga"); the lane is the other half.
const LOCK_CLASS: i32 = 0x636d_6761;

/// How often the connection is tried; a lost one has lost the lock.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// The server ends the connection of a process that has stopped probing, and so frees its lock.
const IDLE_SESSION: (&str, &str) = ("idle_session_timeout", "3s");

/// Connections of lanes that another process has, kept for the next try.
pub(super) type Candidates = Mutex<HashMap<u16, PgConnection>>;

struct AdvisoryLock {
    is_held: Arc<AtomicBool>,
    keeper: JoinHandle<()>,
}

/// See [`crate::store::Store::lock_lane`].
pub(super) async fn take(
    options: &PgConnectOptions,
    candidates: &Candidates,
    lane: u16,
) -> Result<Option<Box<dyn LaneLock>>, StoreError> {
    // The guard is gone before anything is waited for; no other lane takes this lane's connection.
    let candidate = candidates.lock().await.remove(&lane);
    let mut connection = match candidate {
        Some(connection) => connection,
        None => connect(&options.clone().options([IDLE_SESSION])).await?,
    };
    let is_taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(i32::from(lane))
        .fetch_one(&mut connection)
        .await?;
    if !is_taken {
        candidates.lock().await.insert(lane, connection);
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

impl LaneLock for AdvisoryLock {
    fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }
}

impl Drop for AdvisoryLock {
    /// Ends the task, which drops the connection, which frees the lock.
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
