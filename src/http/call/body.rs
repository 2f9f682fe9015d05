//! Bodies that count against the memory budget of their call: a request's as it arrives, a response's until it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Transport, headers};
use crate::domain::CorrelationId;
use crate::grpc;
use crate::http::server::{Answers, Progress};
use crate::runtime::gzip::{Decompression, GzipError};
use crate::service::{OverBudget, Reservation};

/// Size of the pieces of a response, in bytes. The connection polls the next piece when its client has read enough.
const PIECE_BYTES: usize = 16 << 10;

/// A request body, decompressed if it was compressed. It fails with [`OverBudget`] when the memory budget is exhausted.
pub struct Counted<B> {
    body: B,
    /// Bytes that were handed on, after decompression.
    received: usize,
    memory: Reservation,
    correlation: CorrelationId,
    transport: Transport,
    decompression: Option<Decompression>,
}

/// The decompression that the headers of a call ask for, without the header that does.
pub(super) fn decompression(transport: Transport, headers: &mut HeaderMap, limit: usize) -> Option<Decompression> {
    headers::take_gzip(transport, headers).then(|| match transport {
        Transport::Grpc => Decompression::messages(limit),
        Transport::Legacy | Transport::Rest => Decompression::whole(limit),
    })
}

impl<B> Counted<B> {
    pub(super) const fn new(
        body: B,
        memory: Reservation,
        correlation: CorrelationId,
        transport: Transport,
        decompression: Option<Decompression>,
    ) -> Self {
        Self { body, received: 0, memory, correlation, transport, decompression }
    }

    /// Counts the bytes of a frame.
    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BoxError> {
        self.received += frame.data_ref().map_or(0, Bytes::len);
        match self.memory.hold(self.received) {
            Ok(()) => Ok(frame),
            Err(_) => Err(over_budget(&self.correlation)),
        }
    }

    /// Decompresses a frame, or the end of the body; `None` if a frame completes nothing.
    fn decompress(&mut self, frame: Option<Frame<Bytes>>) -> Option<Result<Frame<Bytes>, BoxError>> {
        let Some(decompression) = &mut self.decompression else { return frame.map(Ok) };
        let output = match frame.map(Frame::into_data) {
            Some(Ok(data)) => {
                let (memory, received, correlation) = (&self.memory, self.received, &self.correlation);
                let hold = |bytes| memory.hold(received.saturating_add(bytes)).map_err(|_| over_budget(correlation));
                decompression.decode(data, hold)
            }
            // Trailers.
            Some(Err(frame)) => return Some(Ok(frame)),
            None => decompression.finish().map_err(GzipError::from),
        };
        match output {
            Ok(output) if output.is_empty() => None,
            Ok(output) => Some(Ok(Frame::data(output))),
            Err(error) => Some(Err(unreadable(error, self.transport, &self.correlation))),
        }
    }
}

/// The error of a body in the form in which its transport looks for it.
fn unreadable(error: GzipError, transport: Transport, correlation: &CorrelationId) -> BoxError {
    match (error, transport) {
        (GzipError::OverBudget(error), _) => error,
        (GzipError::Malformed(malformed), Transport::Legacy | Transport::Rest) => malformed.into(),
        (GzipError::Malformed(_), Transport::Grpc) => grpc::malformed(correlation).into(),
        (GzipError::TooLarge(limit), _) => grpc::too_large(limit, correlation).into(),
    }
}

fn over_budget(correlation: &CorrelationId) -> BoxError {
    OverBudget::new(grpc::over_budget(correlation)).into()
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
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => Some(frame),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => None,
            };
            let has_ended = frame.is_none();
            match self.decompress(frame) {
                Some(frame) => return Poll::Ready(Some(frame.and_then(|frame| self.count(frame)))),
                None if has_ended => return Poll::Ready(None),
                None => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // At its end, a compressed body is checked.
        self.decompression.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.decompression.is_some() { SizeHint::default() } else { self.body.size_hint() }
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
