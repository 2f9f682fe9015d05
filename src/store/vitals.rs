//! What monitoring shows about a database: the use of its connections, and readings that cost little.

use crate::runtime::server_time::ServerTime;

/// The use of a pool of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// What its connections are for.
    pub name: &'static str,
    /// Connections in use, and those being opened.
    pub in_use: usize,
    /// Idle connections.
    pub idle: usize,
    /// Maximum connections; `None` if the users of the pool bound their own number.
    pub limit: Option<usize>,
}

/// Readings of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Partition groups whose lock nobody holds.
    pub groups_without_owner: u16,
    /// The clock of the server, if it has one of its own.
    pub clock: Option<ServerTime>,
    /// Sizes of files in bytes, where they are known.
    pub files: Vec<(&'static str, u64)>,
}
