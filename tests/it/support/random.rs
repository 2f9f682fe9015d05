//! Random numbers that can be repeated: the same seed gives the same sequence.

use std::env;
use std::time::Duration;

use fastrand::Rng;

/// Spreads small numbers over the whole range, so that neighboring rounds have unrelated sequences.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// The seed of this run: `CMGATE_TEST_SEED` if it is set, else a new one. Printed, so that a failed run can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = env::var("CMGATE_TEST_SEED").map_or_else(|_| fastrand::u64(..1_000_000), |seed| seed.parse().unwrap());
    println!("random numbers: repeat them with CMGATE_TEST_SEED={seed}");
    seed
}

/// The sequence of one round: it depends on the seed and the round only, whatever other rounds do.
pub(crate) fn rng(seed: u64, round: u64) -> Rng {
    Rng::with_seed(seed ^ round.wrapping_add(1).wrapping_mul(SPREAD))
}

/// A random duration up to a limit.
pub(crate) fn up_to(rng: &mut Rng, limit: Duration) -> Duration {
    Duration::from_micros(rng.u64(..=u64::try_from(limit.as_micros()).unwrap()))
}
