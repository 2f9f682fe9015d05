//! The state of the schema, and the topology that it was created with.

use sqlx::PgConnection;

use super::StoreError;
use crate::store::inspection::{Applied, SchemaState};
use crate::store::migrations;

/// Compares the schema with the migrations of this program.
pub(super) async fn schema(connection: &mut PgConnection) -> Result<SchemaState, StoreError> {
    let exists = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    if !sqlx::query_scalar(exists).fetch_one(&mut *connection).await? {
        return Ok(SchemaState::Missing);
    }
    let readable = "SELECT has_table_privilege('_sqlx_migrations', 'SELECT')";
    if !sqlx::query_scalar(readable).fetch_one(&mut *connection).await? {
        return Ok(SchemaState::Unreadable);
    }
    let sql = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
    let applied: Vec<Applied> = sqlx::query_as(sql).fetch_all(connection).await?;
    Ok(SchemaState::of(&migrations::POSTGRES, &applied))
}

/// Shards and partition groups; `None` before the first start.
pub(super) async fn stored_topology(connection: &mut PgConnection) -> Result<Option<(i32, i32)>, StoreError> {
    let sql = "SELECT shards, partition_groups FROM topology";
    Ok(sqlx::query_as(sql).fetch_optional(connection).await?)
}
