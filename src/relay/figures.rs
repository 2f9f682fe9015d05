//! The metrics of the relay. A value that is not known is absent, not 0.
//!
//! A process exports the metrics of a group from when it locks it until another process is known to hold the lock, so also while the
//! database is away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::status::WorkerStatus;
use super::timeout::with_timeout;
use crate::domain::{Position, Shard, Timestamp};
use crate::feed::Feed;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::names;
use crate::store::{Checkpoint, Store};

/// Interval of updates.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is known of one shard.
#[derive(Clone, Copy, Debug, Default)]
struct ShardView {
    /// Last position of the log, when the database last answered.
    log_end: Option<Position>,
    /// Last published position: the worker's cursor, else the checkpoint.
    published: Option<Position>,
    /// An event that was first in the log after those that were published, and when it was made.
    oldest: Option<(Position, Timestamp)>,
}

/// How long the oldest event of a shard has waited.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wait {
    /// No event waits.
    Nothing,
    /// In seconds.
    For(f64),
    /// None was seen to wait, but there may be one since.
    Unsure,
    /// An event waits; when it was made is not known.
    Unknown,
}

impl ShardView {
    /// Events that wait. `is_current`: the database has answered just now.
    fn waiting(&self, is_current: bool) -> Option<u64> {
        let waiting = self.log_end?.since(self.published?);
        (waiting > 0 || is_current).then_some(waiting)
    }

    fn oldest_waiting(&self) -> Option<Timestamp> {
        let (position, at) = self.oldest?;
        (position > self.published?).then_some(at)
    }

    fn wait(&self, now: Timestamp, is_current: bool) -> Wait {
        if let Some(at) = self.oldest_waiting() {
            return Wait::For(now.micros().saturating_sub(at.micros()).max(0) as f64 / 1e6);
        }
        match (self.waiting(is_current), self.published) {
            (Some(0), _) => Wait::Nothing,
            (None, Some(_)) => Wait::Unsure,
            (Some(_), _) | (None, None) => Wait::Unknown,
        }
    }
}

/// The longest wait of some shards; none if it is not known, or there is no shard.
fn longest(waits: impl IntoIterator<Item = Wait>) -> Option<f64> {
    let (mut longest, mut is_unsure, mut is_empty) = (0.0_f64, false, true);
    for wait in waits {
        is_empty = false;
        match wait {
            Wait::Nothing => {}
            Wait::For(seconds) => longest = longest.max(seconds),
            Wait::Unsure => is_unsure = true,
            Wait::Unknown => return None,
        }
    }
    (longest > 0.0 || !(is_unsure || is_empty)).then_some(longest)
}

/// What this process knows, in the order of the shards.
#[derive(Debug, Default)]
struct Knowledge {
    is_current: bool,
    log_ends: Option<Vec<Position>>,
    /// Shards of the workers of this process.
    shards: Vec<(Shard, ShardView)>,
}

/// Keeps the metrics up to date, on time whether or not the database answers.
pub(super) async fn report(store: Arc<dyn Store>, feed: Arc<Feed>, workers: Vec<Arc<WorkerStatus>>, clock: Clock) {
    let knowledge = Mutex::new(Knowledge::default());
    let shards: Vec<Shard> = store.topology().shards.shards().collect();
    let looking = async {
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            look(&*store, &feed, &workers, &knowledge).await;
        }
    };
    let showing = async {
        let mut ticks = ticks();
        loop {
            ticks.tick().await;
            show(&knowledge.lock().unwrap_or_else(PoisonError::into_inner), &shards, clock.now());
            for worker in &workers {
                show_fence(worker);
            }
        }
    };
    tokio::join!(looking, showing);
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Reads the workers and the database.
async fn look(store: &dyn Store, feed: &Feed, workers: &[Arc<WorkerStatus>], knowledge: &Mutex<Knowledge>) {
    let known = || knowledge.lock().unwrap_or_else(PoisonError::into_inner);
    let log_ends = with_timeout(store.log_ends()).await.ok();
    if let Some(log_ends) = &log_ends {
        feed.observe(log_ends);
    }
    let is_current = log_ends.is_some();
    let log_ends = log_ends.or_else(|| known().log_ends.clone());
    let cursors: Vec<_> =
        workers.iter().filter(|worker| worker.is_shown()).flat_map(|worker| worker.cursors()).collect();
    let checkpoints = if is_current && cursors.iter().any(|(_, cursor)| cursor.is_none()) {
        with_timeout(store.checkpoints()).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    let before = known().shards.clone();
    let mut shards = Vec::with_capacity(cursors.len());
    for (shard, cursor) in cursors {
        let before = before.iter().find(|(before, _)| *before == shard).map(|(_, view)| *view).unwrap_or_default();
        let stored = |checkpoints: &[Checkpoint]| checkpoints.get(shard.index()).map(|stored| stored.position);
        let mut view = ShardView {
            log_end: log_ends.as_ref().and_then(|log_ends| log_ends.get(shard.index()).copied()),
            published: cursor.or_else(|| stored(&checkpoints)).or(before.published),
            oldest: before.oldest,
        };
        if is_current
            && view.oldest_waiting().is_none()
            && view.waiting(true).is_some_and(|waiting| waiting > 0)
            && let Some(published) = view.published
            // Not only the next position: where old days were deleted, the first event that is left has waited at least so long.
            && let Ok(events) = with_timeout(store.read_log(shard, published, 1)).await
        {
            view.oldest = events.first().map(|event| (event.position, event.at));
        }
        shards.push((shard, view));
    }
    *known() = Knowledge { is_current, log_ends, shards };
}

/// Sets the gauges; unknown values become absent.
fn show(knowledge: &Knowledge, shards: &[Shard], now: Timestamp) {
    let Knowledge { is_current, log_ends, shards: views } = knowledge;
    for shard in shards {
        let view = views.iter().find(|(viewed, _)| viewed == shard).map(|(_, view)| *view).unwrap_or_default();
        let log_end = log_ends.as_ref().and_then(|log_ends| log_ends.get(shard.index()));
        set(names::LOG_POSITION, *shard, log_end.map(|log_end| log_end.get()));
        set(names::RELAY_POSITION, *shard, view.published.map(Position::get));
        set(names::RELAY_LAG_EVENTS, *shard, view.waiting(*is_current));
    }
    let longest = longest(views.iter().map(|(_, view)| view.wait(now, *is_current)));
    metrics::gauge!(names::RELAY_LAG_SECONDS).set(longest.unwrap_or(f64::NAN));
}

fn show_fence(worker: &WorkerStatus) {
    let age = worker.fence_age().map_or(f64::NAN, |age| age.as_secs_f64());
    metrics::gauge!(names::RELAY_FENCE_AGE_SECONDS, "group" => worker.group.number.to_string()).set(age);
}

/// A gauge that is not a number is not rendered.
fn set(name: &'static str, shard: Shard, value: Option<u64>) {
    metrics::gauge!(name, "shard" => shard.to_string()).set(value.map_or(f64::NAN, |value| value as f64));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn at(seconds_ago: i64) -> Timestamp {
        Timestamp::from_micros(NOW - seconds_ago * 1_000_000).unwrap()
    }

    fn view(log_end: Option<u64>, published: Option<u64>, oldest: Option<(u64, i64)>) -> ShardView {
        ShardView {
            log_end: log_end.map(Position::new),
            published: published.map(Position::new),
            oldest: oldest.map(|(position, ago)| (Position::new(position), at(ago))),
        }
    }

    #[test]
    fn a_wait_is_known_or_not_but_never_guessed() {
        let cases = [
            // Everything is published, as the database says now; or as it said when it last answered.
            (view(Some(5), Some(5), None), true, Wait::Nothing),
            (view(Some(5), Some(5), None), false, Wait::Unsure),
            // The oldest event goes on waiting whether or not the database answers.
            (view(Some(9), Some(5), Some((6, 30))), true, Wait::For(30.0)),
            (view(Some(9), Some(5), Some((6, 30))), false, Wait::For(30.0)),
            // Old days were deleted: the first event that is left.
            (view(Some(9), Some(5), Some((8, 30))), true, Wait::For(30.0)),
            // It was published meanwhile.
            (view(Some(9), Some(9), Some((6, 30))), true, Wait::Nothing),
            (view(Some(9), Some(7), Some((6, 30))), true, Wait::Unknown),
            // Nothing was ever answered.
            (view(None, None, None), false, Wait::Unknown),
            (view(None, Some(5), None), false, Wait::Unsure),
            (view(Some(9), None, None), true, Wait::Unknown),
            (view(Some(9), Some(5), None), true, Wait::Unknown),
        ];
        for (view, is_current, expected) in cases {
            assert_eq!(view.wait(at(0), is_current), expected, "{view:?}, current: {is_current}");
        }
    }

    #[test]
    fn a_wait_grows_with_the_time() {
        let waits = view(Some(9), Some(5), Some((6, 30)));
        assert_eq!(waits.wait(at(-60), false), Wait::For(90.0));
    }

    #[test]
    fn the_longest_wait_is_shown_unless_a_longer_one_is_possible() {
        use Wait::{For, Nothing, Unknown, Unsure};
        assert_eq!(longest([]), None, "no worker is here");
        assert_eq!(longest([Nothing, Nothing]), Some(0.0));
        assert_eq!(longest([Nothing, For(3.0), For(7.0)]), Some(7.0));
        assert_eq!(longest([Nothing, Unsure]), None);
        assert_eq!(longest([For(3.0), Unsure]), Some(3.0));
        assert_eq!(longest([For(3.0), Unknown]), None);
    }

    #[test]
    fn waiting_events_are_counted_from_what_is_known() {
        assert_eq!(view(Some(9), Some(5), None).waiting(false), Some(4));
        assert_eq!(view(Some(9), Some(9), None).waiting(true), Some(0));
        assert_eq!(view(Some(9), Some(9), None).waiting(false), None);
        assert_eq!(view(Some(9), None, None).waiting(true), None);
        assert_eq!(view(None, Some(5), None).waiting(true), None);
    }
}
