//! Whether the server has connections left for this process, told at its start and not when they run out.

use sqlx::PgConnection;

use super::{PostgresSettings, StoreError};

/// Connections of batches and of reads by id, of which each that is under way has one, and of imports and upkeep.
const OTHERS: u32 = 12;

/// Warns if the server may run out of connections.
pub(super) async fn warn_if_scarce(
    settings: &PostgresSettings,
    connection: &mut PgConnection,
) -> Result<(), StoreError> {
    let sql = "SELECT current_setting('max_connections')::bigint
        - current_setting('superuser_reserved_connections')::bigint
        - (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database)::bigint";
    let left: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    let wanted = wanted(settings);
    if left < i64::from(wanted) {
        tracing::warn!(
            left,
            wanted,
            "the Postgres server may run out of connections: raise its max_connections, or lower database.max_connections"
        );
    }
    Ok(())
}

/// Connections that a process may have open.
fn wanted(settings: &PostgresSettings) -> u32 {
    settings.max_connections + settings.relay_connections + u32::from(settings.topology.partition_groups) + OTHERS
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
        assert_eq!(wanted(&settings), 102);
    }
}
