//! The coalescing writer over a real database: who shares a batch with a command that the database refuses comes to no harm.

use std::sync::Arc;
use std::time::Duration;

use cmgate::domain::{Command, RequestId};
use cmgate::feed::Feed;
use cmgate::service::{Error, Writer, WriterSettings};
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::client::wait_until;
use crate::commands::{comment, creation, request};
use crate::store::Place;

/// The comment that the database of this test does not take.
const POISON: &str = "poison";

/// Commands of one batch, each of another request.
const MEMBERS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_the_database_refuses_harms_no_neighbour() {
    let place = Place::postgres().await;
    let store = place.open().await;
    let refuse = format!("ALTER TABLE request ADD CHECK (document ->> 'comment' <> '{POISON}')");
    place.tamper(&refuse).await;
    let feed = Arc::new(Feed::new(store.topology().shards));
    let settings = WriterSettings { lanes: 1, ..WriterSettings::default() };
    let writer = Writer::start(&store, &feed, settings, &TaskTracker::new());

    // While the first command waits for the table, the others gather behind it.
    let mut stranger = PgConnection::connect(&place.url()).await.unwrap();
    let mut held = stranger.begin().await.unwrap();
    sqlx::query("LOCK TABLE request IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let mut answers = JoinSet::new();
    submit(&mut answers, &writer, creation(request(0)));
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'request'::regclass AND NOT granted)";
    wait_until("the first batch waits for the table", async || {
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *held).await.unwrap()
    })
    .await;
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
    assert_eq!(store.get(&created).await.unwrap().len(), MEMBERS);
    assert!(store.get(&[poisoned]).await.unwrap().is_empty());
}

fn submit(answers: &mut JoinSet<(RequestId, Result<RequestId, Error>)>, writer: &Writer, command: Command) {
    let writer = writer.clone();
    answers.spawn(async move {
        let id = command.request;
        (id, writer.submit(command, None).await.map(|request| request.id))
    });
}
