//! Users of the directory: read by their keys and in lists, and changed.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection, SqlitePool};

use super::read::{any_of, read_document, read_page};
use super::writer::Writer;
use crate::domain::{
    KnownUser, LearnedUsers, Listing, Refusal, Sid, Upn, User, UserChanges, UserId, UserKeys, UserPage, UserQuery,
};
use crate::store::document::{self, user_status_number};
use crate::store::users::{after_prefix, deleted, entry_of, known_user};
use crate::store::{ChangeUsers, StoreError};

const BY_KEYS: &str = "
    SELECT id, document FROM directory_user
    WHERE (id = ?1 OR sid = ?2 OR upn = ?3) AND (entry = '' OR entry = ?4)";

const KNOWN: &str = "SELECT id, entry, sid, upn FROM directory_user WHERE id = ?1 OR sid = ?2 OR upn = ?3";

const DELETE: &str = "DELETE FROM directory_user WHERE id = ? AND entry = ?";

const INSERT: &str = "
    INSERT INTO directory_user (id, entry, sid, upn, name_key, status, document) VALUES (?, ?, ?, ?, ?, ?, ?)";

/// See [`crate::store::Store::users`].
pub(super) async fn get(pool: &SqlitePool, keys: &UserKeys, entry: Option<&str>) -> Result<Vec<User>, StoreError> {
    let rows = sqlx::query(BY_KEYS)
        .bind(keys.id.map(UserId::uuid))
        .bind(keys.sid.as_ref().map(Sid::as_str))
        .bind(keys.upn.as_ref().map(Upn::as_str))
        .bind(entry)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read_document("directory_user", row)).collect()
}

/// See [`crate::store::Store::find_users`].
pub(super) async fn find(
    pool: &SqlitePool,
    query: &UserQuery,
    learned: &LearnedUsers,
    page: &UserPage,
) -> Result<Listing<User>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document FROM directory_user WHERE true");
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
    any_of(&mut sql, "status", query.statuses.iter().map(|status| user_status_number(*status)));
    if let Some(after) = &page.after {
        sql.push(" AND (name_key, id, entry) > (").push_bind(&after.name).push(", ").push_bind(after.id.uuid());
        sql.push(", ").push_bind(entry_of(&after.source)).push(")");
    }
    // One extra row shows whether the list continues.
    sql.push(" ORDER BY name_key, id, entry LIMIT ").push_bind(i64::from(page.limit) + 1);
    read_page("directory_user", pool, sql.build(), page.limit as usize, page.max_bytes).await
}

/// See [`crate::store::Store::change_users`]. The lock of the file keeps other changes out.
pub(super) async fn change(writer: &Writer, change: &dyn ChangeUsers) -> Result<Result<(), Refusal>, StoreError> {
    let mut connection = writer.acquire().await?;
    let mut tx = connection.begin_immediate().await?;
    let mut known = Vec::new();
    for keys in change.keys() {
        let rows = sqlx::query(KNOWN)
            .bind(keys.id.map(UserId::uuid))
            .bind(keys.sid.as_ref().map(Sid::as_str))
            .bind(keys.upn.as_ref().map(Upn::as_str))
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            known.push(read_known(row)?);
        }
    }
    match change.decide(&known) {
        Ok(changes) => {
            write(&mut tx, &changes).await?;
            let committed = tx.commit().await;
            connection.end(committed).await?;
            Ok(Ok(()))
        }
        Err(refusal) => {
            tx.rollback().await?;
            connection.release();
            Ok(Err(refusal))
        }
    }
}

fn read_known(row: &SqliteRow) -> Result<KnownUser, StoreError> {
    Ok(known_user(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
}

async fn write(tx: &mut SqliteConnection, changes: &UserChanges) -> Result<(), StoreError> {
    for (id, source) in deleted(changes) {
        sqlx::query(DELETE).bind(id.uuid()).bind(entry_of(source)).execute(&mut *tx).await?;
    }
    for user in &changes.put {
        sqlx::query(INSERT)
            .bind(user.id.uuid())
            .bind(entry_of(&user.source))
            .bind(user.sid.as_ref().map(Sid::as_str))
            .bind(user.upn.as_ref().map(Upn::as_str))
            .bind(user.name.key())
            .bind(user_status_number(user.status))
            .bind(document::write("directory_user", user.id, user)?)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
