//! Prints the event log: one JSON object per line, in the order of each shard.
//!
//! Each object is the canonical JSON form of `cmgate.v1.RequestEvent` with its shard and position.

use std::io::{self, Write};
use std::time::Duration;

use thiserror::Error;

use crate::contract::{self, JsonForm, JsonFormError};
use crate::domain::{Position, Shard, ShardCount};
use crate::store::{LoggedEvent, Store, StoreError};

/// Events per read.
const PAGE: u32 = 500;
/// Time between two polls for new events.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Which events to print.
#[derive(Clone, Copy, Debug)]
pub(super) struct TailSettings {
    /// Only this shard; all of them otherwise.
    pub shard: Option<Shard>,
    /// First position to print, in each shard.
    pub from: Position,
    /// Whether to wait for new events.
    pub follow: bool,
}

/// Why printing stopped.
#[derive(Debug, Error)]
pub(super) enum TailError {
    /// There is no such shard.
    #[error("there is no shard {shard}; the log has shards 0 to {last}", last = shards.get() - 1)]
    UnknownShard {
        /// The requested shard.
        shard: Shard,
        /// The number of shards.
        shards: ShardCount,
    },
    /// The log could not be read.
    #[error("cannot read the event log")]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The built-in descriptors do not describe the event.
    #[error("the contract of this build is broken")]
    Contract(#[from] JsonFormError),
    /// A logged event is not a message of the contract.
    #[error("cannot decode the event at position {position} of shard {shard}")]
    Undecodable {
        /// Its shard.
        shard: Shard,
        /// Its position.
        position: Position,
        /// Why.
        source: prost::DecodeError,
    },
}

/// Prints the events of the log and, with `follow`, waits for new ones. An output closed by its reader, such as a pipe to `head`,
/// is a normal end.
///
/// # Errors
/// See [`TailError`].
pub(super) async fn tail(store: &dyn Store, settings: TailSettings, output: &mut impl Write) -> Result<(), TailError> {
    match print(store, settings, output).await {
        Err(TailError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

async fn print(store: &dyn Store, settings: TailSettings, output: &mut impl Write) -> Result<(), TailError> {
    let lines = Lines::new()?;
    // The cursor is the last printed position.
    let before = Position::new(settings.from.get().saturating_sub(1));
    let mut cursors: Vec<(Shard, Position)> =
        shards(store.topology().shards, settings.shard)?.into_iter().map(|shard| (shard, before)).collect();
    loop {
        let log_ends = store.log_ends().await?;
        for (shard, shown) in &mut cursors {
            let log_end = log_ends.get(shard.index()).copied().unwrap_or_default();
            while *shown < log_end {
                let events = store.read_log(*shard, *shown, PAGE).await?;
                let Some(last) = events.last() else { break };
                *shown = last.position;
                // Without `follow`, print up to the log end read above.
                for event in events.iter().filter(|event| settings.follow || event.position <= log_end) {
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
struct Lines(JsonForm);

impl Lines {
    fn new() -> Result<Self, TailError> {
        Ok(Self(JsonForm::of("cmgate.v1.RequestEvent")?))
    }

    fn write(&self, event: &LoggedEvent, output: &mut impl Write) -> Result<(), TailError> {
        let LoggedEvent { shard, position, .. } = *event;
        let message = contract::with_position(&event.payload, shard, position);
        let message = self.0.message(&message).map_err(|source| TailError::Undecodable { shard, position, source })?;
        serde_json::to_writer(&mut *output, &message).map_err(|error| TailError::Output(error.into()))?;
        output.write_all(b"\n").map_err(TailError::Output)
    }
}

#[cfg(test)]
mod tests;
