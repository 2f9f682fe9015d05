//! The topic to which the log is published.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use super::log;
use super::writer::Writer;
use crate::store::{Checkpoint, StoreError, TopicIdentity};

/// See [`crate::store::Store::topic`].
pub(super) async fn get(executor: impl SqliteExecutor<'_>) -> Result<Option<TopicIdentity>, StoreError> {
    let row = sqlx::query("SELECT topic, cluster, topic_id FROM relay_topic").fetch_optional(executor).await?;
    row.as_ref().map(identity).transpose()
}

/// See [`crate::store::Store::bind_topic`].
pub(super) async fn bind(writer: &Writer, topic: &TopicIdentity) -> Result<TopicIdentity, StoreError> {
    let sql = "INSERT INTO relay_topic (only_row, topic, cluster, topic_id) VALUES (1, ?, ?, ?)
               ON CONFLICT (only_row) DO UPDATE
               SET cluster = iif(topic = excluded.topic, coalesce(cluster, excluded.cluster), cluster),
                   topic_id = iif(topic = excluded.topic, coalesce(topic_id, excluded.topic_id), topic_id)
               RETURNING topic, cluster, topic_id";
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    let row = sqlx::query(sql).bind(&topic.topic).bind(&topic.cluster).bind(topic.topic_id).fetch_one(&mut *tx).await?;
    let bound = identity(&row)?;
    let committed = tx.commit().await;
    writer.end(committed).await?;
    Ok(bound)
}

/// See [`crate::store::Store::rebind_topic`].
pub(super) async fn rebind(
    writer: &Writer,
    topic: &TopicIdentity,
    checkpoints: &[Checkpoint],
) -> Result<bool, StoreError> {
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    if log::put(&mut tx, checkpoints).await? < checkpoints.len() {
        tx.rollback().await?;
        writer.release();
        return Ok(false);
    }
    let sql = "INSERT INTO relay_topic (only_row, topic, cluster, topic_id) VALUES (1, ?, ?, ?)
               ON CONFLICT (only_row) DO UPDATE
               SET topic = excluded.topic, cluster = excluded.cluster, topic_id = excluded.topic_id";
    sqlx::query(sql).bind(&topic.topic).bind(&topic.cluster).bind(topic.topic_id).execute(&mut *tx).await?;
    let committed = tx.commit().await;
    writer.end(committed).await?;
    Ok(true)
}

fn identity(row: &SqliteRow) -> Result<TopicIdentity, StoreError> {
    Ok(TopicIdentity { topic: row.try_get(0)?, cluster: row.try_get(1)?, topic_id: row.try_get(2)? })
}
