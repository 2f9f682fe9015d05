//! The coalescing writer over a real database: a command that the database refuses does not affect the rest of its batch, and no
//! command is lost while the number of workers changes.

use std::sync::Arc;
use std::time::Duration;

use cmgate::cli::Settings;
use cmgate::domain::{Command, RequestId, Status};
use cmgate::feed::Feed;
use cmgate::service::{Error, Reservation, Writer, WriterSettings};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::store::whole_log;
use crate::support::commands::{TARGET, approve, approver, cancel, command, comment, creation, large_request, request};
use crate::support::database::TestDatabase;
use crate::support::wait::wait_until;

/// The comment that the database of this test does not take.
const POISON: &str = "poison";

/// Commands of one batch, each of another request.
const MEMBERS: usize = 20;

/// Concurrent callers, enough to scale up.
const CONCURRENT: usize = 1_000;
/// Sequential calls, enough to scale down to one worker.
const SEQUENTIAL: usize = 200;
/// Commands that show how many workers are used.
const PROBES: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_database_refuses_leaves_its_batch_intact() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    let refuse = format!("ALTER TABLE request ADD CHECK (document ->> 'comment' <> '{POISON}')");
    database.execute(&refuse).await;
    let feed = Arc::new(Feed::new(store.topology().shards));
    let settings = Settings::default().writer;
    let writer = Writer::start(&store, &feed, settings, &TaskTracker::new());

    // While the first command waits for the table, the others gather behind it.
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let mut held = hold_requests(&mut stranger).await;
    let mut answers = JoinSet::new();
    submit(&mut answers, &writer, creation(request(0)));
    wait_until("the first batch waits for the table", async || waiting(&mut held).await > 0).await;
    let mut poison = request(0);
    poison.comment = comment(POISON);
    let poisoned = poison.id;
    for member in 0..MEMBERS {
        let new = if member == MEMBERS / 2 { poison.clone() } else { request(0) };
        submit(&mut answers, &writer, creation(new));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    held.rollback().await.unwrap();

    let mut created = Vec::new();
    while let Some(answer) = answers.join_next().await {
        match answer.unwrap() {
            (id, Ok(answered)) => {
                assert_eq!(answered, id, "each hears of its own request");
                created.push(id);
            }
            (id, Err(error)) => {
                assert_eq!(id, poisoned, "a neighbour fails: {error}");
                assert!(matches!(error, Error::Internal(_)), "{error:?}");
            }
        }
    }
    assert_eq!(created.len(), MEMBERS);
    assert_eq!(store.get(&created).await.unwrap().members.len(), MEMBERS);
    assert!(store.get(&[poisoned]).await.unwrap().members.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_uses_more_workers_under_load_and_fewer_afterwards() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    let feed = Arc::new(Feed::new(store.topology().shards));
    let writer =
        Writer::start(&store, &feed, WriterSettings { workers: 4, ..Settings::default().writer }, &TaskTracker::new());
    assert_eq!(transactions_at_once(&database, &writer).await, 1);

    // The number of workers changes between the calls of a caller.
    let callers: JoinSet<()> = (0..CONCURRENT).map(|_| live(writer.clone())).collect();
    callers.join_all().await;
    assert!(transactions_at_once(&database, &writer).await > 1, "one worker under load");
    for _ in 0..SEQUENTIAL {
        live(writer.clone()).await;
    }
    assert_eq!(transactions_at_once(&database, &writer).await, 1);

    assert_eq!(whole_log(&*store).await.len(), 2 * (CONCURRENT + SEQUENTIAL) + 3 * PROBES);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_on_large_requests_are_all_carried_out() {
    let database = TestDatabase::postgres().await;
    let store = database.open().await;
    let feed = Arc::new(Feed::new(store.topology().shards));
    let settings = Settings::default().writer;
    let writer = Writer::start(&store, &feed, settings, &TaskTracker::new());
    let mut ids = Vec::new();
    for text in ['a', '\u{1}', 'a', 'a', 'a', 'a', 'a', 'a'] {
        let written = writer.submit(creation(large_request(text)), None, Reservation::default()).await.unwrap();
        let created = written.request;
        ids.push(created.id);
    }
    let mut answers = JoinSet::new();
    for id in &ids {
        submit(&mut answers, &writer, command(TARGET, *id, cancel()));
    }
    for (id, answered) in answers.join_all().await {
        assert_eq!(answered.unwrap(), id);
    }
    let log_ends = store.log_ends().await.unwrap();
    assert_eq!(
        log_ends.iter().map(|log_end| log_end.get()).sum::<u64>(),
        2 * ids.len() as u64,
        "each step was taken once"
    );
}

/// Creates a request and approves it.
async fn live(writer: Writer) {
    let created = writer.submit(creation(request(1)), None, Reservation::default()).await.unwrap().request;
    let approve = command(approver(1), created.id, approve());
    let approved = writer.submit(approve, None, Reservation::default()).await.unwrap().request;
    assert_eq!((approved.id, approved.status()), (created.id, Status::Approved));
}

/// How many transactions a writer begins for a few commands at once.
async fn transactions_at_once(database: &TestDatabase, writer: &Writer) -> i64 {
    let mut stranger = PgConnection::connect(database.url()).await.unwrap();
    let mut held = hold_requests(&mut stranger).await;
    let mut answers = JoinSet::new();
    for _ in 0..PROBES {
        submit(&mut answers, writer, creation(request(0)));
    }
    wait_until("a batch waits for the table", async || waiting(&mut held).await > 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let transactions = waiting(&mut held).await;
    held.rollback().await.unwrap();
    for (_, answered) in answers.join_all().await {
        answered.unwrap();
    }
    transactions
}

/// Locks the table of requests, so that every write waits.
async fn hold_requests(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut held = connection.begin().await.unwrap();
    sqlx::query("LOCK TABLE request IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    held
}

/// How many wait for the table of requests.
async fn waiting(held: &mut Transaction<'_, Postgres>) -> i64 {
    let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'request'::regclass AND NOT granted";
    sqlx::query_scalar(waits).fetch_one(&mut **held).await.unwrap()
}

fn submit(answers: &mut JoinSet<(RequestId, Result<RequestId, Error>)>, writer: &Writer, command: Command) {
    let writer = writer.clone();
    answers.spawn(async move {
        let id = command.request;
        (id, writer.submit(command, None, Reservation::default()).await.map(|written| written.request.id))
    });
}
