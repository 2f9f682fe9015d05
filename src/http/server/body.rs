//! Request bodies. The part that a handler leaves unread returns to the connection.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The body of a request, for handlers.
#[derive(Debug)]
pub struct RequestBody {
    /// `None` only during drop.
    incoming: Option<Incoming>,
    progress: Progress,
    /// Receives the rest on drop; `None` if the body is empty.
    slot: Option<RestSlot>,
}

/// How far a handler has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing read, so `100 Continue` was not sent.
    Untouched,
    Begun,
    Ended,
    Failed,
}

/// Holds the rest of a body after its handler dropped it.
#[derive(Clone, Debug, Default)]
pub(super) struct RestSlot(Arc<Mutex<Rest>>);

/// The part of a body that its handler did not read.
#[derive(Debug, Default)]
pub(super) enum Rest {
    /// Nothing, or the handler still holds the body.
    #[default]
    Nothing,
    /// The bytes are not a valid body.
    Malformed,
    /// A part of the body, or all of it.
    Unread {
        body: Incoming,
        /// Whether `100 Continue` was not sent yet.
        is_untouched: bool,
    },
}

impl RequestBody {
    /// Wraps a body. An empty body has no slot.
    pub(super) fn new(incoming: Incoming) -> (Self, Option<RestSlot>) {
        let slot = (!incoming.is_end_stream()).then(RestSlot::default);
        (Self { incoming: Some(incoming), progress: Progress::Untouched, slot: slot.clone() }, slot)
    }
}

impl RestSlot {
    pub(super) fn take(&self) -> Rest {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, rest: Rest) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.progress == Progress::Untouched {
            self.progress = Progress::Begun;
        }
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        match frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => self.progress = Progress::Failed,
            None => self.progress = Progress::Ended,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let (Some(slot), Some(body)) = (self.slot.take(), self.incoming.take()) else { return };
        match self.progress {
            Progress::Ended => {}
            Progress::Failed => slot.put(Rest::Malformed),
            Progress::Untouched | Progress::Begun if body.is_end_stream() => {}
            progress => slot.put(Rest::Unread { body, is_untouched: progress == Progress::Untouched }),
        }
    }
}
