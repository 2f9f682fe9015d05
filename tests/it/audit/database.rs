//! Reads the tables in one transaction, with SQL of the auditor's own.

use anyhow::{Context, bail};
use sqlx::{
    AssertSqlSafe, Connection, Database, Executor, FromRow, IntoArguments, PgConnection, Postgres, Sqlite,
    SqliteConnection,
};
use uuid::Uuid;

use super::evidence::{LogRow, RequestRow, Tables};

/// Shard and position.
type ShardPosition = (i64, i64);
/// Id, version, status.
type RequestColumns = (Uuid, i64, i64);
/// Shard, position, request, version, type, microseconds since 1970, correlation id, traceparent, tracestate, payload.
type LogColumns = (i64, i64, Uuid, i64, i64, i64, Option<String>, Option<String>, Option<String>, Vec<u8>);

/// Reads a Postgres or SQLite database.
pub(super) async fn read(url: &str) -> anyhow::Result<Tables> {
    if url.starts_with("postgres://") {
        let mut connection = PgConnection::connect(url).await?;
        let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let micros = "CAST(EXTRACT(EPOCH FROM at) * 1000000 AS bigint)";
        Ok(tables::<Postgres>(&mut tx, micros).await?)
    } else if url.starts_with("sqlite://") {
        let mut connection = SqliteConnection::connect(url).await?;
        let mut tx = connection.begin().await?;
        Ok(tables::<Sqlite>(&mut tx, "at").await?)
    } else {
        bail!("{url} names neither a Postgres nor a SQLite database")
    }
}

async fn tables<D>(connection: &mut D::Connection, micros: &str) -> anyhow::Result<Tables>
where
    D: Database,
    D::Arguments: IntoArguments<D>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'r> ShardPosition: FromRow<'r, D::Row>,
    for<'r> RequestColumns: FromRow<'r, D::Row>,
    for<'r> LogColumns: FromRow<'r, D::Row>,
{
    let heads = "SELECT CAST(shard AS bigint), CAST(next AS bigint) FROM event_head";
    let checkpoints = "SELECT CAST(shard AS bigint), CAST(pos AS bigint) FROM relay_checkpoint";
    let requests = "SELECT id, CAST(version AS bigint), CAST(status AS bigint) FROM request";
    let log = format!(
        "SELECT CAST(shard AS bigint), CAST(pos AS bigint), request_id, CAST(version AS bigint), CAST(type AS bigint),
                {micros}, correlation, traceparent, tracestate, payload FROM event_log ORDER BY shard, pos"
    );
    let heads: Vec<ShardPosition> = sqlx::query_as(heads).fetch_all(&mut *connection).await?;
    let checkpoints: Vec<ShardPosition> = sqlx::query_as(checkpoints).fetch_all(&mut *connection).await?;
    let requests: Vec<RequestColumns> = sqlx::query_as(requests).fetch_all(&mut *connection).await?;
    let log: Vec<LogColumns> = sqlx::query_as(AssertSqlSafe(log)).fetch_all(&mut *connection).await?;
    Ok(Tables {
        requests: requests.into_iter().map(request).collect::<anyhow::Result<_>>()?,
        log: log.into_iter().map(event).collect::<anyhow::Result<_>>()?,
        next: heads.into_iter().map(shard_position).collect::<anyhow::Result<_>>()?,
        checkpoints: checkpoints.into_iter().map(shard_position).collect::<anyhow::Result<_>>()?,
    })
}

fn shard_position((shard, position): ShardPosition) -> anyhow::Result<(u16, u64)> {
    Ok((shard.try_into().context("shard")?, position.try_into().context("position")?))
}

fn request((id, version, status): RequestColumns) -> anyhow::Result<RequestRow> {
    Ok(RequestRow { id, version: version.try_into().context("version")?, status: status.try_into().context("status")? })
}

fn event(columns: LogColumns) -> anyhow::Result<LogRow> {
    let (shard, position, request, version, kind, at, correlation, traceparent, tracestate, payload) = columns;
    let (shard, position) = shard_position((shard, position))?;
    let (version, event_type) = (version.try_into().context("version")?, kind.try_into().context("type")?);
    let trace = [("ce_correlationid", correlation), ("traceparent", traceparent), ("tracestate", tracestate)];
    Ok(LogRow { shard, position, request, version, event_type, at, trace, payload })
}
