//! Shows the event log to people and scripts: one JSON object a line, in the order of each shard.
//!
//! The object is the canonical JSON form of `cmgate.v1.RequestEvent`, with its shard and position, made by way of the
//! descriptors, so that it can never differ from the contract.

use std::io::{self, Write};
use std::time::Duration;

use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use thiserror::Error;

use crate::contract;
use crate::domain::{Position, Shard, ShardCount};
use crate::store::{LoggedEvent, Store, StoreError};

/// Events read at once.
const PAGE: u32 = 500;
/// Time between two looks at how far the log reaches.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Which events to show.
#[derive(Clone, Copy, Debug)]
pub struct TailSettings {
    /// Only this shard; all of them otherwise.
    pub shard: Option<Shard>,
    /// First position to show, in each shard.
    pub from: Position,
    /// Whether to go on with new events as they come.
    pub follow: bool,
}

/// The events cannot be shown, or no further.
#[derive(Debug, Error)]
pub enum TailError {
    /// There is no such shard.
    #[error("there is no shard {shard}; the log has shards 0 to {last}", last = shards.get() - 1)]
    UnknownShard {
        /// The shard that was asked for.
        shard: Shard,
        /// How many there are.
        shards: ShardCount,
    },
    /// The log could not be read.
    #[error("the event log cannot be read")]
    Store(#[from] StoreError),
    /// The output does not take what is written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// The contract that was built in does not describe the event.
    #[error("the contract of this build is broken")]
    Contract(#[source] Option<DescriptorError>),
    /// A logged event is not a message of the contract.
    #[error("the event at position {position} of shard {shard} cannot be decoded")]
    Undecodable {
        /// Its shard.
        shard: Shard,
        /// Its position.
        position: Position,
        /// Why.
        source: prost::DecodeError,
    },
}

/// Writes the events of the log, and goes on with new ones if asked to. An output that is closed by its reader, such as
/// a pipe to `head`, is a normal end.
///
/// # Errors
/// What [`TailError`] says.
pub async fn tail(store: &dyn Store, settings: TailSettings, output: &mut impl Write) -> Result<(), TailError> {
    match print(store, settings, output).await {
        Err(TailError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

async fn print(store: &dyn Store, settings: TailSettings, output: &mut impl Write) -> Result<(), TailError> {
    let lines = Lines::new()?;
    // What was shown last, so one before the first position to show.
    let before = Position::new(settings.from.get().saturating_sub(1));
    let mut cursors: Vec<(Shard, Position)> =
        shards(store.topology().shards, settings.shard)?.into_iter().map(|shard| (shard, before)).collect();
    loop {
        let heads = store.heads().await?;
        for (shard, shown) in &mut cursors {
            let head = heads.get(shard.index()).copied().unwrap_or_default();
            while *shown < head {
                let events = store.read_log(*shard, *shown, PAGE).await?;
                let Some(last) = events.last() else { break };
                *shown = last.position;
                // What came after the look at the heads is left to the next look, if there is one.
                for event in events.iter().filter(|event| settings.follow || event.position <= head) {
                    lines.write(event, output)?;
                }
            }
        }
        output.flush().map_err(TailError::Output)?;
        if !settings.follow {
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn shards(shards: ShardCount, wanted: Option<Shard>) -> Result<Vec<Shard>, TailError> {
    match wanted {
        None => Ok(shards.shards().collect()),
        Some(shard) if shard.number() < shards.get() => Ok(vec![shard]),
        Some(shard) => Err(TailError::UnknownShard { shard, shards }),
    }
}

/// Writes events as lines of JSON.
struct Lines {
    event: MessageDescriptor,
    options: SerializeOptions,
}

impl Lines {
    fn new() -> Result<Self, TailError> {
        let pool = DescriptorPool::decode(contract::DESCRIPTORS).map_err(|error| TailError::Contract(Some(error)))?;
        let event = pool.get_message_by_name("cmgate.v1.RequestEvent").ok_or(TailError::Contract(None))?;
        // Every line has the same keys, so that a script need not know which values are defaults.
        Ok(Self { event, options: SerializeOptions::new().skip_default_fields(false) })
    }

    fn write(&self, event: &LoggedEvent, output: &mut impl Write) -> Result<(), TailError> {
        let LoggedEvent { shard, position, .. } = *event;
        let message = contract::place_event(&event.payload, shard, position);
        let message = DynamicMessage::decode(self.event.clone(), message.as_slice())
            .map_err(|source| TailError::Undecodable { shard, position, source })?;
        let mut json = serde_json::Serializer::new(&mut *output);
        message.serialize_with_options(&mut json, &self.options).map_err(|error| TailError::Output(error.into()))?;
        output.write_all(b"\n").map_err(TailError::Output)
    }
}

#[cfg(test)]
mod tests;
