//! The embedded store: SQLite.

/// A SQLite database.
#[derive(Debug)]
pub struct Sqlite;
