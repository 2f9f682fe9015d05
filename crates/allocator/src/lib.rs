//! The memory allocator of the process, and an option of the system's allocator that has no safe interface.

/// The allocator. That of the system is slow for many small objects on many threads, which is what calls allocate.
///
/// It keeps freed memory for a second. Less was measured: at 20 ms, creates cost a third more processor time.
pub use mimalloc::MiMalloc as Allocator;

/// Makes the allocator of the system, which SQLite and librdkafka use, return objects of 128 KiB and more as soon as they are
/// freed. By default, glibc raises this size to that of the largest object freed so far, and keeps those below.
pub fn return_large_objects() {
    #[cfg(target_env = "gnu")]
    // SAFETY: glibc takes its own lock, and checks the value.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10)
    };
}
