//! What the log says about a call beside its outcome. Parts of a call add to it while they work.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::RequestId;

/// Facts about one call.
#[derive(Debug, Default)]
pub struct CallFacts {
    request: OnceLock<RequestId>,
    has_key: AtomicBool,
    reason: OnceLock<&'static str>,
}

impl CallFacts {
    /// Notes the request that the call reads or changes. The first one of a batch stands for all.
    pub(super) fn note_request(&self, id: RequestId) {
        self.request.get_or_init(|| id);
    }

    /// Notes that the call has an idempotency key.
    pub(super) fn note_key(&self) {
        self.has_key.store(true, Ordering::Relaxed);
    }

    /// Notes why the call fails: the stable name that its answer carries. The first reason stays.
    pub fn note_reason(&self, reason: &'static str) {
        self.reason.get_or_init(|| reason);
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.request.get().copied()
    }

    /// Whether the call has an idempotency key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.has_key.load(Ordering::Relaxed)
    }

    /// Why the call failed.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.reason.get().copied()
    }
}
