//! The way back from HTTP/2 to HTTP/1.1, for calls that need it.

use axum::body::Body;
use h2::Reason;
use http::Response;

/// An extension of requests whose client chose HTTP/2 by ALPN, so that it can repeat them over HTTP/1.1. Without TLS, the client is a
/// proxy with a fixed version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayUseHttp1;

/// An extension of responses to requests with [`MayUseHttp1`]: their stream is reset with `HTTP_1_1_REQUIRED` (RFC 9113, 7) in place
/// of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsHttp1;

/// The response, or the error with which hyper resets its stream.
pub(super) fn response_or_reset(response: Response<Body>) -> Result<Response<Body>, h2::Error> {
    match response.extensions().get::<NeedsHttp1>() {
        Some(NeedsHttp1) => Err(Reason::HTTP_1_1_REQUIRED.into()),
        None => Ok(response),
    }
}
