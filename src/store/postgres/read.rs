//! Reads of requests, lists and templates.

use std::io;
use std::time::Duration;

use futures::TryStreamExt;

use sqlx::postgres::PgRow;
use sqlx::{Execute, Executor, Postgres as Db, QueryBuilder, Row};
use uuid::Uuid;

use super::pool::{ConnectionPool, PooledConnection};
use crate::domain::{Listing, Page, ProfileTemplate, Query, Request, RequestId, TemplateId};
use crate::store::document::{self, Document, kind_number, status_number};
use crate::store::{GET_BYTES, StoreError};

/// Maximum wait for requests by their ids, which take milliseconds. Callers share a worker of the reader, and a database host
/// that vanishes silently would block it for a quarter of an hour.
const GET_TIMEOUT: Duration = Duration::from_secs(5);

/// See [`crate::store::Store::get`].
pub(super) async fn get(pool: &ConnectionPool, ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
    let wanted: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let sql = "SELECT id, document::text FROM request WHERE id = ANY($1)";
    let connection = pool.acquire().await?;
    let reading = read_page("request", connection, sqlx::query(sql).bind(wanted), ids.len(), GET_BYTES);
    let read = tokio::time::timeout(GET_TIMEOUT, reading).await;
    read.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()).into()))
}

/// Reads up to `limit` documents with at most `max_bytes` together; the first one always fits.
pub(super) async fn read_page<'q, T: Document>(
    table: &'static str,
    mut connection: PooledConnection<'_>,
    query: impl Execute<'q, Db> + 'q,
    limit: usize,
    max_bytes: usize,
) -> Result<Listing<T>, StoreError> {
    let mut rows = (&mut *connection).fetch(query);
    let (mut members, mut bytes, mut has_more) = (Vec::new(), 0, false);
    while let Some(row) = rows.try_next().await? {
        bytes += row.try_get::<&str, _>(1)?.len();
        if members.len() == limit {
            has_more = true;
        } else if bytes > max_bytes && !members.is_empty() {
            // The rest of the result could be far larger than the page, so drop the connection instead of draining it.
            return Ok(Listing { members, has_more: true });
        } else {
            members.push(read_document(table, &row)?);
        }
    }
    drop(rows);
    connection.release();
    Ok(Listing { members, has_more })
}

/// See [`crate::store::Store::find`].
pub(super) async fn find(pool: &ConnectionPool, query: &Query, page: Page) -> Result<Listing<Request>, StoreError> {
    // Read the documents after cutting the page; otherwise the sort would decompress those of the whole list.
    let mut sql =
        QueryBuilder::new("SELECT id, document::text FROM (SELECT id, document, submitted_at FROM request WHERE true");
    any_of(&mut sql, "status", query.statuses.iter().map(|status| status_number(*status)).collect());
    any_of(&mut sql, "type", query.kinds.iter().map(|kind| kind_number(*kind)).collect());
    any_of(&mut sql, "target", query.targets.iter().map(|user| user.uuid()).collect());
    any_of(&mut sql, "originator", query.originators.iter().map(|user| user.uuid()).collect());
    any_of(&mut sql, "template", query.templates.iter().map(|template| template.uuid()).collect());
    if let Some(from) = query.submitted_from {
        sql.push(" AND submitted_at >= ").push_bind(from.utc());
    }
    if let Some(before) = query.submitted_before {
        sql.push(" AND submitted_at < ").push_bind(before.utc());
    }
    if let Some(after) = page.after {
        sql.push(" AND (submitted_at, id) > (").push_bind(after.submitted_at.utc());
        sql.push(", ").push_bind(after.id.uuid()).push(")");
    }
    // One extra row shows whether the list continues.
    sql.push(" ORDER BY submitted_at, id LIMIT ").push_bind(i64::from(page.limit) + 1);
    sql.push(") AS page ORDER BY submitted_at, id");
    read_page("request", pool.acquire().await?, sql.build(), page.limit as usize, page.max_bytes).await
}

/// A filter by one value can use an index in the order of the list; a filter by several cannot before Postgres 17.
pub(super) fn any_of<'q, T>(sql: &mut QueryBuilder<Db>, column: &str, mut values: Vec<T>)
where
    T: sqlx::Encode<'q, Db> + sqlx::Type<Db> + sqlx::postgres::PgHasArrayType + Send + 'q,
{
    if values.len() == 1
        && let Some(value) = values.pop()
    {
        sql.push(format_args!(" AND {column} = ")).push_bind(value);
    } else if !values.is_empty() {
        sql.push(format_args!(" AND {column} = ANY(")).push_bind(values).push(")");
    }
}

/// See [`crate::store::Store::templates`].
pub(super) async fn templates(pool: &ConnectionPool) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
    let sql = "SELECT DISTINCT ON (id) id, document::text, version FROM profile_template ORDER BY id, version DESC";
    let rows = pool.fetch_all(sqlx::query(sql)).await?;
    let read = |row: &PgRow| {
        let (id, version): (Uuid, i32) = (row.try_get(0)?, row.try_get(2)?);
        Ok((TemplateId::new(id), version.cast_unsigned(), read_document("profile_template", row)?))
    };
    rows.iter().map(read).collect()
}

/// Reads the document of a row whose first two columns are its id and its document.
pub(super) fn read_document<T: Document>(table: &'static str, row: &PgRow) -> Result<T, StoreError> {
    let id: Uuid = row.try_get(0)?;
    document::read(table, id, row.try_get(1)?)
}
