//! Connections to the server. One is kept only while nothing has gone wrong on it: what failed, or was given up, is dropped with
//! whatever was under way. A pool would ask the server each time that one is given back, and a server that was lost without a
//! word would keep the pool waiting for as long as the operating system hopes for an answer.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow};
use sqlx::{ConnectOptions, Connection, Execute, Executor, PgConnection, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::store::StoreError;

/// Longest wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle for longer is tried before it is used, since the server may have gone in the meantime.
const TRUSTED_IDLE: Duration = Duration::from_millis(500);

/// Longest wait for the answer when one is tried.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections of one kind.
#[derive(Debug)]
pub(super) struct Lines {
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
pub(super) struct Line<'l> {
    connection: PgConnection,
    lines: &'l Lines,
    _permit: SemaphorePermit<'l>,
}

impl Lines {
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
    pub(super) async fn take(&self) -> Result<Line<'_>, StoreError> {
        let taking = async {
            let permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
            Ok(Line { connection: self.connection().await?, lines: self, _permit: permit })
        };
        let taken = tokio::time::timeout(ACQUIRE_TIMEOUT, taking).await;
        Ok(taken.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// The rows of one query.
    pub(super) async fn fetch_all<'q>(&self, query: impl Execute<'q, Postgres> + 'q) -> Result<Vec<PgRow>, StoreError> {
        let mut line = self.take().await?;
        let rows = (&mut *line).fetch_all(query).await?;
        line.give_back();
        Ok(rows)
    }

    /// Carries out one statement.
    pub(super) async fn execute<'q>(
        &self,
        statement: impl Execute<'q, Postgres> + 'q,
    ) -> Result<PgQueryResult, StoreError> {
        let mut line = self.take().await?;
        let done = (&mut *line).execute(statement).await?;
        line.give_back();
        Ok(done)
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
        self.options.connect().await
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

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(TRIAL_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

impl Line<'_> {
    /// Keeps the connection for the next one who wants it: all is done on it.
    pub(super) fn give_back(self) {
        if !self.lines.permits.is_closed() {
            self.lines.lock().push(Idle { connection: self.connection, since: Instant::now() });
        }
    }
}

impl Deref for Line<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Line<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
