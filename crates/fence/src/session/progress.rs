//! What the sender reports to its session: acknowledgements, summed up by partition so that they take little memory, and the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, Semaphore};

use super::{End, Ended};
use crate::error::malformed;

/// Records of a partition that are replicated and visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Partition.
    pub partition: i32,
    /// How many of the records that follow those acknowledged before.
    pub records: usize,
    /// Offset after the last of them.
    pub end: i64,
}

/// Shared by a session and its sender.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Notify,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    acknowledged: BTreeMap<i32, Acknowledged>,
    ended: Option<Ended>,
}

impl Progress {
    pub(super) fn new(room: Arc<Semaphore>) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), room }
    }

    /// Reports records, and makes room for as many bytes.
    pub(super) fn acknowledge(&self, partition: i32, records: usize, bytes: usize, end: i64) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let sum = state.acknowledged.entry(partition).or_insert(Acknowledged { partition, records: 0, end });
            sum.records += records;
            sum.end = end;
        }
        self.room.add_permits(bytes);
        self.changed.notify_one();
    }

    /// Reports the end; the first one stays.
    pub(super) fn end(&self, ended: Ended) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended.get_or_insert(ended);
        self.room.close();
        self.changed.notify_one();
    }

    pub(super) fn ended(&self) -> Ended {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = || Ended(Arc::new(End::Failed(malformed("the sender", "it stopped without a reason"))));
        state.ended.clone().unwrap_or_else(unknown)
    }

    pub(super) async fn take(&self) -> Result<Vec<Acknowledged>, Ended> {
        loop {
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if !state.acknowledged.is_empty() {
                    return Ok(std::mem::take(&mut state.acknowledged).into_values().collect());
                }
                if let Some(ended) = &state.ended {
                    return Err(ended.clone());
                }
            }
            self.changed.notified().await;
        }
    }
}
