//! The production store: Postgres 15 or newer.

/// A Postgres database.
#[derive(Debug)]
pub struct Postgres;
