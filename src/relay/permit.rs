//! The operator's word that the relay may go on although the topic is empty.

use uuid::Uuid;

use crate::domain::{Position, Shard};
use crate::store::{Checkpoint, Store, StoreError};

/// Tries to get the word in between two looks of a halted lane.
const ATTEMPTS: u32 = 10;

/// Where the relay goes on with a topic that is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// At the first position: everything in the log is published, again.
    Start,
    /// After the checkpoint: what was published before is not repeated.
    Checkpoint,
}

/// Lets the relay start an empty topic. Halted lanes notice by themselves.
///
/// # Errors
/// What the store says; [`StoreError::Unfit`] if lanes are so busy that the word does not get through.
pub async fn allow_empty_topic(store: &dyn Store, from: StartFrom) -> Result<Vec<Checkpoint>, StoreError> {
    let shards: Vec<Shard> = store.topology().shards.shards().collect();
    for _ in 0..ATTEMPTS {
        let owner = Uuid::new_v4();
        store.claim_checkpoints(&shards, owner).await?;
        let mut allowed = store.checkpoints().await?;
        for checkpoint in &mut allowed {
            checkpoint.may_start_topic = true;
            if from == StartFrom::Start {
                checkpoint.position = Position::START;
            }
        }
        store.put_checkpoints(&allowed).await?;
        let stored = store.checkpoints().await?;
        if stored.iter().all(|checkpoint| checkpoint.may_start_topic) {
            return Ok(stored);
        }
    }
    Err(StoreError::Unfit("a relay lane keeps its checkpoints to itself; stop the service and try again".to_owned()))
}
