//! Profiles and smart cards: locked and written with a batch, and read for callers.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, QueryBuilder};
use uuid::Uuid;

use super::pool::ConnectionPool;
use super::read::{any_of, read_document, read_page};
use crate::domain::{
    Credential, CredentialPage, CredentialQuery, Credentials, Listing, LockSet, ProfileId, SerialNumber, SmartcardId,
};
use crate::store::credential_rows::CredentialRow;
use crate::store::document::{self, SMARTCARD_NUMBER, credential_status_number, item_number};
use crate::store::{CredentialRows, StoreError};

/// Cards are locked before profiles, each in the order of their ids. Every batch and import uses this order, so that none waits
/// in a cycle.
const LOCK_CARDS: &str = "
    SELECT id, document::text FROM credential
    WHERE kind = $3 AND (id = ANY($1) OR serial_number = ANY($2) AND status <> 6)
    ORDER BY id FOR UPDATE";

/// A separate statement, because only one that starts after the cards are locked sees every profile put on them. It also locks a
/// card that was added in between.
const LOCK_PROFILES: &str = "
    SELECT id, document::text FROM credential
    WHERE id = ANY($1) OR smartcard = ANY($2) AND status NOT IN (4, 6)
    ORDER BY kind DESC, id FOR UPDATE";

const VACATE: &str = "UPDATE credential SET serial_number = NULL, smartcard = NULL WHERE id = ANY($1)";

const INSERT: &str = "
    INSERT INTO credential (id, kind, owner, status, serial_number, smartcard, retired_at, document)
    SELECT id, kind, owner, status, serial_number, smartcard, CASE status WHEN 6 THEN at END, document::jsonb
    FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::text[], $6::uuid[], $7::timestamptz[],
                $8::text[])
         AS new (id, kind, owner, status, serial_number, smartcard, at, document)
    ORDER BY id";

const UPDATE: &str = "
    UPDATE credential SET status = new.status, serial_number = new.serial_number, smartcard = new.smartcard,
                       retired_at = CASE new.status WHEN 6 THEN coalesce(credential.retired_at, new.at) END,
                       document = new.document::jsonb
    FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::text[], $6::uuid[], $7::timestamptz[],
                $8::text[])
         AS new (id, kind, owner, status, serial_number, smartcard, at, document)
    WHERE credential.id = new.id";

const CARD: &str = "
    SELECT id, document::text FROM credential WHERE serial_number = $1
    ORDER BY status = 6, retired_at DESC, id DESC LIMIT 1";

/// Reads and locks the profiles and cards that a batch needs.
pub(super) async fn lock(tx: &mut PgConnection, wanted: &LockSet) -> Result<Credentials, StoreError> {
    let mut known = Credentials::default();
    if wanted.is_empty() {
        return Ok(known);
    }
    let ids: Vec<Uuid> = wanted.ids.iter().copied().collect();
    let serial_numbers: Vec<&str> = wanted.serial_numbers.iter().map(SerialNumber::as_str).collect();
    let cards =
        sqlx::query(LOCK_CARDS).bind(&ids).bind(serial_numbers).bind(SMARTCARD_NUMBER).fetch_all(&mut *tx).await?;
    for card in cards.iter().map(read) {
        known.put(card?);
    }
    let named = |card: &SmartcardId| known.get(card.uuid())?.credential_ids().profile.map(ProfileId::uuid);
    let others = ids.into_iter().filter(|id| known.get(*id).is_none());
    let others: Vec<Uuid> = others.chain(wanted.cards.iter().filter_map(named)).collect();
    let cards: Vec<Uuid> = wanted.cards.iter().map(|card| card.uuid()).collect();
    if !others.is_empty() || !cards.is_empty() {
        let profiles = sqlx::query(LOCK_PROFILES).bind(others).bind(cards).fetch_all(tx).await?;
        for profile in profiles.iter().map(read) {
            known.put(profile?);
        }
    }
    Ok(known)
}

/// Writes new and changed credentials. A new one that another batch has added meanwhile is a conflict, never replaced.
pub(super) async fn write(tx: &mut PgConnection, rows: &CredentialRows) -> Result<(), StoreError> {
    if !rows.vacated.is_empty() {
        let vacated: Vec<Uuid> = rows.vacated.iter().copied().collect();
        sqlx::query(VACATE).bind(vacated).execute(&mut *tx).await?;
    }
    put(tx, UPDATE, &rows.changed).await?;
    put(tx, INSERT, &rows.new).await
}

async fn put(tx: &mut PgConnection, sql: &'static str, rows: &BTreeMap<Uuid, CredentialRow>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let documents: Vec<String> =
        rows.iter().map(|(id, row)| document::write("credential", id, &row.credential)).collect::<Result<_, _>>()?;
    let credentials = || rows.values().map(|row| &row.credential);
    sqlx::query(sql)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(credentials().map(|credential| item_number(&credential.item)).collect::<Vec<_>>())
        .bind(credentials().map(|credential| credential.owner.uuid()).collect::<Vec<_>>())
        .bind(credentials().map(|credential| credential_status_number(credential.status)).collect::<Vec<_>>())
        .bind(
            credentials()
                .map(|credential| credential.card().map(|card| card.serial_number.as_str()))
                .collect::<Vec<_>>(),
        )
        .bind(credentials().map(|credential| credential.holder().map(SmartcardId::uuid)).collect::<Vec<_>>())
        .bind(rows.values().map(|row| row.at.utc()).collect::<Vec<_>>())
        .bind(documents)
        .execute(tx)
        .await?;
    Ok(())
}

/// See [`crate::store::Store::credentials`].
pub(super) async fn get(pool: &ConnectionPool, ids: &[Uuid]) -> Result<Vec<Credential>, StoreError> {
    let sql = "SELECT id, document::text FROM credential WHERE id = ANY($1)";
    let rows = pool.fetch_all(sqlx::query(sql).bind(ids)).await?;
    rows.iter().map(read).collect()
}

/// See [`crate::store::Store::card`].
pub(super) async fn card(
    pool: &ConnectionPool,
    serial_number: &SerialNumber,
) -> Result<Option<Credential>, StoreError> {
    let rows = pool.fetch_all(sqlx::query(CARD).bind(serial_number.as_str())).await?;
    rows.first().map(read).transpose()
}

/// See [`crate::store::Store::find_credentials`].
pub(super) async fn find(
    pool: &ConnectionPool,
    query: &CredentialQuery,
    page: CredentialPage,
) -> Result<Listing<Credential>, StoreError> {
    let mut sql =
        QueryBuilder::new("SELECT id, document::text FROM (SELECT id, document FROM credential WHERE owner = ");
    sql.push_bind(query.owner.uuid());
    any_of(&mut sql, "status", query.statuses.iter().map(|status| credential_status_number(*status)).collect());
    if let Some(after) = page.after {
        sql.push(" AND id > ").push_bind(after);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(page.limit) + 1).push(") AS page ORDER BY id");
    read_page("credential", pool.acquire().await?, sql.build(), page.limit as usize, page.max_bytes).await
}

fn read(row: &PgRow) -> Result<Credential, StoreError> {
    read_document("credential", row)
}
