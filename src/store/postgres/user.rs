//! Users of the directory: read by their keys and in lists, and changed.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, QueryBuilder, Row};
use uuid::Uuid;

use super::pool::{ConnectionPool, commit_error, roll_back};
use super::read::{any_of, read_document, read_page};
use crate::domain::{
    KnownUser, LearnedUsers, Listing, Refusal, Sid, Upn, User, UserChanges, UserId, UserKeys, UserPage, UserQuery,
};
use crate::store::document::{self, user_status_number};
use crate::store::users::{after_prefix, deleted, entry_of, known_user};
use crate::store::{ChangeUsers, StoreError};

/// Maximum wait for users by their keys, which take milliseconds. Every call waits for its caller.
const GET_TIMEOUT: Duration = Duration::from_secs(5);

const BY_KEYS: &str = "
    SELECT id, document::text FROM directory_user
    WHERE (id = $1 OR sid = $2 OR upn = $3) AND (entry = '' OR entry = $4)";

/// Readers go on; another change waits.
const LOCK: &str = "LOCK TABLE directory_user IN SHARE ROW EXCLUSIVE MODE";

const KNOWN: &str = "
    SELECT id, entry, sid, upn FROM directory_user WHERE id = ANY($1) OR sid = ANY($2) OR upn = ANY($3)";

const DELETE: &str = "
    DELETE FROM directory_user USING unnest($1::uuid[], $2::text[]) AS gone (id, entry)
    WHERE directory_user.id = gone.id AND directory_user.entry = gone.entry";

const INSERT: &str = "
    INSERT INTO directory_user (id, entry, sid, upn, name_key, status, document)
    SELECT id, entry, sid, upn, name_key, status, document::jsonb
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[])
         AS new (id, entry, sid, upn, name_key, status, document)";

/// See [`crate::store::Store::users`].
pub(super) async fn get(pool: &ConnectionPool, keys: &UserKeys, entry: Option<&str>) -> Result<Vec<User>, StoreError> {
    let query = sqlx::query(BY_KEYS)
        .bind(keys.id.map(UserId::uuid))
        .bind(keys.sid.as_ref().map(Sid::as_str))
        .bind(keys.upn.as_ref().map(Upn::as_str))
        .bind(entry);
    let rows = tokio::time::timeout(GET_TIMEOUT, pool.fetch_all(query)).await;
    let rows = rows.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()).into()))?;
    rows.iter().map(|row| read_document("directory_user", row)).collect()
}

/// See [`crate::store::Store::find_users`].
pub(super) async fn find(
    pool: &ConnectionPool,
    query: &UserQuery,
    learned: &LearnedUsers,
    page: &UserPage,
) -> Result<Listing<User>, StoreError> {
    // The documents are read after the page is cut.
    let mut sql = QueryBuilder::new(
        "SELECT id, document::text FROM (SELECT id, document, name_key, entry FROM directory_user WHERE true",
    );
    match learned {
        LearnedUsers::None => {
            sql.push(" AND entry = ''");
        }
        LearnedUsers::Of(entry) => {
            sql.push(" AND (entry = '' OR entry = ").push_bind(entry.to_string()).push(")");
        }
        LearnedUsers::All => {}
    }
    if !query.name_prefix.is_empty() {
        sql.push(" AND name_key >= ").push_bind(&query.name_prefix);
        if let Some(end) = after_prefix(&query.name_prefix) {
            sql.push(" AND name_key < ").push_bind(end);
        }
    }
    any_of(&mut sql, "status", query.statuses.iter().map(|status| user_status_number(*status)).collect());
    if let Some(after) = &page.after {
        sql.push(" AND (name_key, id, entry) > (").push_bind(&after.name).push(", ").push_bind(after.id.uuid());
        sql.push(", ").push_bind(entry_of(&after.source)).push(")");
    }
    // One extra row shows whether the list continues.
    sql.push(" ORDER BY name_key, id, entry LIMIT ").push_bind(i64::from(page.limit) + 1);
    sql.push(") AS page ORDER BY name_key, id, entry");
    read_page("directory_user", pool.acquire().await?, sql.build(), page.limit as usize, page.max_bytes).await
}

/// See [`crate::store::Store::change_users`].
pub(super) async fn change(pool: &ConnectionPool, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    match decide_and_write(&mut tx, change).await {
        Ok(Ok(())) => {
            tx.commit().await.map_err(commit_error)?;
            connection.release();
            Ok(Ok(()))
        }
        Ok(Err(refusal)) => {
            tx.rollback().await?;
            connection.release();
            Ok(Err(refusal))
        }
        Err(error) => {
            if roll_back(tx, &error).await {
                connection.release();
            }
            Err(error)
        }
    }
}

async fn decide_and_write(tx: &mut PgConnection, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
    sqlx::query(LOCK).execute(&mut *tx).await?;
    let keys = change.keys();
    let known = sqlx::query(KNOWN)
        .bind(keys.iter().filter_map(|keys| keys.id).map(UserId::uuid).collect::<Vec<_>>())
        .bind(keys.iter().filter_map(|keys| keys.sid.as_ref()).map(Sid::as_str).collect::<Vec<_>>())
        .bind(keys.iter().filter_map(|keys| keys.upn.as_ref()).map(Upn::as_str).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
    let known: Vec<KnownUser> = known.iter().map(read_known).collect::<Result<_, _>>()?;
    match change.decide(&known) {
        Ok(changes) => write(tx, &changes).await.map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

fn read_known(row: &PgRow) -> Result<KnownUser, StoreError> {
    Ok(known_user(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
}

async fn write(tx: &mut PgConnection, changes: &UserChanges) -> Result<(), StoreError> {
    let (ids, entries): (Vec<Uuid>, Vec<&str>) =
        deleted(changes).map(|(id, source)| (id.uuid(), entry_of(source))).unzip();
    if !ids.is_empty() {
        sqlx::query(DELETE).bind(ids).bind(entries).execute(&mut *tx).await?;
    }
    let put = &changes.put;
    if put.is_empty() {
        return Ok(());
    }
    let documents: Vec<String> =
        put.iter().map(|user| document::write("directory_user", user.id, user)).collect::<Result<_, _>>()?;
    sqlx::query(INSERT)
        .bind(put.iter().map(|user| user.id.uuid()).collect::<Vec<_>>())
        .bind(put.iter().map(|user| entry_of(&user.source)).collect::<Vec<_>>())
        .bind(put.iter().map(|user| user.sid.as_ref().map(Sid::as_str)).collect::<Vec<_>>())
        .bind(put.iter().map(|user| user.upn.as_ref().map(Upn::as_str)).collect::<Vec<_>>())
        .bind(put.iter().map(|user| user.name.key()).collect::<Vec<_>>())
        .bind(put.iter().map(|user| user_status_number(user.status)).collect::<Vec<_>>())
        .bind(documents)
        .execute(tx)
        .await?;
    Ok(())
}
