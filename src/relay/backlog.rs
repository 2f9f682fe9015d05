//! What a lane publishes next in a shard: from memory if it is there, else from the log, which is read ahead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::lane::Lane;
use crate::domain::{Position, Shard};
use crate::store::{LoggedEvent, StoreError};

/// Most events of a shard in one transaction, and in one reading of the log. A transaction costs the broker as much as a
/// hundred events or two.
pub(super) const SHARD_BATCH: u32 = 2_000;

/// Most bytes of a shard in one transaction, so that its records are one request (1,000,000 bytes for librdkafka and, by
/// default, for the broker). A second one is not sent before the first is answered, and librdkafka spins meanwhile.
const SHARD_BYTES: usize = 950_000;

/// About what a record takes beside its payload: key, headers, lengths.
const RECORD_OVERHEAD: usize = 400;

/// What was read of the log and is not published yet, and the readings under way.
#[derive(Default)]
pub(super) struct Backlog {
    shards: BTreeMap<Shard, Stock>,
}

#[derive(Default)]
struct Stock {
    events: VecDeque<LoggedEvent>,
    ahead: Option<Ahead>,
}

struct Ahead {
    after: Position,
    events: AbortOnDropHandle<Result<Vec<LoggedEvent>, StoreError>>,
}

impl Backlog {
    /// The events of a shard that follow the cursor, as many as go together.
    pub(super) fn next(&mut self, lane: &Lane, shard: Shard, cursor: Position) -> Result<Vec<LoggedEvent>, StoreError> {
        let stock = self.shards.entry(shard).or_default();
        if stock.events.front().is_none_or(|event| event.position != cursor.next()) {
            stock.events = lane.feed.read(shard, cursor, SHARD_BATCH as usize).into();
        }
        if stock.events.is_empty() {
            stock.events = stock.read(lane, shard, cursor)?.into();
            if let Some(last) = stock.events.back() {
                stock.ahead = Ahead::start(lane, shard, last.position);
            }
        }
        Ok(stock.events.drain(..together(&stock.events)).collect())
    }
}

impl Stock {
    fn read(&mut self, lane: &Lane, shard: Shard, cursor: Position) -> Result<Vec<LoggedEvent>, StoreError> {
        if let Some(ahead) = self.ahead.take().filter(|ahead| ahead.after == cursor)
            // A reading that broke off is made again.
            && let Some(events) = lane.ask(async { Ok(ahead.events.await.ok()) })?
        {
            return events;
        }
        lane.ask(lane.store.read_log(shard, cursor, SHARD_BATCH))
    }
}

impl Ahead {
    /// Starts to read what follows, if there is anything.
    fn start(lane: &Lane, shard: Shard, after: Position) -> Option<Self> {
        if lane.feed.head(shard) <= after {
            return None;
        }
        let store = Arc::clone(&lane.store);
        let read = lane.runtime.spawn(async move { store.read_log(shard, after, SHARD_BATCH).await });
        Some(Self { after, events: AbortOnDropHandle::new(read) })
    }
}

/// How many of these events go into one transaction; one always does.
fn together(events: &VecDeque<LoggedEvent>) -> usize {
    let mut bytes = 0;
    let fits = |event: &&LoggedEvent| {
        bytes += event.payload.len() + RECORD_OVERHEAD;
        bytes <= SHARD_BYTES
    };
    events.iter().take_while(fits).count().max(1).min(events.len())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EventType, RequestId, Timestamp, Version};

    #[test]
    fn events_go_together_as_long_as_their_records_are_one_request() {
        assert_eq!(together(&VecDeque::new()), 0);
        assert_eq!(together(&events(&[SHARD_BYTES, 1])), 1);
        assert_eq!(together(&events(&[1, SHARD_BYTES, 1])), 1);
        let half = SHARD_BYTES / 2 - RECORD_OVERHEAD;
        assert_eq!(together(&events(&[half, half, 0])), 2);
        assert_eq!(together(&events(&[half, half - RECORD_OVERHEAD, 0, 0])), 3);
    }

    fn events(sizes: &[usize]) -> VecDeque<LoggedEvent> {
        let event = |(position, size): (u64, &usize)| LoggedEvent {
            shard: Shard::new(0),
            position: Position::new(position),
            request: RequestId::new(Uuid::nil()),
            version: Version::FIRST,
            event_type: EventType::Created,
            at: Timestamp::from_micros(0).unwrap(),
            traceparent: None,
            payload: Bytes::from(vec![0; *size]),
        };
        (1..).zip(sizes).map(event).collect()
    }
}
