//! What all integration tests share. Each word has one meaning: a [`TestDatabase`](database::TestDatabase) is an empty Postgres
//! or SQLite database; a [`TestEnv`](env::TestEnv) is a database with a topic; an [`Instance`](instance::Instance) is the built
//! program, running as a process on an environment; a [`TestLog`](relay::TestLog) is a store opened in this process with its
//! topic; a [`TestRelay`](relay::TestRelay) publishes a log from within this process; a [`Fleet`](crate::chaos::fleet::Fleet)
//! is several instances on one environment, under load.

pub(crate) mod client;
pub(crate) mod commands;
pub(crate) mod database;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod instance;
pub(crate) mod kafka;
pub(crate) mod random;
pub(crate) mod relay;
pub(crate) mod servers;
pub(crate) mod wait;
