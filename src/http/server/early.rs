//! Responses that are ready before the request body was read. They also reach clients that send everything before they read.
//!
//! Over HTTP/1, the rest of the body is read and discarded before the response is sent; a body that exceeds the bounds closes the
//! connection after the response. Over HTTP/2, the response is sent at once and the rest is read in the background.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt;

use super::body::{RequestBody, Rest};

/// Limit on the discarded bytes of an HTTP/1 body without `Content-Length`.
const UNANNOUNCED_BYTES: u64 = 64 << 10;

/// Whether a connection ends while its client may still be sending a body.
#[derive(Clone, Debug, Default)]
pub(super) struct EndsUnread(Arc<AtomicBool>);

impl EndsUnread {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bounds for discarding an unread body.
#[derive(Clone, Copy, Debug)]
pub(super) struct EarlyAnswers {
    /// Longest body that is read.
    pub(super) body_bytes: u64,
    /// How long an HTTP/1 response waits for the rest of a body, or an answered HTTP/2 stream stays open for it.
    pub(super) timeout: Duration,
}

impl EarlyAnswers {
    /// Answers a call with `service`, then deals with the rest of its body.
    pub(super) async fn answer<S>(
        self,
        service: S,
        request: Request<Incoming>,
        ends_unread: EndsUnread,
    ) -> Result<Response<Body>, Infallible>
    where
        S: tower::Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    {
        let is_http2 = request.version() == Version::HTTP_2;
        let expects_continue = expects_continue(request.headers());
        let (parts, incoming) = request.into_parts();
        let (body, slot) = RequestBody::new(incoming);
        let mut response = service.oneshot(Request::from_parts(parts, body)).await?;
        let Some(slot) = slot else { return Ok(response) };
        let is_read = match slot.take() {
            Rest::Nothing => true,
            Rest::Malformed => is_http2,
            Rest::Unread { body, .. } if is_http2 => {
                // gRPC sends no `Content-Length`, and the response does not wait, so the full limit applies. Dropping an
                // unfinished body makes h2 send `RST_STREAM(NO_ERROR)`.
                tokio::spawn(self.drain(body, self.body_bytes));
                true
            }
            // Reading would send `100 Continue`, which asks the client for the body.
            Rest::Unread { is_untouched: true, .. } if expects_continue => false,
            // Boxed: the state of this rare case would enlarge the future of every call.
            Rest::Unread { body, .. } => Box::pin(self.drain(body, UNANNOUNCED_BYTES)).await,
        };
        if !is_read {
            ends_unread.set();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// Reads and discards the rest of a body; false if it is too long, too slow or malformed.
    async fn drain(self, mut body: Incoming, unannounced_bytes: u64) -> bool {
        let mut allowed = match body.size_hint().exact() {
            Some(announced) if announced > self.body_bytes => return false,
            Some(announced) => announced,
            None => unannounced_bytes,
        };
        let read = async {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = allowed.checked_sub(bytes) else { return false };
                allowed = left;
            }
            true
        };
        tokio::time::timeout(self.timeout, read).await.unwrap_or(false)
    }
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get_all(EXPECT).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
