//! The single write connection. It is replaced after any failure: on a full disk SQLite rolls back by itself, so the driver's
//! ROLLBACK fails, and the driver then treats the connection as being in a transaction forever.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use crate::runtime::telemetry::names;
use crate::store::{PoolUse, StoreError};

/// Maximum wait for the other writers of this process.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Its name in metrics.
const NAME: &str = "write";

/// The write connection, or the options to open one.
#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
struct Slot {
    connection: Option<SqliteConnection>,
    is_closed: bool,
}

/// The write connection in use. Dropping it without `release` closes it, which ends its transaction.
pub(super) struct WriteConnection<'w> {
    connection: SqliteConnection,
    slot: MutexGuard<'w, Slot>,
}

impl Writer {
    /// A writer with a connection that was opened with these options.
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        metrics::counter!(names::DATABASE_ACQUIRE_TIMEOUTS, "pool" => NAME).increment(0);
        Self { options, slot: Mutex::new(Slot { connection: Some(connection), is_closed: false }) }
    }

    /// The use of the connection.
    pub(super) fn usage(&self) -> PoolUse {
        let (in_use, idle) = match self.slot.try_lock() {
            Ok(slot) => (0, usize::from(slot.connection.is_some())),
            Err(_in_use) => (1, 0),
        };
        PoolUse { name: NAME, in_use, idle, limit: Some(1) }
    }

    /// Acquires the connection, after the other writers of this process.
    pub(super) async fn acquire(&self) -> Result<WriteConnection<'_>, StoreError> {
        let slot = tokio::time::timeout(ACQUIRE_TIMEOUT, self.slot.lock()).await;
        let mut slot = slot.map_err(|_| timed_out())?;
        if slot.is_closed {
            return Err(sqlx::Error::PoolClosed.into());
        }
        let connection = match slot.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(WriteConnection { connection, slot })
    }

    /// Closes the connection for good.
    pub(super) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        slot.is_closed = true;
        if let Some(connection) = slot.connection.take() {
            // A connection that cannot be closed in order is dropped.
            let _ = connection.close().await;
        }
    }
}

impl WriteConnection<'_> {
    /// Begins a transaction that holds the lock of the whole file.
    pub(super) async fn begin_immediate(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        Ok(self.connection.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Returns a clean connection for the next writer.
    pub(super) fn release(self) {
        let Self { connection, mut slot } = self;
        slot.connection = Some(connection);
    }

    /// Ends the use of the connection with the result of its COMMIT.
    ///
    /// # Errors
    /// The cause if the transaction did not take effect; [`StoreError::OutcomeUnknown`] if it may have.
    pub(super) async fn end(mut self, committed: Result<(), sqlx::Error>) -> Result<(), StoreError> {
        let Err(error) = committed else {
            self.release();
            return Ok(());
        };
        // BEGIN is refused within a transaction, so it shows whether the failed one is over.
        let is_over = self.connection.execute("BEGIN").await.is_ok();
        Err(if is_over && wrote_no_commit_record(&error) { error.into() } else { StoreError::OutcomeUnknown(error) })
    }
}

fn timed_out() -> sqlx::Error {
    metrics::counter!(names::DATABASE_ACQUIRE_TIMEOUTS, "pool" => NAME).increment(1);
    sqlx::Error::PoolTimedOut
}

/// Whether a COMMIT that failed with this error wrote no complete commit record: 5 (busy) comes before the first write, 13 (full)
/// before the last. After an I/O error (10), such as a failed sync, the record may be in the file and count after a crash.
fn wrote_no_commit_record(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 13))
}

impl Deref for WriteConnection<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for WriteConnection<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{Medium, ProfileTemplate, ShardCount, SmartcardConfiguration, TemplateId, Timestamp};
    use crate::store::{OlderTemplate, Sqlite as Store, SqliteSettings, Store as _, Topology};

    /// A template that needs more pages than a new database has.
    fn large_template() -> ProfileTemplate {
        ProfileTemplate {
            id: TemplateId::new(uuid::Uuid::from_u128(1)),
            name: "large".to_owned(),
            description: "x".repeat(100_000),
            medium: Medium::Smartcard,
            policies: BTreeMap::new(),
            smartcard: SmartcardConfiguration::default(),
        }
    }

    /// Stops the current connection from growing the file. The limit ends with the connection.
    async fn fill(store: &Store) {
        let mut writer = store.writer.acquire().await.unwrap();
        sqlx::query("PRAGMA max_page_count = 1").execute(&mut *writer).await.unwrap();
        writer.release();
    }

    async fn open(directory: &tempfile::TempDir) -> Store {
        let topology = Topology { shards: ShardCount::new(1).unwrap(), partition_groups: 1 };
        Store::open(&SqliteSettings { path: directory.path().join("cmgate.db"), topology }).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_on_which_a_transaction_failed_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (store, template) = (open(&directory).await, large_template());
        let now = Timestamp::from_micros(0).unwrap();
        fill(&store).await;
        let full = store.put_template(&template, OlderTemplate::Keep, now).await.unwrap_err();
        assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
        assert_eq!(store.put_template(&template, OlderTemplate::Keep, now).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn the_outcome_of_a_failed_commit_is_what_it_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        for (code, is_over, is_known) in [(13, true, true), (13, false, false), (10, true, false), (5, true, true)] {
            let mut writer = store.writer.acquire().await.unwrap();
            if !is_over {
                writer.connection.execute("BEGIN").await.unwrap();
            }
            let error = sqlx::Error::Database(Box::new(Failed(code)));
            let returned = writer.end(Err(error)).await.unwrap_err();
            assert_eq!(!matches!(returned, StoreError::OutcomeUnknown(_)), is_known, "{code}: {returned:?}");
        }
    }

    /// A SQLite error with this code.
    #[derive(Debug)]
    struct Failed(u32);

    impl std::fmt::Display for Failed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "error {}", self.0)
        }
    }

    impl std::error::Error for Failed {}

    impl DatabaseError for Failed {
        fn message(&self) -> &'static str {
            "failed"
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }
}
