//! Reads of requests, lists and templates.

use futures::TryStreamExt;

use sqlx::sqlite::SqliteRow;
use sqlx::{Execute, Executor, QueryBuilder, Row, Sqlite as Db, SqlitePool};
use uuid::Uuid;

use crate::domain::{Listing, Page, ProfileTemplate, Query, Request, RequestId, TemplateId};
use crate::store::document::{self, Document, kind_number, status_number};
use crate::store::{GET_BYTES, StoreError};

/// See [`crate::store::Store::get`].
pub(super) async fn get(pool: &SqlitePool, ids: &[RequestId]) -> Result<Listing<Request>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document FROM request WHERE true");
    if ids.is_empty() {
        return Ok(Listing { members: Vec::new(), has_more: false });
    }
    any_of(&mut sql, "id", ids.iter().map(|id| id.uuid()));
    read_page("request", pool, sql.build(), ids.len(), GET_BYTES).await
}

/// Reads up to `limit` documents with at most `max_bytes` together; the first one always fits.
pub(super) async fn read_page<'q, T: Document>(
    table: &'static str,
    pool: &SqlitePool,
    query: impl Execute<'q, Db> + 'q,
    limit: usize,
    max_bytes: usize,
) -> Result<Listing<T>, StoreError> {
    let mut rows = pool.fetch(query);
    let (mut members, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        bytes += row.try_get::<&str, _>(1)?.len();
        if members.len() == limit || (bytes > max_bytes && !members.is_empty()) {
            return Ok(Listing { members, has_more: true });
        }
        members.push(read_document(table, &row)?);
    }
    Ok(Listing { members, has_more: false })
}

/// See [`crate::store::Store::find`].
pub(super) async fn find(pool: &SqlitePool, query: &Query, page: Page) -> Result<Listing<Request>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document FROM request WHERE true");
    any_of(&mut sql, "status", query.statuses.iter().map(|status| status_number(*status)));
    any_of(&mut sql, "type", query.kinds.iter().map(|kind| kind_number(*kind)));
    any_of(&mut sql, "target", query.targets.iter().map(|user| user.uuid()));
    any_of(&mut sql, "originator", query.originators.iter().map(|user| user.uuid()));
    any_of(&mut sql, "template", query.templates.iter().map(|template| template.uuid()));
    if let Some(from) = query.submitted_from {
        sql.push(" AND submitted_at >= ").push_bind(from.micros());
    }
    if let Some(before) = query.submitted_before {
        sql.push(" AND submitted_at < ").push_bind(before.micros());
    }
    if let Some(after) = page.after {
        sql.push(" AND (submitted_at, id) > (").push_bind(after.submitted_at.micros());
        sql.push(", ").push_bind(after.id.uuid()).push(")");
    }
    // One extra row shows whether the list continues.
    sql.push(" ORDER BY submitted_at, id LIMIT ").push_bind(i64::from(page.limit) + 1);
    read_page("request", pool, sql.build(), page.limit as usize, page.max_bytes).await
}

pub(super) fn any_of<'q, T>(sql: &mut QueryBuilder<Db>, column: &str, values: impl ExactSizeIterator<Item = T>)
where
    T: sqlx::Encode<'q, Db> + sqlx::Type<Db> + Send + 'q,
{
    if values.len() == 0 {
        return;
    }
    sql.push(format_args!(" AND {column} IN ("));
    let mut list = sql.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    sql.push(")");
}

/// See [`crate::store::Store::templates`].
pub(super) async fn templates(pool: &SqlitePool) -> Result<Vec<(TemplateId, u32, ProfileTemplate)>, StoreError> {
    let sql = "SELECT id, document, version FROM profile_template
               WHERE (id, version) IN (SELECT id, max(version) FROM profile_template GROUP BY id) ORDER BY id";
    let rows = sqlx::query(sql).fetch_all(pool).await?;
    let read = |row: &SqliteRow| {
        let (id, version): (Uuid, u32) = (row.try_get(0)?, row.try_get(2)?);
        Ok((TemplateId::new(id), version, read_document("profile_template", row)?))
    };
    rows.iter().map(read).collect()
}

/// Reads the document of a row whose first two columns are its id and its document.
pub(super) fn read_document<T: Document>(table: &'static str, row: &SqliteRow) -> Result<T, StoreError> {
    let id: Uuid = row.try_get(0)?;
    document::read(table, id, row.try_get(1)?)
}
