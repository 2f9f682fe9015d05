//! Profiles and smart cards: read and written with a batch, and read for callers.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::read::{any_of, read_document, read_page};
use crate::domain::{
    Credential, CredentialPage, CredentialQuery, Credentials, Listing, LockSet, SerialNumber, SmartcardId,
};
use crate::store::credential_rows::CredentialRow;
use crate::store::document::{self, credential_status_number, item_number};
use crate::store::{CredentialRows, StoreError};

const VACATE: &str = "UPDATE credential SET serial_number = NULL, smartcard = NULL WHERE id = ?";

const WRITE: &str = "
    INSERT INTO credential (id, kind, owner, status, serial_number, smartcard, document, retired_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?4 = 6, ?8, NULL))
    ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, serial_number = excluded.serial_number, smartcard = excluded.smartcard,
        retired_at = iif(excluded.status = 6, coalesce(retired_at, excluded.retired_at), NULL),
        document = excluded.document";

const BY_ID: &str = "SELECT id, document FROM credential WHERE id = ?";
const BY_SERIAL_NUMBER: &str = "SELECT id, document FROM credential WHERE serial_number = ? AND status <> 6";
const VALID_ON_CARD: &str = "SELECT id, document FROM credential WHERE smartcard = ? AND status NOT IN (4, 6)";

/// Reads the profiles and cards that a batch needs; the lock of the file covers them.
pub(super) async fn read(tx: &mut SqliteConnection, wanted: &LockSet) -> Result<Credentials, StoreError> {
    let mut known = Credentials::default();
    for id in &wanted.ids {
        put_found(&mut known, sqlx::query(BY_ID).bind(id).fetch_optional(&mut *tx).await?)?;
    }
    for serial_number in &wanted.serial_numbers {
        put_found(
            &mut known,
            sqlx::query(BY_SERIAL_NUMBER).bind(serial_number.as_str()).fetch_optional(&mut *tx).await?,
        )?;
    }
    for card in &wanted.cards {
        if let Some(profile) = known.get(card.uuid()).and_then(|card| card.credential_ids().profile) {
            put_found(&mut known, sqlx::query(BY_ID).bind(profile.uuid()).fetch_optional(&mut *tx).await?)?;
        }
        put_found(&mut known, sqlx::query(VALID_ON_CARD).bind(card.uuid()).fetch_optional(&mut *tx).await?)?;
    }
    Ok(known)
}

fn put_found(known: &mut Credentials, row: Option<SqliteRow>) -> Result<(), StoreError> {
    if let Some(row) = row {
        known.put(read_document("credential", &row)?);
    }
    Ok(())
}

/// Writes new and changed credentials.
pub(super) async fn write(tx: &mut SqliteConnection, rows: &CredentialRows) -> Result<(), StoreError> {
    for id in &rows.vacated {
        sqlx::query(VACATE).bind(id).execute(&mut *tx).await?;
    }
    for (id, CredentialRow { credential, at }) in rows.changed.iter().chain(&rows.new) {
        sqlx::query(WRITE)
            .bind(id)
            .bind(item_number(&credential.item))
            .bind(credential.owner.uuid())
            .bind(credential_status_number(credential.status))
            .bind(credential.card().map(|card| card.serial_number.as_str()))
            .bind(credential.holder().map(SmartcardId::uuid))
            .bind(document::write("credential", id, credential)?)
            .bind(at.micros())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// See [`crate::store::Store::credentials`].
pub(super) async fn get(pool: &SqlitePool, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = QueryBuilder::new("SELECT id, document FROM credential WHERE true");
    any_of(&mut sql, "id", ids.iter().copied());
    let rows = sql.build().fetch_all(pool).await?;
    rows.iter().map(|row| read_document("credential", row)).collect()
}

/// See [`crate::store::Store::card`].
pub(super) async fn card(pool: &SqlitePool, serial_number: &SerialNumber) -> Result<Option<Credential>, StoreError> {
    let sql = "SELECT id, document FROM credential WHERE serial_number = ?
               ORDER BY status = 6, retired_at DESC, id DESC LIMIT 1";
    let row = sqlx::query(sql).bind(serial_number.as_str()).fetch_optional(pool).await?;
    row.map(|row| read_document("credential", &row)).transpose()
}

/// See [`crate::store::Store::find_credentials`].
pub(super) async fn find(
    pool: &SqlitePool,
    query: &CredentialQuery,
    page: CredentialPage,
) -> Result<Listing<Credential>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document FROM credential WHERE owner = ");
    sql.push_bind(query.owner.uuid());
    any_of(&mut sql, "status", query.statuses.iter().map(|status| credential_status_number(*status)));
    if let Some(after) = page.after {
        sql.push(" AND id > ").push_bind(after);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(page.limit) + 1);
    read_page("credential", pool, sql.build(), page.limit as usize, page.max_bytes).await
}
