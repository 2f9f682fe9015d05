//! Profiles and smart cards: locked while a batch decides about them, written with it, read and imported.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, QueryBuilder};
use uuid::Uuid;

use super::Postgres;
use super::commit::until_alone;
use super::lines::{Lines, after_commit, roll_back};
use super::read::{any_of, read_document, read_page};
use crate::domain::{CardId, Listing, Refusal, Standing, Subject, SubjectPage, SubjectQuery, Subjects};
use crate::store::StoreError;
use crate::store::document::{self, item_number, standing_number};
use crate::store::plan::{SubjectRows, Touched, import_rows};

const LOCK: &str = "SELECT id, document::text FROM subject WHERE id = ANY($1) ORDER BY id FOR UPDATE";

const LOCK_WITH_CARDS: &str = "
    SELECT id, document::text FROM subject WHERE id = ANY($1) OR card_id = ANY($2) ORDER BY id FOR UPDATE";

const INSERT: &str = "
    INSERT INTO subject (id, kind, owner, standing, card_id, document)
    SELECT id, kind, owner, standing, card_id, document::jsonb
    FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::text[], $6::text[])
         AS new (id, kind, owner, standing, card_id, document)
    ORDER BY id";

const UPDATE: &str = "
    UPDATE subject SET standing = new.standing, card_id = new.card_id, document = new.document::jsonb
    FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::text[], $6::text[])
         AS new (id, kind, owner, standing, card_id, document)
    WHERE subject.id = new.id";

const CARD: &str = "SELECT id, document::text FROM subject WHERE card_id = $1 ORDER BY standing = $2, id DESC LIMIT 1";

/// Reads and locks what is known of the profiles and cards that a batch touches.
pub(super) async fn lock(tx: &mut PgConnection, touched: &Touched) -> Result<Subjects, StoreError> {
    if touched.is_empty() {
        return Ok(Subjects::default());
    }
    let ids: Vec<Uuid> = touched.ids.iter().copied().collect();
    let card_ids: Vec<&str> = touched.card_ids.iter().map(CardId::as_str).collect();
    let query = if card_ids.is_empty() {
        sqlx::query(LOCK).bind(ids)
    } else {
        sqlx::query(LOCK_WITH_CARDS).bind(ids).bind(card_ids)
    };
    let rows = query.fetch_all(tx).await?;
    rows.iter().map(read).collect()
}

/// Writes what a batch made and altered. What is new and has come in between is a conflict, never replaced.
pub(super) async fn write(tx: &mut PgConnection, rows: &SubjectRows) -> Result<(), StoreError> {
    // First what changed: a card that was retired makes way for its successor.
    put(tx, UPDATE, &rows.changed).await?;
    put(tx, INSERT, &rows.new).await
}

async fn put(tx: &mut PgConnection, sql: &'static str, rows: &BTreeMap<Uuid, Subject>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let documents: Vec<String> =
        rows.iter().map(|(id, subject)| document::write("subject", id, subject)).collect::<Result<_, _>>()?;
    let subjects = || rows.values();
    sqlx::query(sql)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(subjects().map(|subject| item_number(&subject.item)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.owner.uuid()).collect::<Vec<_>>())
        .bind(subjects().map(|subject| standing_number(subject.standing)).collect::<Vec<_>>())
        .bind(subjects().map(|subject| subject.card().map(|card| card.card_id.as_str())).collect::<Vec<_>>())
        .bind(documents)
        .execute(tx)
        .await?;
    Ok(())
}

/// See [`crate::store::Store::import`].
pub(super) async fn import(store: &Postgres, subjects: &[Subject]) -> Result<Result<(), Refusal>, StoreError> {
    until_alone(|| try_import(store, subjects)).await
}

async fn try_import(store: &Postgres, subjects: &[Subject]) -> Result<Result<(), Refusal>, StoreError> {
    let mut line = store.import_lines.take().await?;
    let mut tx = line.begin().await?;
    match check_and_write(&mut tx, subjects).await {
        Ok(Ok(())) => {
            tx.commit().await.map_err(after_commit)?;
            line.give_back();
            Ok(Ok(()))
        }
        Ok(Err(refusal)) => {
            tx.rollback().await?;
            line.give_back();
            Ok(Err(refusal))
        }
        Err(error) => {
            if roll_back(tx, &error).await {
                line.give_back();
            }
            Err(error)
        }
    }
}

async fn check_and_write(tx: &mut PgConnection, subjects: &[Subject]) -> Result<Result<(), Refusal>, StoreError> {
    let known = lock(tx, &Touched::by_import(subjects)).await?;
    match import_rows(subjects, known) {
        Ok(rows) => Ok(Ok(write(tx, &rows).await?)),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// See [`crate::store::Store::subjects`].
pub(super) async fn get(lines: &Lines, ids: &[Uuid]) -> Result<Vec<Subject>, StoreError> {
    let sql = "SELECT id, document::text FROM subject WHERE id = ANY($1)";
    let rows = lines.fetch_all(sqlx::query(sql).bind(ids)).await?;
    rows.iter().map(read).collect()
}

/// See [`crate::store::Store::card`].
pub(super) async fn card(lines: &Lines, card_id: &CardId) -> Result<Option<Subject>, StoreError> {
    let retired = standing_number(Standing::Retired);
    let rows = lines.fetch_all(sqlx::query(CARD).bind(card_id.as_str()).bind(retired)).await?;
    rows.first().map(read).transpose()
}

/// See [`crate::store::Store::find_subjects`].
pub(super) async fn find(
    lines: &Lines,
    query: &SubjectQuery,
    page: SubjectPage,
) -> Result<Listing<Subject>, StoreError> {
    let mut sql = QueryBuilder::new("SELECT id, document::text FROM subject WHERE owner = ");
    sql.push_bind(query.owner.uuid());
    any_of(&mut sql, "standing", query.standings.iter().map(|standing| standing_number(*standing)).collect());
    if let Some(after) = page.after {
        sql.push(" AND id > ").push_bind(after);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::from(page.limit) + 1);
    read_page("subject", lines.take().await?, sql.build(), page.limit as usize, page.max_bytes).await
}

fn read(row: &PgRow) -> Result<Subject, StoreError> {
    read_document("subject", row)
}
