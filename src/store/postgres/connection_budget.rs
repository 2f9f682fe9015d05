//! A check at startup whether the server has enough free connections for this process.

use sqlx::PgConnection;

use super::{PostgresSettings, StoreError};

/// Connections for batches and reads by id or by a user's keys, one for each in flight, and for imports and maintenance.
const OTHER_CONNECTIONS: u32 = 16;

/// Warns if the server may run out of connections.
pub(super) async fn warn_if_scarce(
    settings: &PostgresSettings,
    connection: &mut PgConnection,
) -> Result<(), StoreError> {
    let left = connections_left(connection).await?;
    let wanted = connections_needed(settings);
    if left < i64::from(wanted) {
        tracing::warn!(
            left,
            wanted,
            "the Postgres server may run out of connections: raise its max_connections, or lower database.max_connections"
        );
    }
    Ok(())
}

/// Connections that the server has left.
pub(super) async fn connections_left(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let sql = "SELECT current_setting('max_connections')::bigint
        - current_setting('superuser_reserved_connections')::bigint
        - (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database)::bigint";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

/// Maximum connections of a process.
pub(super) fn connections_needed(settings: &PostgresSettings) -> u32 {
    settings.max_connections
        + settings.relay_connections
        + u32::from(settings.topology.partition_groups)
        + OTHER_CONNECTIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ShardCount;
    use crate::store::Topology;

    #[test]
    fn each_partition_group_needs_a_connection_for_its_lock() {
        let topology = Topology { shards: ShardCount::new(64).unwrap(), partition_groups: 64 };
        let settings = PostgresSettings { url: String::new(), max_connections: 16, relay_connections: 10, topology };
        assert_eq!(connections_needed(&settings), 106);
    }
}
