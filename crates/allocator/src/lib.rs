//! The memory allocator of the process, and an option of the system's allocator that has no safe interface.

/// The allocator. That of the system is slow for many small objects on many threads, which is what calls allocate.
///
/// It returns freed memory to the system after one second. With 20 ms, creates took a third more processor time.
pub use mimalloc::MiMalloc as Allocator;

/// Makes the allocator of the system, which SQLite and librdkafka use, return objects of at least 128 KiB to the system as soon as
/// they are freed. By default, glibc raises this threshold to the size of the largest object freed so far (`mallopt(3)`).
pub fn return_large_objects() {
    #[cfg(target_env = "gnu")]
    // SAFETY: glibc takes its own lock, and checks the value.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10)
    };
}

/// Returns free memory to the system at once instead of after a second. The system call and the page faults that follow cost far
/// more than an allocation, so only calls that held much memory use this.
pub fn return_free_memory() {
    // SAFETY: mimalloc may collect on any thread at any time; it takes its own locks.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
