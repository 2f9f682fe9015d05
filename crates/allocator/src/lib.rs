//! The memory allocator of the process, and its options that have no safe interface.

use std::ffi::{c_int, c_long};

use libmimalloc_sys::mi_option_set_default;

/// The allocator. That of the system is slow for many small objects on many threads, which is what calls allocate.
pub use mimalloc::MiMalloc as Allocator;

/// Position of `mi_option_purge_delay` in `mi_option_e` of `mimalloc.h`.
const PURGE_DELAY: c_int = 15;

/// How long freed memory stays with the process, in milliseconds. Within its default of one second, a list of large requests
/// frees several times what it needs at any moment, and all of that counts as the memory of the process.
const PURGE_DELAY_MILLIS: c_long = 20;

/// Size from which the allocator of the system, which SQLite and librdkafka use, maps memory for each object and unmaps it when
/// the object is freed, in bytes. By default glibc raises it to the largest object that was freed, and keeps those smaller.
#[cfg(target_env = "gnu")]
const MAP_BYTES: c_int = 128 << 10;

/// Returns freed memory to the system sooner than by default. `MIMALLOC_PURGE_DELAY` in the environment takes precedence.
pub fn return_memory_early() {
    // SAFETY: mimalloc ignores options that it does not know, and options may be set at any time from any thread.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MILLIS) }
    #[cfg(target_env = "gnu")]
    // SAFETY: glibc takes its own lock, and checks the value.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAP_BYTES)
    };
}

#[cfg(test)]
mod tests {
    use std::env;

    use libmimalloc_sys::mi_option_get;

    use super::{PURGE_DELAY, PURGE_DELAY_MILLIS, return_memory_early};

    /// Fails if another version of mimalloc orders its options differently.
    #[test]
    fn the_option_is_the_purge_delay() {
        assert!(env::var_os("MIMALLOC_PURGE_DELAY").is_none(), "the environment takes precedence");
        // SAFETY: reads an option.
        let read = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(read(), 1_000, "the default of mimalloc 3");
        return_memory_early();
        assert_eq!(read(), PURGE_DELAY_MILLIS);
    }
}
