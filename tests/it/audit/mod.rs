//! The auditor: reads the database and the topic without any code of the service, and checks that each acknowledged write
//! is in the log once, and the log on the topic exactly once and in order.
//!
//! It checks the invariants that any consumer may rely on: every version of a request has one event (I1), positions are
//! dense (I2), the topic has each position once and in order (I3), every life is legal (I4), every record equals its row
//! (I5), and the topic is never ahead of the database (I6).

mod check;
mod database;
mod event;
mod evidence;
mod life;
mod partition;
mod record;
mod report;
mod tests;
mod topic;

use tokio::task::spawn_blocking;

pub(crate) use evidence::{Acknowledged, TopicRecord};
pub(crate) use report::{Report, Violation};
pub(crate) use topic::read as read_topic;

/// Audits a database against a topic. `acknowledged` lists the acknowledged writes.
///
/// An audit can run while others write. It reads the checkpoints before the topic and the topic before the database, so that each
/// covers what was read before it.
pub(crate) async fn audit(
    database_url: &str,
    brokers: &str,
    topic: &str,
    acknowledged: Vec<Acknowledged>,
) -> anyhow::Result<Report> {
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    let checkpoints = database::read(database_url).await?.checkpoints;
    let records = spawn_blocking(move || topic::read(&brokers, &topic)).await??;
    let database = evidence::Tables { checkpoints, ..database::read(database_url).await? };
    Ok(check::check(&evidence::Evidence { database, records, acknowledged }))
}
