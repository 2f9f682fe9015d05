//! What every step of a worker needs: the log, Kafka, and where its state is shown.

use std::cell::Cell;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::kafka::KafkaSettings;
use super::replaced::Replaced;
use super::status::WorkerStatus;
use super::timeout::with_timeout;
use super::volume::VolumeLimit;
use crate::domain::Shard;
use crate::feed::Feed;
use crate::store::{Store, StoreError};

/// The surroundings of a worker. They outlive its sessions.
pub(super) struct Context {
    pub(super) store: Arc<dyn Store>,
    pub(super) feed: Arc<Feed>,
    pub(super) kafka: KafkaSettings,
    pub(super) status: Arc<WorkerStatus>,
    pub(super) drain: CancellationToken,
    /// Kept over all sessions: it describes the cluster.
    pub(super) volume: Cell<VolumeLimit>,
    pub(super) replaced: Replaced,
    pub(super) runtime: Handle,
}

impl Context {
    /// Number of the worker's partition group.
    pub(super) fn group(&self) -> u16 {
        self.status.group.number
    }

    /// The shards of the group.
    pub(super) fn shards(&self) -> &[Shard] {
        &self.status.group.shards
    }

    /// Runs a query of the store and waits for its answer, within the time limit.
    pub(super) fn query<T>(&self, query: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.runtime.block_on(with_timeout(query))
    }
}
