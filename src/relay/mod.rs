//! The relay publishes every event of the log to the topic, exactly once and in order.
//!
//! A worker owns a group of shards and runs in one process at a time. It fences its predecessors, reads from the topic how far they
//! published, checks that against the database, and continues from there. It never trusts its memory after anything but a clean
//! commit. A contradiction halts the worker until an operator has resolved it.

pub mod kafka;

mod backlog;
mod check;
mod claim;
mod context;
mod cursor;
mod figures;
mod group;
mod halt;
mod operator;
mod replaced;
mod session;
mod status;
mod stop;
mod timeout;
mod topic_watch;
mod volume;
mod worker;

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::names;
use crate::store::Store;

pub use group::PartitionGroup;
pub use halt::Halt;
pub use operator::{Operator, OperatorError, StartFrom};
pub use status::{WorkerState, WorkerStatus};

use context::Context;
use kafka::{KafkaSettings, tally};
use replaced::Replaced;
use volume::VolumeLimit;
use worker::RelayWorker;

/// Settings of the relay.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Where the events go.
    pub kafka: KafkaSettings,
    /// How often the log ends are polled for events of other processes.
    pub poll_interval: Duration,
}

/// The running relay: a thread for each group of partitions, and the tasks around them.
#[derive(Debug)]
pub struct Relay {
    workers: Vec<Arc<WorkerStatus>>,
    drain: CancellationToken,
    broken: CancellationToken,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Relay {
    /// Starts a thread for each worker, and the tasks that watch the log and export metrics. Must be called within a runtime.
    ///
    /// # Errors
    /// The error of the operating system if a thread cannot be started.
    pub fn start(
        store: &Arc<dyn Store>,
        feed: &Arc<Feed>,
        clock: &Clock,
        settings: &RelaySettings,
    ) -> std::io::Result<Self> {
        let drain = CancellationToken::new();
        let broken = CancellationToken::new();
        let topology = store.topology();
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        Halt::begin_counting();
        tally::begin_counting();
        for group in PartitionGroup::all(topology) {
            let number = group.number;
            metrics::counter!(names::RELAY_RESTARTS, "group" => number.to_string()).increment(0);
            metrics::counter!(names::RELAY_FENCE_RENEWALS, "group" => number.to_string()).increment(0);
            let status = Arc::new(WorkerStatus::new(group));
            let worker = RelayWorker::new(Context {
                store: Arc::clone(store),
                feed: Arc::clone(feed),
                kafka: settings.kafka.clone(),
                status: Arc::clone(&status),
                drain: drain.clone(),
                volume: Cell::new(VolumeLimit::new(topology.partition_groups, settings.kafka.transaction_timeout)),
                replaced: Replaced::default(),
                runtime: Handle::current(),
            });
            let guard = broken.clone().drop_guard();
            let run = move || {
                worker.run();
                guard.disarm();
            };
            threads.push(thread::Builder::new().name(format!("relay-{number}")).spawn(run)?);
            workers.push(status);
        }
        metrics::gauge!(names::RELAY_PUBLISHING, "mode" => settings.kafka.publishing.name()).set(1.0);
        let watch = status::watch_log(Arc::clone(store), Arc::clone(feed), workers.clone(), settings.poll_interval);
        let report = figures::report(Arc::clone(store), Arc::clone(feed), workers.clone(), clock.clone());
        tokio::spawn(drain.clone().run_until_cancelled_owned(watch));
        tokio::spawn(drain.clone().run_until_cancelled_owned(report));
        Ok(Self { workers, drain, broken, threads })
    }

    /// The state of the workers of this process.
    #[must_use]
    pub fn workers(&self) -> &[Arc<WorkerStatus>] {
        &self.workers
    }

    /// Cancelled if a worker panics. Nothing publishes its shards then, so the process should exit and let another take over.
    #[must_use]
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Publishes the rest of the log, stores the checkpoints and ends the workers. Call it once nothing is written any more, and
    /// with a deadline: it waits for them.
    pub async fn drain(self) {
        self.drain.cancel();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                // A worker that panicked has nothing left to drain, and its process exits anyway.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}
