//! Connections for batches of commands and of reads. One is kept only while nothing has gone wrong on it, and giving it back costs
//! nothing; a pool would ask the server each time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::store::StoreError;

/// Longest wait for a connection, new or from a pool.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle for longer is tried before it is used, since the server may have gone in the meantime.
pub(super) const TRUSTED_IDLE: Duration = Duration::from_millis(500);

/// Connections that wait for a batch. There are as many as batches were ever under way at once.
#[derive(Debug)]
pub(super) struct Lines {
    options: PgConnectOptions,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    since: Instant,
}

impl Lines {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, idle: Mutex::default() }
    }

    /// A connection that works, as far as is known.
    pub(super) async fn take(&self) -> Result<PgConnection, StoreError> {
        while let Some(Idle { mut connection, since }) = self.pop() {
            if since.elapsed() < TRUSTED_IDLE || connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, self.options.connect()).await;
        Ok(connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// Keeps a connection on which all is done. One that met an error is dropped instead, which ends its transaction.
    pub(super) fn give_back(&self, connection: PgConnection) {
        self.lock().push(Idle { connection, since: Instant::now() });
    }

    /// Ends all that wait.
    pub(super) async fn close(&self) {
        while let Some(Idle { connection, .. }) = self.pop() {
            // The server notices the end of a connection without being told, too.
            let _ = connection.close().await;
        }
    }

    fn pop(&self) -> Option<Idle> {
        self.lock().pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // The list is whole between any two statements.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
