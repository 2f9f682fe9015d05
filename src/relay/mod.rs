//! The relay: every event of the log onto the topic, exactly once and in order.
//!
//! A lane owns a fixed group of shards and runs in one process at a time. It fences its predecessors, reads from the topic
//! itself how far they came, checks that against the database, and goes on from there. Memory is never trusted after
//! anything but a clean commit. What contradicts the guarantee halts the lane until an operator has decided.

mod answer;
mod backlog;
mod check;
mod cursor;
mod figures;
mod halt;
mod lane;
mod operator;
mod session;
mod status;
mod stop;
mod topic_watch;
mod volume;

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::kafka::KafkaSettings;
use crate::runtime::clock::Clock;
use crate::store::Store;

pub use halt::Halt;
pub use operator::{Operator, OperatorError, StartFrom};
pub use status::{LaneState, LaneStatus};

use volume::VolumeLimit;

/// How the relay works.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Where the events go.
    pub kafka: KafkaSettings,
    /// How often the log is looked at for events of other processes.
    pub poll_interval: Duration,
}

/// The running relay.
#[derive(Debug)]
pub struct Relay {
    lanes: Vec<Arc<LaneStatus>>,
    drain: CancellationToken,
    broken: CancellationToken,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Relay {
    /// Starts a thread for each lane, and the tasks that watch the log and report. To be called within a runtime.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(
        store: &Arc<dyn Store>,
        feed: &Arc<Feed>,
        clock: &Clock,
        settings: &RelaySettings,
    ) -> std::io::Result<Self> {
        let drain = CancellationToken::new();
        let broken = CancellationToken::new();
        let topology = store.topology();
        let mut lanes = Vec::new();
        let mut threads = Vec::new();
        for number in 0..topology.lanes {
            let status = Arc::new(LaneStatus::new(number, topology.shards_of(number).collect()));
            let lane = lane::Lane {
                store: Arc::clone(store),
                feed: Arc::clone(feed),
                kafka: settings.kafka.clone(),
                status: Arc::clone(&status),
                drain: drain.clone(),
                volume: Cell::new(VolumeLimit::new(topology.lanes, settings.kafka.transaction_timeout)),
                runtime: Handle::current(),
            };
            let guard = broken.clone().drop_guard();
            let run = move || {
                lane.run();
                guard.disarm();
            };
            threads.push(thread::Builder::new().name(format!("relay-{number}")).spawn(run)?);
            lanes.push(status);
        }
        let watch = status::watch_log(Arc::clone(store), Arc::clone(feed), lanes.clone(), settings.poll_interval);
        let report = figures::report(Arc::clone(store), Arc::clone(feed), lanes.clone(), clock.clone());
        tokio::spawn(drain.clone().run_until_cancelled_owned(watch));
        tokio::spawn(drain.clone().run_until_cancelled_owned(report));
        Ok(Self { lanes, drain, broken, threads })
    }

    /// How the lanes of this process are.
    #[must_use]
    pub fn lanes(&self) -> &[Arc<LaneStatus>] {
        &self.lanes
    }

    /// Cancelled if a lane ends by a defect. Its shards are not published any more, so the process had better end and leave
    /// them to another.
    #[must_use]
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Lets the lanes publish what is in the log, keep their place and end. To be called once nothing is written any more;
    /// waits for them, so give it a deadline.
    pub async fn drain(self) {
        self.drain.cancel();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                // A lane that panicked has nothing left to drain; its process ends anyway.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}
