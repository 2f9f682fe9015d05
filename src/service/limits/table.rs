//! The state of each caller with a limit, in a bounded number of locked parts.

use std::collections::hash_map::{Entry as Slot, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use super::bucket::Bucket;
use super::{CallerLimit, Exceeded};
use crate::domain::UserId;

/// Number of parts, so that calls of different callers rarely wait for each other.
const PARTS: usize = 64;
/// Maximum number of callers in a part; 102,400 in all, which take about 13 MiB.
const CALLERS: usize = 1_600;
/// How many callers are looked at for each new one, to forget those without state.
const LOOKED_AT: usize = 4;
/// Minimum time between two log lines about one caller, in nanoseconds.
const LINE_INTERVAL: u64 = 10_000_000_000;

/// A call in flight, which ends when the value is dropped.
#[derive(Debug, Default)]
pub struct InFlight {
    _counted: Option<Arc<()>>,
}

/// Why a call is refused, and what the log says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) exceeded: Exceeded,
    /// Calls of the caller that were refused since the last line about it, if there should be a line now.
    pub(super) line: Option<u64>,
}

/// The callers with their state.
#[derive(Debug)]
pub(super) struct Table {
    parts: Box<[Mutex<Part>]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Part {
    callers: HashMap<UserId, State>,
    /// Each caller once; those looked at longest ago come first.
    order: VecDeque<UserId>,
}

#[derive(Debug, Default)]
struct State {
    bucket: Bucket,
    /// One reference more than there are calls in flight.
    calls: Arc<()>,
    /// Calls refused since the last line of the log.
    refused: u64,
    /// When the next line may be written.
    next_line: u64,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Admits a call of a caller. A refused call takes nothing from the rate.
    pub(super) fn admit(&self, user: UserId, limit: CallerLimit, now: u64) -> Result<InFlight, Refused> {
        // Callers may choose their ids, but not the keys of the hash.
        let part = self.hasher.hash_one(user) % PARTS as u64;
        let Some(part) = usize::try_from(part).ok().and_then(|part| self.parts.get(part)) else {
            return Ok(InFlight::default());
        };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.state(user, now).admit(limit, now)
    }
}

impl Part {
    fn state(&mut self, user: UserId, now: u64) -> &mut State {
        if !self.callers.contains_key(&user) {
            self.make_room(now);
        }
        match self.callers.entry(user) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(new) => {
                self.order.push_back(user);
                new.insert(State::default())
            }
        }
    }

    /// Forgets some callers without state. If there is still no room, forgets the caller looked at longest ago, which begins anew.
    fn make_room(&mut self, now: u64) {
        for _ in 0..LOOKED_AT {
            let Some(user) = self.order.pop_front() else { return };
            if self.callers.get(&user).is_some_and(|state| !state.is_new(now)) {
                self.order.push_back(user);
            } else {
                self.callers.remove(&user);
            }
        }
        while self.callers.len() >= CALLERS {
            let Some(user) = self.order.pop_front() else { return };
            self.callers.remove(&user);
        }
    }
}

impl State {
    fn admit(&mut self, limit: CallerLimit, now: u64) -> Result<InFlight, Refused> {
        // Only this function adds references, under the lock of the part.
        let in_flight = Arc::strong_count(&self.calls) - 1;
        if let Some(most) = limit.calls
            && in_flight >= most.get() as usize
        {
            return Err(self.refuse(Exceeded::Calls(most), now));
        }
        if let Some(rate) = limit.rate
            && !self.bucket.take(rate, now)
        {
            return Err(self.refuse(Exceeded::Rate(rate), now));
        }
        Ok(InFlight { _counted: Some(Arc::clone(&self.calls)) })
    }

    fn refuse(&mut self, exceeded: Exceeded, now: u64) -> Refused {
        self.refused += 1;
        let is_due = now >= self.next_line;
        let line = is_due.then(|| std::mem::take(&mut self.refused));
        if is_due {
            self.next_line = now.saturating_add(LINE_INTERVAL);
        }
        Refused { exceeded, line }
    }

    /// Whether a new state would be the same.
    fn is_new(&self, now: u64) -> bool {
        Arc::strong_count(&self.calls) == 1 && self.bucket.is_full(now)
    }
}

#[cfg(test)]
mod tests;
