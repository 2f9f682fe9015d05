//! Profiles and smart cards: locked while a batch is decided, written with it, and read.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, QueryBuilder};
use uuid::Uuid;

use super::lines::Lines;
use super::read::{any_of, read_document, read_page};
use crate::domain::{CardId, Listing, LockSet, ProfileId, SmartcardId, Subject, SubjectPage, SubjectQuery, Subjects};
use crate::store::document::{self, SMARTCARD_NUMBER, item_number, standing_number};
use crate::store::subject_rows::SubjectRow;
use crate::store::{StoreError, SubjectRows};

/// Cards come first, then profiles, both in the order of their ids: every batch and import takes its locks in this order,
/// so that none waits in a circle.
const LOCK_CARDS: &str = "
    SELECT id, document::text FROM subject
    WHERE kind = $3 AND (id = ANY($1) OR card_id = ANY($2) AND standing <> 6)
    ORDER BY id FOR UPDATE";

/// A statement of its own, since only one that begins when the cards are locked sees all that was put on them. A card that
/// came in between is taken as well.
const LOCK_PROFILES: &str = "
    SELECT id, document::text FROM subject
    WHERE id = ANY($1) OR smartcard = ANY($2) AND standing NOT IN (4, 6)
    ORDER BY kind DESC, id FOR UPDATE";

const VACATE: &str = "UPDATE subject SET card_id = NULL, smartcard = NULL WHERE id = ANY($1)";

const INSERT: &str = "
    INSERT INTO subject (id, kind, owner, standing, card_id, smartcard, retired_at, document)
    SELECT id, kind, owner, standing, card_id, smartcard, CASE standing WHEN 6 THEN at END, document::jsonb
    FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::text[], $6::uuid[], $7::timestamptz[],
                $8::text[])
         AS new (id, kind, owner, standing, card_id, smartcard, at, document)
    ORDER BY id";

const UPDATE: &str = "
    UPDATE subject SET standing = new.standing, card_id = new.card_id, smartcard = new.smartcard,
                       retired_at = CASE new.standing WHEN 6 THEN coalesce(subject.retired_at, new.at) END,
                       document = new.document::jsonb
    FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::text[], $6::uuid[], $7::timestamptz[],
                $8::text[])
         AS new (id, kind, owner, standing, card_id, smartcard, at, document)
    WHERE subject.id = new.id";

const CARD: &str = "
    SELECT id, document::text FROM subject WHERE card_id = $1
    ORDER BY standing = 6, retired_at DESC, id DESC LIMIT 1";

/// Reads and locks the profiles and cards that a batch needs.
pub(super) async fn lock(tx: &mut PgConnection, wanted: &LockSet) -> Result<Subjects, StoreError> {
    let mut known = Subjects::default();
    if wanted.is_empty() {
        return Ok(known);
    }
    let ids: Vec<Uuid> = wanted.ids.iter().copied().collect();
    let card_ids: Vec<&str> = wanted.card_ids.iter().map(CardId::as_str).collect();
    let cards = sqlx::query(LOCK_CARDS).bind(&ids).bind(card_ids).bind(SMARTCARD_NUMBER).fetch_all(&mut *tx).await?;
    for card in cards.iter().map(read) {
        known.put(card?);
    }
    let named = |card: &SmartcardId| known.get(card.uuid())?.credential().profile.map(ProfileId::uuid);
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

/// Writes what a batch made and altered. What is new and has come in between is a conflict, never replaced.
pub(super) async fn write(tx: &mut PgConnection, rows: &SubjectRows) -> Result<(), StoreError> {
    if !rows.vacated.is_empty() {
        let vacated: Vec<Uuid> = rows.vacated.iter().copied().collect();
        sqlx::query(VACATE).bind(vacated).execute(&mut *tx).await?;
    }
    put(tx, UPDATE, &rows.changed).await?;
    put(tx, INSERT, &rows.new).await
}

async fn put(tx: &mut PgConnection, sql: &'static str, rows: &BTreeMap<Uuid, SubjectRow>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let documents: Vec<String> =
        rows.iter().map(|(id, row)| document::write("subject", id, &row.subject)).collect::<Result<_, _>>()?;
    let subjects = || rows.values().map(|row| &row.subject);
    sqlx::query(sql)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(subjects().map(|subject| item_number(&subject.item)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.owner.uuid()).collect::<Vec<_>>())
        .bind(subjects().map(|subject| standing_number(subject.standing)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.card().map(|card| card.card_id.as_str())).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.holder().map(SmartcardId::uuid)).collect::<Vec<_>>())
        .bind(rows.values().map(|row| row.at.utc()).collect::<Vec<_>>())
        .bind(documents)
        .execute(tx)
        .await?;
    Ok(())
}

/// See [`crate::store::Store::subjects`].
pub(super) async fn get(lines: &Lines, ids: &[Uuid]) -> Result<Vec<Subject>, StoreError> {
    let sql = "SELECT id, document::text FROM subject WHERE id = ANY($1)";
    let rows = lines.fetch_all(sqlx::query(sql).bind(ids)).await?;
    rows.iter().map(read).collect()
}

/// See [`crate::store::Store::card`].
pub(super) async fn card(lines: &Lines, card_id: &CardId) -> Result<Option<Subject>, StoreError> {
    let rows = lines.fetch_all(sqlx::query(CARD).bind(card_id.as_str())).await?;
    rows.first().map(read).transpose()
}

/// See [`crate::store::Store::find_subjects`].
pub(super) async fn find(
    lines: &Lines,
    query: &SubjectQuery,
    page: SubjectPage,
) -> Result<Listing<Subject>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document::text FROM (SELECT id, document FROM subject WHERE owner = ");
    sql.push_bind(query.owner.uuid());
    any_of(&mut sql, "standing", query.standings.iter().map(|standing| standing_number(*standing)).collect());
    if let Some(after) = page.after {
        sql.push(" AND id > ").push_bind(after);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(page.limit) + 1).push(") AS page ORDER BY id");
    read_page("subject", lines.take().await?, sql.build(), page.limit as usize, page.max_bytes).await
}

fn read(row: &PgRow) -> Result<Subject, StoreError> {
    read_document("subject", row)
}
