//! How the log is published, and the producers that publish it.

use sqlx::{PgConnection, Row};

use super::pool::ConnectionPool;
use crate::store::{Publishing, StoreError, TopicIdentity};

/// See [`crate::store::Store::publishing`].
pub(super) async fn get(pool: &ConnectionPool) -> Result<Option<Publishing>, StoreError> {
    let rows = pool.fetch_all(sqlx::query("SELECT mode FROM relay_publishing")).await?;
    rows.first().map(|row| Publishing::read(row.try_get(0)?)).transpose()
}

/// The same over one connection.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Option<Publishing>, StoreError> {
    let row = sqlx::query("SELECT mode FROM relay_publishing").fetch_optional(connection).await?;
    row.map(|row| Publishing::read(row.try_get(0)?)).transpose()
}

/// See [`crate::store::Store::bind_publishing`].
pub(super) async fn bind(pool: &ConnectionPool, publishing: Publishing) -> Result<Publishing, StoreError> {
    // Updates to the same value, so that the row is returned even if another process inserted it.
    let sql = "INSERT INTO relay_publishing AS bound (mode) VALUES ($1)
               ON CONFLICT (only_row) DO UPDATE SET mode = bound.mode RETURNING mode";
    let mut connection = pool.acquire().await?;
    let row = sqlx::query(sql).bind(publishing.name()).fetch_one(&mut *connection).await?;
    connection.release();
    Publishing::read(row.try_get(0)?)
}

/// See [`crate::store::Store::producer_id`].
pub(super) async fn producer_id(
    pool: &ConnectionPool,
    group: u16,
    topic: &TopicIdentity,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT producer_id FROM relay_producer
               WHERE partition_group = $1 AND topic = $2 AND coalesce(cluster = $3, true)";
    let query = sqlx::query(sql).bind(group.cast_signed()).bind(&topic.topic).bind(&topic.cluster);
    let rows = pool.fetch_all(query).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// See [`crate::store::Store::put_producer_id`].
pub(super) async fn put_producer_id(
    pool: &ConnectionPool,
    group: u16,
    topic: &TopicIdentity,
    id: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO relay_producer (partition_group, topic, cluster, producer_id) VALUES ($1, $2, $3, $4)
               ON CONFLICT (partition_group, topic) DO UPDATE
               SET cluster = excluded.cluster, producer_id = excluded.producer_id";
    let query = sqlx::query(sql).bind(group.cast_signed()).bind(&topic.topic).bind(&topic.cluster).bind(id);
    pool.execute(query).await?;
    Ok(())
}
