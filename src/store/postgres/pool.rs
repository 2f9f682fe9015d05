//! A connection pool that keeps only clean connections: one that failed or was abandoned is closed, which ends its transaction;
//! one on which the server merely refused a statement is kept.
//!
//! sqlx's own pool pings each returned connection without a timeout, so a peer that vanishes silently leaks a permit
//! (sqlx issue 4349). This pool frees the permit on drop, and pings before use, with a timeout.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgQueryResult, PgRow, PgSeverity};
use sqlx::{ConnectOptions, Connection, Execute, Executor, PgConnection, Postgres, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::runtime::telemetry::names;
use crate::store::{PoolUse, StoreError};

/// Maximum wait for a permit, and for a new connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle for longer is pinged before use, because the server may be gone.
const TRUSTED_IDLE: Duration = Duration::from_millis(500);

/// Maximum wait for the answer to a ping, and for a connection to close.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// A pool of connections with the same options.
#[derive(Debug)]
pub(super) struct ConnectionPool {
    /// What its connections are for, in metrics.
    name: &'static str,
    options: PgConnectOptions,
    limit: Option<usize>,
    permits: Semaphore,
    /// Idle connections, in the order of their release.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection in use. Dropping it without [`PooledConnection::release`] closes it, which ends its transaction.
pub(super) struct PooledConnection<'p> {
    connection: PgConnection,
    pool: &'p ConnectionPool,
    _permit: SemaphorePermit<'p>,
}

impl ConnectionPool {
    /// A pool of at most `limit` connections, opened on demand. `name` says what they are for.
    pub(super) fn at_most(limit: u32, name: &'static str, options: PgConnectOptions) -> Self {
        Self::with_limit(Some(usize::try_from(limit).unwrap_or(usize::MAX)), name, options)
    }

    /// A pool without a limit, for callers that bound their own concurrency.
    pub(super) fn new(name: &'static str, options: PgConnectOptions) -> Self {
        Self::with_limit(None, name, options)
    }

    fn with_limit(limit: Option<usize>, name: &'static str, options: PgConnectOptions) -> Self {
        metrics::counter!(names::DATABASE_ACQUIRE_TIMEOUTS, "pool" => name).increment(0);
        let permits = Semaphore::new(permits(limit));
        Self { name, options, limit, permits, idle: Mutex::default() }
    }

    /// The use of the pool.
    pub(super) fn usage(&self) -> PoolUse {
        let in_use = permits(self.limit).saturating_sub(self.permits.available_permits());
        PoolUse { name: self.name, in_use, idle: self.lock().len(), limit: self.limit }
    }

    /// Acquires a connection; one that was idle for long has answered a ping.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, StoreError> {
        let permit = tokio::time::timeout(ACQUIRE_TIMEOUT, self.permits.acquire()).await;
        let permit = permit.map_err(|_| self.timed_out())?.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(PooledConnection { connection: self.connection().await?, pool: self, _permit: permit })
    }

    /// Fetches all rows of one query.
    pub(super) async fn fetch_all<'q>(&self, query: impl Execute<'q, Postgres> + 'q) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = self.acquire().await?;
        let rows = (&mut *connection).fetch_all(query).await;
        connection.finish(rows.map_err(StoreError::from))
    }

    /// Executes one statement.
    pub(super) async fn execute<'q>(
        &self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, StoreError> {
        let mut connection = self.acquire().await?;
        let done = (&mut *connection).execute(statement).await;
        connection.finish(done.map_err(StoreError::from))
    }

    fn timed_out(&self) -> sqlx::Error {
        metrics::counter!(names::DATABASE_ACQUIRE_TIMEOUTS, "pool" => self.name).increment(1);
        sqlx::Error::PoolTimedOut
    }

    async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        let newest = self.lock().pop();
        if let Some(Idle { mut connection, since }) = newest {
            if since.elapsed() < TRUSTED_IDLE || answers(&mut connection).await {
                return Ok(connection);
            }
            // The others have been idle for longer, so drop them as well.
            self.lock().clear();
        }
        connect(&self.options).await
    }

    /// Closes idle connections and refuses further use.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.lock());
        for Idle { connection, .. } in idle {
            // After a timeout the connection is dropped, which the server notices as well.
            let _ = tokio::time::timeout(PING_TIMEOUT, connection.close()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // Each change of the list is one call, so a panic elsewhere cannot have left it inconsistent.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Permits of a pool with this limit.
fn permits(limit: Option<usize>) -> usize {
    limit.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

/// Opens a connection; fails after [`ACQUIRE_TIMEOUT`] if the server stays silent.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
    connected.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

impl PooledConnection<'_> {
    /// Ends the use of the connection with the outcome of a statement outside a transaction.
    pub(super) fn finish<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.as_ref().err().is_none_or(is_statement_error) {
            self.release();
        }
        outcome
    }

    /// Returns a clean connection to the pool.
    pub(super) fn release(self) {
        if !self.pool.permits.is_closed() {
            self.pool.lock().push(Idle { connection: self.connection, since: Instant::now() });
        }
    }
}

impl Deref for PooledConnection<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for PooledConnection<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Rolls back a transaction in which a statement failed; true if its connection can be reused.
pub(super) async fn roll_back(tx: Transaction<'_, Postgres>, error: &StoreError) -> bool {
    is_statement_error(error) && tx.rollback().await.is_ok()
}

/// The error of a failed COMMIT. The transaction is certainly rolled back only if the server reports an error of the statement;
/// a server that shuts down (57P) or loses the connection (08) may have committed first.
pub(super) fn commit_error(error: sqlx::Error) -> StoreError {
    let is_rolled_back = error_code(&error).is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08"));
    if is_rolled_back { error.into() } else { StoreError::OutcomeUnknown(error) }
}

/// Whether an error concerns the statement alone, so that its connection stays usable: 22 data, 23 constraints, 40 conflicts
/// with other transactions, 55P03 lock timeout.
fn is_statement_error(error: &StoreError) -> bool {
    let (StoreError::Refused(error) | StoreError::Busy(error)) = error else { return false };
    let is_any = |code: &str| ["22", "23", "40", "55P03"].iter().any(|class| code.starts_with(class));
    error_code(error).is_some_and(|code| is_any(&code))
}

/// The SQLSTATE of an error after which the session goes on. FATAL and PANIC can carry the same codes, but leave the outcome
/// uncertain.
fn error_code(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    (error.severity() == PgSeverity::Error).then(|| error.code().to_owned())
}
