//! The memory budget: the bytes that all calls hold are bounded, and a call that exceeds the budget is refused.
//!
//! Half of it is reserved for the first bytes of every call, so large calls cannot starve small ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use thiserror::Error as ThisError;

use super::Error;
use super::limits::InFlight;

/// Bytes that are reserved for every call, whatever its size.
const CALL_BYTES: usize = 4 << 10;

/// Bytes of a call beyond this count towards the half for large calls.
const SMALL_BYTES: usize = 16 << 10;

/// Large bytes from which a call returns its memory to the system when it ends. A batch of a hundred small creates stays below.
const RETURNED_BYTES: i64 = 512 << 10;

/// Maximum bytes that all calls may hold. Clones share the budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Pools>);

/// The error that ends a body when the memory budget is exhausted.
#[derive(Debug, ThisError)]
#[error("{}", Error::Overloaded)]
pub struct OverBudget(#[source] BoxError);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl OverBudget {
    /// Creates the error with the answer of a transport as its source, where tonic looks for the status.
    pub fn new(answer: impl Into<BoxError>) -> Self {
        Self(answer.into())
    }
}

#[derive(Debug)]
struct Pools {
    small: Pool,
    large: Pool,
}

/// Free bytes; negative if overdrawn.
#[derive(Debug)]
struct Pool(AtomicI64);

/// The memory that one call holds until the last clone is dropped. The default holds nothing and is never refused.
#[derive(Clone, Debug, Default)]
pub struct Reservation(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    pools: Arc<Pools>,
    small: AtomicI64,
    large: AtomicI64,
    /// The call counts towards the limit of its caller as long as it holds memory.
    _in_flight: InFlight,
    /// Whether the answer has begun; after that nothing is refused.
    has_begun: AtomicBool,
}

impl Budget {
    /// A budget of `bytes`, half of them for small calls.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let half = || Pool(AtomicI64::new(signed(bytes / 2)));
        Self(Arc::new(Pools { small: half(), large: half() }))
    }

    /// Admits a call and reserves its first bytes.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the budget is exhausted.
    pub fn admit(&self) -> Result<Reservation, Error> {
        self.admit_counted(InFlight::default())
    }

    /// Admits a call that is in flight for the limits of its caller, until its memory is free.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the budget is exhausted.
    pub fn admit_counted(&self, in_flight: InFlight) -> Result<Reservation, Error> {
        let held = Held {
            pools: Arc::clone(&self.0),
            small: AtomicI64::new(0),
            large: AtomicI64::new(0),
            _in_flight: in_flight,
            has_begun: AtomicBool::new(false),
        };
        let reservation = Reservation(Some(Arc::new(held)));
        reservation.hold(CALL_BYTES)?;
        Ok(reservation)
    }
}

impl Reservation {
    /// Raises the bytes held to at least `bytes` in total.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the budget is exhausted.
    pub fn hold(&self, bytes: usize) -> Result<(), Error> {
        let Some(held) = &self.0 else { return Ok(()) };
        let (small, large) = split(bytes);
        let anyway = held.has_begun.load(Ordering::Relaxed);
        let fits =
            held.pools.small.take(&held.small, small, anyway) && held.pools.large.take(&held.large, large, anyway);
        if fits { Ok(()) } else { Err(Error::Overloaded) }
    }

    /// Raises the bytes held to at least `bytes` in total before an answer begins. From then on [`Self::hold`] refuses nothing,
    /// because an answer that has begun can only be cut off. So `bytes` must cover the whole answer.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the budget is exhausted.
    pub fn hold_to_the_end(&self, bytes: usize) -> Result<(), Error> {
        self.hold(bytes)?;
        if let Some(held) = &self.0 {
            held.has_begun.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Raises the bytes held to at least `bytes` in total even if that overdraws the budget: they are already in memory.
    pub fn hold_anyway(&self, bytes: usize) {
        let Some(held) = &self.0 else { return };
        let (small, large) = split(bytes);
        held.pools.small.take(&held.small, small, true);
        held.pools.large.take(&held.large, large, true);
    }

    /// Returns free memory to the system if the call is large: for calls that continue after a part of their answer is sent.
    pub fn return_free_memory(&self) {
        if self.is_large() {
            cmgate_allocator::return_free_memory();
        }
    }

    /// Whether the call counts as large.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.large.load(Ordering::Relaxed) > 0)
    }

    /// Whether large calls hold more than their half.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.pools.large.0.load(Ordering::Relaxed) < 0)
    }
}

impl Pool {
    /// Raises `held` to `wanted` and returns whether that succeeded. `anyway` overdraws instead of failing.
    fn take(&self, held: &AtomicI64, wanted: i64, anyway: bool) -> bool {
        let more = wanted - held.load(Ordering::Relaxed);
        if more <= 0 {
            return true;
        }
        let free = self.0.fetch_sub(more, Ordering::Relaxed);
        if free < more && !anyway {
            self.0.fetch_add(more, Ordering::Relaxed);
            return false;
        }
        held.fetch_add(more, Ordering::Relaxed);
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pools.small.0.fetch_add(*self.small.get_mut(), Ordering::Relaxed);
        self.pools.large.0.fetch_add(*self.large.get_mut(), Ordering::Relaxed);
        if *self.large.get_mut() >= RETURNED_BYTES {
            cmgate_allocator::return_free_memory();
        }
    }
}

/// Splits bytes into those that count towards the small half and the large half.
fn split(bytes: usize) -> (i64, i64) {
    let small = bytes.min(SMALL_BYTES);
    (signed(small), signed(bytes - small))
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Budget, CALL_BYTES, Reservation, SMALL_BYTES};

    const BYTES: usize = 256 << 10;

    /// Free bytes for large calls.
    fn free(budget: &Budget) -> i64 {
        budget.0.large.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[test]
    fn large_calls_are_refused_without_room_and_small_ones_are_not() {
        let budget = Budget::new(BYTES);
        let large = budget.admit().unwrap();
        large.hold(SMALL_BYTES + BYTES / 2).unwrap();
        assert!(large.is_large() && !large.is_overdrawn());
        let other = budget.admit().unwrap();
        assert!(other.hold(SMALL_BYTES + 1).is_err());
        other.hold(SMALL_BYTES).unwrap();
        assert!(!other.is_large());

        drop(large.clone());
        assert!(other.hold(SMALL_BYTES + 1).is_err(), "a clone still holds the memory");
        drop(large);
        other.hold(SMALL_BYTES + 1).unwrap();
    }

    #[test]
    fn small_calls_are_bounded_too() {
        let budget = Budget::new(BYTES);
        let admitted: Vec<Reservation> = std::iter::from_fn(|| budget.admit().ok()).collect();
        assert_eq!(admitted.len(), BYTES / 2 / CALL_BYTES);
        drop(admitted);
        budget.admit().unwrap();
    }

    #[test]
    fn memory_in_use_can_overdraw_the_budget() {
        let budget = Budget::new(BYTES);
        let call = budget.admit().unwrap();
        call.hold_anyway(BYTES);
        assert!(call.is_overdrawn());
        assert!(budget.admit().unwrap().hold(SMALL_BYTES + 1).is_err());
        drop(call);
        assert_eq!(free(&budget), 128 << 10);
    }

    #[test]
    fn an_answer_that_has_begun_is_not_refused() {
        let budget = Budget::new(BYTES);
        let other = budget.admit().unwrap();
        other.hold_anyway(BYTES);
        let call = budget.admit().unwrap();
        assert!(call.hold_to_the_end(SMALL_BYTES + 1).is_err());
        assert!(call.hold(SMALL_BYTES + 1).is_err(), "the answer has not begun");
        drop(other);
        call.hold_to_the_end(SMALL_BYTES + 1).unwrap();
        call.hold(BYTES).unwrap();
    }

    #[test]
    fn bytes_are_counted_once() {
        let budget = Budget::new(BYTES);
        let call = budget.admit().unwrap();
        for bytes in [SMALL_BYTES + 100, 50, SMALL_BYTES + 100, SMALL_BYTES + 150] {
            call.hold(bytes).unwrap();
        }
        assert_eq!(free(&budget), (128 << 10) - 150);
        Reservation::default().hold(usize::MAX).unwrap();
    }
}
