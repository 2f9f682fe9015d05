//! A session: appends under a fence until something unexpected happens or the fence has to be renewed.

mod partition;
mod progress;
mod sender;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

pub(crate) use partition::Expect;
use partition::{Partition, Queued};
pub use progress::Acknowledged;
use progress::Progress;
use sender::Sender;

use crate::batch::HEADER_BYTES;
use crate::cluster::Cluster;
use crate::fence::{Links, Producer};
use crate::{Failure, Lane, Limits, Record};

/// The right to append to the partitions of a lane. Only [`Claim::fence`](crate::Claim::fence) makes one.
///
/// Its sender gives up the connections and the epoch at the first error; then every call returns [`Ended`]. What was not acknowledged
/// by then may or may not be on the topic: the tails of the next session tell.
#[derive(Debug)]
pub struct Session {
    producer: Producer,
    partitions: Vec<i32>,
    limits: Limits,
    work: mpsc::UnboundedSender<Work>,
    progress: Arc<Progress>,
    /// Bytes that may still be queued.
    room: Arc<Semaphore>,
    task: JoinHandle<()>,
}

/// Records by partition, which leave in as few requests as possible.
#[derive(Debug)]
struct Work(Vec<(i32, Vec<Queued>)>);

/// Why a session is over.
#[derive(Debug)]
pub enum End {
    /// The fence is due for renewal. Begin the next session at once.
    Renewal,
    /// Something unexpected. Begin the next session after a pause.
    Failed(Failure),
}

/// The end of a session, the same for every call.
#[derive(Clone, Debug)]
pub struct Ended(Arc<End>);

impl Ended {
    /// Why the session is over.
    #[must_use]
    pub fn reason(&self) -> &End {
        &self.0
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            End::Renewal => f.write_str("the fence is due for renewal"),
            End::Failed(failure) => failure.fmt(f),
        }
    }
}

impl Error for Ended {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            End::Renewal => None,
            End::Failed(failure) => failure.source(),
        }
    }
}

impl Session {
    /// Starts the sender of a fenced lane.
    pub(crate) fn start(
        cluster: &Cluster,
        lane: Lane,
        producer: Producer,
        links: Links,
        expected: BTreeMap<i32, Expect>,
        began: Duration,
    ) -> Self {
        let limits = lane.limits;
        let room = Arc::new(Semaphore::new(limits.queue_bytes.max(limits.batch_bytes)));
        let progress = Arc::new(Progress::new(Arc::clone(&room)));
        let (work, mut queue) = mpsc::unbounded_channel();
        let partitions = lane.partitions.clone();
        let states = expected.into_iter().map(|(number, expect)| (number, Partition::new(expect))).collect();
        let sender = Sender::new(cluster, lane, producer, links, states, began, Arc::clone(&progress));
        let report = Arc::clone(&progress);
        let task = tokio::spawn(async move {
            // The queue closes after the end is reported, so that whoever meets a closed queue learns the reason.
            if let Some(end) = sender.run(&mut queue).await {
                report.end(Ended(Arc::new(end)));
            }
        });
        Self { producer, partitions, limits, work, progress, room, task }
    }

    /// The producer id and epoch of this session.
    #[must_use]
    pub const fn producer(&self) -> Producer {
        self.producer
    }

    /// Queues records behind those that were appended to the partition before; waits while too many bytes are queued or in flight. If
    /// the call is cancelled, the first ones may be queued.
    ///
    /// # Errors
    /// [`Ended`] if the session is over. A record that is too large for a batch ends it.
    pub async fn append(&mut self, partition: i32, records: Vec<Record>) -> Result<(), Ended> {
        self.append_all(vec![(partition, records)]).await
    }

    /// [`append`](Self::append) to several partitions. Those that fit into the queue together share a request to each leader.
    ///
    /// # Errors
    /// [`Ended`] if the session is over. A record that is too large for a batch ends it.
    pub async fn append_all(&mut self, batches: Vec<(i32, Vec<Record>)>) -> Result<(), Ended> {
        let most = self.limits.queue_bytes.min(self.limits.request_bytes).max(self.limits.batch_bytes);
        let (mut work, mut bytes) = (Vec::new(), 0);
        for (partition, records) in batches {
            if !self.partitions.contains(&partition) {
                return Err(self.fail(Failure::NoLeader(partition)));
            }
            let mut chunk = Vec::new();
            for record in records {
                let size = record.max_size();
                if HEADER_BYTES + size > self.limits.batch_bytes {
                    let limit = self.limits.batch_bytes;
                    return Err(self.fail(Failure::RecordTooLarge { partition, bytes: HEADER_BYTES + size, limit }));
                }
                if bytes + size > most {
                    work.push((partition, std::mem::take(&mut chunk)));
                    self.queue(std::mem::take(&mut work), std::mem::take(&mut bytes)).await?;
                }
                bytes += size;
                chunk.push(Queued { record, size });
            }
            work.push((partition, chunk));
        }
        self.queue(work, bytes).await
    }

    async fn queue(&self, mut work: Vec<(i32, Vec<Queued>)>, bytes: usize) -> Result<(), Ended> {
        work.retain(|(_, records)| !records.is_empty());
        if work.is_empty() {
            return Ok(());
        }
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Closed when the session ends.
        match self.room.acquire_many(wanted).await {
            Ok(permits) => permits.forget(),
            Err(_) => return Err(self.progress.ended()),
        }
        self.work.send(Work(work)).map_err(|_| self.progress.ended())
    }

    /// What the brokers have acknowledged since the last call, at most one entry for each partition; waits for the first. Can be
    /// cancelled without a loss.
    ///
    /// # Errors
    /// [`Ended`] once the session is over and every acknowledgement was returned.
    pub async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, Ended> {
        self.progress.take().await
    }

    /// Ends the session from this side.
    fn fail(&self, failure: Failure) -> Ended {
        self.task.abort();
        self.progress.end(Ended(Arc::new(End::Failed(failure))));
        self.progress.ended()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
