//! Connections to the server. One is kept only while nothing has gone wrong on it: what failed, or was given up, is dropped with
//! whatever was under way, unless the server refused one statement and the rest is clean. A pool would ask the server each time
//! that one is given back, and a server that was lost without a word would keep the pool waiting for as long as the operating
//! system hopes for an answer.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgQueryResult, PgRow, PgSeverity};
use sqlx::{ConnectOptions, Connection, Execute, Executor, PgConnection, Postgres, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::store::StoreError;

/// Longest wait until others are done with a connection, and until a new one is made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle for longer is tried before it is used, since the server may have gone in the meantime.
const TRUSTED_IDLE: Duration = Duration::from_millis(500);

/// Longest wait for the answer when one is tried.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections of one kind.
#[derive(Debug)]
pub(super) struct ConnectionPool {
    options: PgConnectOptions,
    permits: Semaphore,
    /// Those that nobody uses, in the order in which they were given back.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection in use. Unless it is given back it is closed, which ends its transaction.
pub(super) struct PooledConnection<'p> {
    connection: PgConnection,
    pool: &'p ConnectionPool,
    _permit: SemaphorePermit<'p>,
}

impl ConnectionPool {
    /// Connections that are made when they are wanted, at most so many at a time.
    pub(super) fn at_most(limit: u32, options: PgConnectOptions) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { options, permits: Semaphore::new(limit), idle: Mutex::default() }
    }

    /// As many as are used at a time.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self::at_most(u32::MAX, options)
    }

    /// A connection that works, as far as is known.
    pub(super) async fn acquire(&self) -> Result<PooledConnection<'_>, StoreError> {
        let permit = tokio::time::timeout(ACQUIRE_TIMEOUT, self.permits.acquire()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(PooledConnection { connection: self.connection().await?, pool: self, _permit: permit })
    }

    /// The rows of one query.
    pub(super) async fn fetch_all<'q>(&self, query: impl Execute<'q, Postgres> + 'q) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = self.acquire().await?;
        let rows = (&mut *connection).fetch_all(query).await;
        connection.finish(rows.map_err(StoreError::from))
    }

    /// Carries out one statement.
    pub(super) async fn execute<'q>(
        &self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, StoreError> {
        let mut connection = self.acquire().await?;
        let done = (&mut *connection).execute(statement).await;
        connection.finish(done.map_err(StoreError::from))
    }

    async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        let newest = self.lock().pop();
        if let Some(Idle { mut connection, since }) = newest {
            if since.elapsed() < TRUSTED_IDLE || answers(&mut connection).await {
                return Ok(connection);
            }
            // The others have been idle for longer.
            self.lock().clear();
        }
        connect(&self.options).await
    }

    /// Ends all that nobody uses, and gives out no others.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.lock());
        for Idle { connection, .. } in idle {
            // The server notices the end of a connection without being told, too.
            let _ = tokio::time::timeout(TRIAL_TIMEOUT, connection.close()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // The list is whole between any two statements.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a connection, unless the server keeps silent for too long.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
    connected.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(TRIAL_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

impl PooledConnection<'_> {
    /// Ends the use of the connection with what came of a statement outside of a transaction.
    pub(super) fn finish<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.as_ref().err().is_none_or(is_statement_error) {
            self.release();
        }
        outcome
    }

    /// Keeps the connection for the next one who wants it: all is done on it.
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

/// Ends a transaction in which a statement failed; true if its connection can be kept.
pub(super) async fn roll_back(tx: Transaction<'_, Postgres>, error: &StoreError) -> bool {
    is_statement_error(error) && tx.rollback().await.is_ok()
}

/// What a COMMIT, or a statement that commits by itself, leaves behind when it fails: nothing only if the server says so, and says
/// so of the statement. One that goes away, or whose process ends, may have committed first.
pub(super) fn commit_error(error: sqlx::Error) -> StoreError {
    let is_rolled_back = error_code(&error).is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08"));
    if is_rolled_back { error.into() } else { StoreError::OutcomeUnknown(error) }
}

/// Whether an error is about the statement alone, so that its connection works as before: 22 data, 23 constraints, 40 conflicts with
/// other transactions, 55P03 lock timeout.
fn is_statement_error(error: &StoreError) -> bool {
    let (StoreError::Refused(error) | StoreError::Busy(error)) = error else { return false };
    let is_any = |code: &str| ["22", "23", "40", "55P03"].iter().any(|class| code.starts_with(class));
    error_code(error).is_some_and(|code| is_any(&code))
}

/// The SQLSTATE of an error that the server reported without ending the connection: after FATAL and PANIC, which can have the same
/// codes, nothing is certain.
fn error_code(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    (error.severity() == PgSeverity::Error).then(|| error.code().to_owned())
}
