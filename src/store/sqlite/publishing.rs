//! How the log is published, and the producers that publish it.

use sqlx::{Row, SqliteExecutor, SqlitePool};

use super::writer::Writer;
use crate::store::{Publishing, StoreError, TopicIdentity};

/// See [`crate::store::Store::publishing`].
pub(super) async fn get(executor: impl SqliteExecutor<'_>) -> Result<Option<Publishing>, StoreError> {
    let row = sqlx::query("SELECT mode FROM relay_publishing").fetch_optional(executor).await?;
    row.map(|row| Publishing::read(row.try_get(0)?)).transpose()
}

/// See [`crate::store::Store::bind_publishing`].
pub(super) async fn bind(writer: &Writer, publishing: Publishing) -> Result<Publishing, StoreError> {
    let sql = "INSERT INTO relay_publishing (only_row, mode) VALUES (1, ?)
               ON CONFLICT (only_row) DO UPDATE SET mode = mode RETURNING mode";
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    let row = sqlx::query(sql).bind(publishing.name()).fetch_one(&mut *tx).await?;
    let bound = Publishing::read(row.try_get(0)?)?;
    let committed = tx.commit().await;
    writer.end(committed).await?;
    Ok(bound)
}

/// See [`crate::store::Store::producer_id`].
pub(super) async fn producer_id(
    pool: &SqlitePool,
    group: u16,
    topic: &TopicIdentity,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT producer_id FROM relay_producer
               WHERE partition_group = ? AND topic = ? AND coalesce(cluster = ?, true)";
    let row = sqlx::query(sql).bind(group).bind(&topic.topic).bind(&topic.cluster).fetch_optional(pool).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// See [`crate::store::Store::put_producer_id`].
pub(super) async fn put_producer_id(
    writer: &Writer,
    group: u16,
    topic: &TopicIdentity,
    id: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO relay_producer (partition_group, topic, cluster, producer_id) VALUES (?, ?, ?, ?)
               ON CONFLICT (partition_group, topic) DO UPDATE
               SET cluster = excluded.cluster, producer_id = excluded.producer_id";
    let mut writer = writer.acquire().await?;
    let mut tx = writer.begin_immediate().await?;
    sqlx::query(sql).bind(group).bind(&topic.topic).bind(&topic.cluster).bind(id).execute(&mut *tx).await?;
    let committed = tx.commit().await;
    writer.end(committed).await
}
