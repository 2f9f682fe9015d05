//! The topic to which the log is published.

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::log;
use super::pool::ConnectionPool;
use crate::store::{Checkpoint, StoreError, TopicIdentity};

/// See [`crate::store::Store::topic`].
pub(super) async fn get(pool: &ConnectionPool) -> Result<Option<TopicIdentity>, StoreError> {
    let rows = pool.fetch_all(sqlx::query("SELECT topic, cluster, topic_id FROM relay_topic")).await?;
    rows.first().map(identity).transpose()
}

/// The same over one connection.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Option<TopicIdentity>, StoreError> {
    let row = sqlx::query("SELECT topic, cluster, topic_id FROM relay_topic").fetch_optional(connection).await?;
    row.as_ref().map(identity).transpose()
}

/// See [`crate::store::Store::bind_topic`].
pub(super) async fn bind(pool: &ConnectionPool, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
    // Update even if nothing changes, so that the row is locked and returned even if another process inserted it.
    let sql = "INSERT INTO relay_topic AS bound (topic, cluster, topic_id) VALUES ($1, $2, $3)
               ON CONFLICT (only_row) DO UPDATE
               SET cluster = CASE WHEN bound.topic = excluded.topic THEN coalesce(bound.cluster, excluded.cluster)
                                  ELSE bound.cluster END,
                   topic_id = CASE WHEN bound.topic = excluded.topic THEN coalesce(bound.topic_id, excluded.topic_id)
                                   ELSE bound.topic_id END
               RETURNING topic, cluster, topic_id";
    let mut connection = pool.acquire().await?;
    let row = sqlx::query(sql)
        .bind(&topic.topic)
        .bind(&topic.cluster)
        .bind(topic.topic_id)
        .fetch_one(&mut *connection)
        .await?;
    connection.release();
    identity(&row)
}

/// See [`crate::store::Store::rebind_topic`].
pub(super) async fn rebind(
    pool: &ConnectionPool,
    topic: &TopicIdentity,
    checkpoints: &[Checkpoint],
) -> Result<bool, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    if log::put(&mut tx, checkpoints).await? < checkpoints.len() {
        tx.rollback().await?;
        connection.release();
        return Ok(false);
    }
    let sql = "INSERT INTO relay_topic (topic, cluster, topic_id) VALUES ($1, $2, $3)
               ON CONFLICT (only_row) DO UPDATE
               SET topic = excluded.topic, cluster = excluded.cluster, topic_id = excluded.topic_id";
    sqlx::query(sql).bind(&topic.topic).bind(&topic.cluster).bind(topic.topic_id).execute(&mut *tx).await?;
    tx.commit().await?;
    connection.release();
    Ok(true)
}

fn identity(row: &PgRow) -> Result<TopicIdentity, StoreError> {
    Ok(TopicIdentity { topic: row.try_get(0)?, cluster: row.try_get(1)?, topic_id: row.try_get(2)? })
}
