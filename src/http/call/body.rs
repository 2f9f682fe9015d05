//! Bodies that count against the memory budget of their call: a request's as it arrives, a response's until it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::domain::CorrelationId;
use crate::grpc;
use crate::http::server::{Answers, Progress};
use crate::service::{OverBudget, Reservation};

/// Size of the pieces of a response, in bytes. The connection polls the next piece when its client has read enough.
const PIECE_BYTES: usize = 16 << 10;

/// A request body that fails with [`OverBudget`] when the memory budget is exhausted.
pub struct Counted<B> {
    body: B,
    received: usize,
    memory: Reservation,
    correlation: CorrelationId,
}

impl<B> Counted<B> {
    pub(super) const fn new(body: B, memory: Reservation, correlation: CorrelationId) -> Self {
        Self { body, received: 0, memory, correlation }
    }
}

impl<B> HttpBody for Counted<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other.map(|result| result.map_err(Into::into))),
        };
        self.received += frame.data_ref().map_or(0, Bytes::len);
        let result = match self.memory.hold(self.received) {
            Ok(()) => Ok(frame),
            Err(_) => Err(OverBudget::new(grpc::over_budget(self.correlation)).into()),
        };
        Poll::Ready(Some(result))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body whose bytes hold memory of the budget until the connection has sent them.
struct Held {
    body: Body,
    /// Bytes that the connection has not polled yet.
    made: Bytes,
    memory: Reservation,
    progress: Option<Arc<Progress>>,
}

/// Bytes that hold memory of the budget until the last reference is dropped.
struct Holding {
    bytes: Bytes,
    _memory: Reservation,
    _progress: Option<Arc<Progress>>,
}

impl AsRef<[u8]> for Holding {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Wraps a large response body so that it holds memory until it is sent and reports its progress to the connection.
pub(super) fn held(body: Body, memory: Reservation, connection: Option<&Answers>) -> Body {
    if !memory.is_large() {
        return body;
    }
    let progress = connection.map(Answers::begin);
    Body::new(Held { body, made: Bytes::new(), memory, progress })
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.made.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            if let (Some(progress), Poll::Pending) = (&self.progress, &polled) {
                progress.waits_for_service();
            }
            match ready!(polled).map(|result| result.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    // The connection can hold the bytes longer than this body lives.
                    let (memory, progress) = (self.memory.clone(), self.progress.clone());
                    self.made = Bytes::from_owner(Holding { bytes: data, _memory: memory, _progress: progress });
                }
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        if let Some(progress) = &self.progress {
            progress.waits_for_client();
        }
        let piece = self.made.len().min(PIECE_BYTES);
        let piece = self.made.split_to(piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.made.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (made, rest) = (self.made.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + made);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + made);
        }
        hint
    }
}
