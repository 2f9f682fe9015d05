//! Profiles and smart cards: read while a batch is decided, written with it, and read.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::read::{any_of, read_document, read_page};
use crate::domain::{CardId, Listing, LockSet, SmartcardId, Subject, SubjectPage, SubjectQuery, Subjects};
use crate::store::document::{self, item_number, standing_number};
use crate::store::subject_rows::SubjectRow;
use crate::store::{StoreError, SubjectRows};

const VACATE: &str = "UPDATE subject SET card_id = NULL, smartcard = NULL WHERE id = ?";

const WRITE: &str = "
    INSERT INTO subject (id, kind, owner, standing, card_id, smartcard, document, retired_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?4 = 6, ?8, NULL))
    ON CONFLICT (id) DO UPDATE SET
        standing = excluded.standing, card_id = excluded.card_id, smartcard = excluded.smartcard,
        retired_at = iif(excluded.standing = 6, coalesce(retired_at, excluded.retired_at), NULL),
        document = excluded.document";

const BY_ID: &str = "SELECT id, document FROM subject WHERE id = ?";
const BY_CARD_ID: &str = "SELECT id, document FROM subject WHERE card_id = ? AND standing <> 6";
const VALID_ON_CARD: &str = "SELECT id, document FROM subject WHERE smartcard = ? AND standing NOT IN (4, 6)";

/// Reads the profiles and cards that a batch needs; the file is locked.
pub(super) async fn read(tx: &mut SqliteConnection, wanted: &LockSet) -> Result<Subjects, StoreError> {
    let mut known = Subjects::default();
    for id in &wanted.ids {
        put_found(&mut known, sqlx::query(BY_ID).bind(id).fetch_optional(&mut *tx).await?)?;
    }
    for card_id in &wanted.card_ids {
        put_found(&mut known, sqlx::query(BY_CARD_ID).bind(card_id.as_str()).fetch_optional(&mut *tx).await?)?;
    }
    for card in &wanted.cards {
        if let Some(profile) = known.get(card.uuid()).and_then(|card| card.credential().profile) {
            put_found(&mut known, sqlx::query(BY_ID).bind(profile.uuid()).fetch_optional(&mut *tx).await?)?;
        }
        put_found(&mut known, sqlx::query(VALID_ON_CARD).bind(card.uuid()).fetch_optional(&mut *tx).await?)?;
    }
    Ok(known)
}

fn put_found(known: &mut Subjects, row: Option<SqliteRow>) -> Result<(), StoreError> {
    if let Some(row) = row {
        known.put(read_document("subject", &row)?);
    }
    Ok(())
}

/// Writes what a batch made and altered.
pub(super) async fn write(tx: &mut SqliteConnection, rows: &SubjectRows) -> Result<(), StoreError> {
    for id in &rows.vacated {
        sqlx::query(VACATE).bind(id).execute(&mut *tx).await?;
    }
    for (id, SubjectRow { subject, at }) in rows.changed.iter().chain(&rows.new) {
        sqlx::query(WRITE)
            .bind(id)
            .bind(item_number(&subject.item))
            .bind(subject.owner.uuid())
            .bind(standing_number(subject.standing))
            .bind(subject.card().map(|card| card.card_id.as_str()))
            .bind(subject.holder().map(SmartcardId::uuid))
            .bind(document::write("subject", id, subject)?)
            .bind(at.micros())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// See [`crate::store::Store::subjects`].
pub(super) async fn get(pool: &SqlitePool, ids: &[Uuid]) -> Result<Vec<Subject>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = QueryBuilder::new("SELECT id, document FROM subject WHERE true");
    any_of(&mut sql, "id", ids.iter().copied());
    let rows = sql.build().fetch_all(pool).await?;
    rows.iter().map(|row| read_document("subject", row)).collect()
}

/// See [`crate::store::Store::card`].
pub(super) async fn card(pool: &SqlitePool, card_id: &CardId) -> Result<Option<Subject>, StoreError> {
    let sql = "SELECT id, document FROM subject WHERE card_id = ?
               ORDER BY standing = 6, retired_at DESC, id DESC LIMIT 1";
    let row = sqlx::query(sql).bind(card_id.as_str()).fetch_optional(pool).await?;
    row.map(|row| read_document("subject", &row)).transpose()
}

/// See [`crate::store::Store::find_subjects`].
pub(super) async fn find(
    pool: &SqlitePool,
    query: &SubjectQuery,
    page: SubjectPage,
) -> Result<Listing<Subject>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document FROM subject WHERE owner = ");
    sql.push_bind(query.owner.uuid());
    any_of(&mut sql, "standing", query.standings.iter().map(|standing| standing_number(*standing)));
    if let Some(after) = page.after {
        sql.push(" AND id > ").push_bind(after);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(page.limit) + 1);
    read_page("subject", pool, sql.build(), page.limit as usize, page.max_bytes).await
}
