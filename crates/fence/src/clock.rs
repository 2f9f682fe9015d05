//! The clock that the age of a fence and the timestamps of records go by. It also counts while the machine is suspended, and nobody can
//! set it.

use std::fmt::Debug;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Where a session takes the time from.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Time since the machine started, including the time that it was suspended; never goes back.
    fn since_boot(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn since_boot(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// Milliseconds, as Kafka counts them.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::{Clock, SystemClock};

    /// A clock that a test moves.
    #[derive(Debug, Default)]
    pub(crate) struct TestClock(Mutex<Duration>);

    impl TestClock {
        pub(crate) fn sleep(&self, time: Duration) {
            *self.0.lock().unwrap() += time;
        }
    }

    impl Clock for TestClock {
        fn since_boot(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn the_boot_time_clock_is_not_behind_the_monotonic_one() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
        assert!(SystemClock.since_boot().as_secs_f64() + 0.02 > seconds, "{uptime}");
    }
}
