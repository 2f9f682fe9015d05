//! Browsers of the configured origins: CORS (the Fetch standard), and gRPC-Web in its binary form.
//!
//! A gRPC-Web call differs from a gRPC call in its content type, in the version of HTTP, and in its trailers, which are the last
//! part of the body.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, TE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame};

/// Content types of binary gRPC-Web.
const GRPC_WEB: [&str; 2] = ["application/grpc-web", "application/grpc-web+proto"];
/// Headers of answers that scripts may read.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin, etag, location, x-correlation-id");
/// Methods of the API.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT");
/// How long a browser may keep the answer to a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// Flag of the part of a body that holds the trailers.
const TRAILERS: u8 = 0x80;

/// The origins whose scripts may call the service. Empty: gRPC-Web and CORS are off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Arc<[HeaderValue]>);

impl FromIterator<HeaderValue> for Origins {
    fn from_iter<I: IntoIterator<Item = HeaderValue>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}

/// How to translate a call of a browser and its response.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The allowed origin of the script.
    origin: Option<HeaderValue>,
    /// Whether the call is gRPC-Web.
    is_grpc_web: bool,
}

impl Origins {
    /// The browser that sent a call; `None` if neither CORS nor gRPC-Web applies.
    pub fn browser(&self, headers: &HeaderMap) -> Option<Browser> {
        if self.0.is_empty() {
            return None;
        }
        let origin = headers.get(ORIGIN).filter(|origin| self.0.contains(origin)).cloned();
        let is_grpc_web = is_grpc_web(headers);
        (origin.is_some() || is_grpc_web).then_some(Browser { origin, is_grpc_web })
    }
}

fn is_grpc_web(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    GRPC_WEB.iter().any(|name| essence.eq_ignore_ascii_case(name.as_bytes()))
}

impl Browser {
    /// The answer to a preflight, if the request is one.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(wanted) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        self.allow(answer);
        Some(response)
    }

    /// Turns a gRPC-Web call into a gRPC call; leaves others unchanged.
    pub fn call<B>(&self, request: &mut Request<B>) {
        if self.is_grpc_web {
            *request.version_mut() = Version::HTTP_2;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
    }

    /// Turns the answer of a gRPC call into that of a gRPC-Web call, and lets the script read it.
    pub fn answer(&self, mut response: Response<Body>) -> Response<Body> {
        self.allow(response.headers_mut());
        if !self.is_grpc_web {
            return response;
        }
        *response.version_mut() = Version::default();
        let is_grpc =
            response.headers().get(CONTENT_TYPE).is_some_and(|name| name.as_bytes().starts_with(b"application/grpc"));
        if is_grpc {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc-web+proto"));
        }
        response.map(|body| Body::new(WithTrailers { body, has_ended: false }))
    }

    fn allow(&self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = &self.origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// A body whose trailers are its last part.
struct WithTrailers {
    body: Body,
    has_ended: bool,
}

impl HttpBody for WithTrailers {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(result) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            self.has_ended = true;
            return Poll::Ready(None);
        };
        Poll::Ready(Some(result.map(|frame| match frame.into_trailers() {
            Ok(trailers) => Frame::data(part(&trailers)),
            Err(frame) => frame,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }
}

/// The part of a body with the trailers: a flag, the length, and lines as in HTTP/1.
fn part(trailers: &HeaderMap) -> Bytes {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    let mut part = BytesMut::with_capacity(lines.len() + 5);
    part.put_u8(TRAILERS);
    // Trailers fit into the headers of HTTP/2, whose size is far below 4 GiB.
    part.put_u32(u32::try_from(lines.len()).unwrap_or_default());
    part.put_slice(&lines);
    part.freeze()
}

#[cfg(test)]
mod tests {
    use http::header::ORIGIN;
    use http::{HeaderMap, HeaderValue};

    use super::{Origins, part};

    fn headers(origin: &'static str, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert("content-type", HeaderValue::from_static(content_type));
        headers
    }

    #[test]
    fn only_configured_origins_are_allowed_and_without_any_everything_is_off() {
        let origins: Origins = [HeaderValue::from_static("https://a.example")].into_iter().collect();
        for (origin, is_allowed) in [
            ("https://a.example", true),
            ("https://a.example:443", false),
            ("http://a.example", false),
            ("https://a.example.evil", false),
            ("null", false),
        ] {
            let browser = origins.browser(&headers(origin, "application/grpc-web+proto")).unwrap();
            assert_eq!(browser.origin.is_some(), is_allowed, "{origin}");
            assert!(browser.is_grpc_web);
            assert!(Origins::default().browser(&headers(origin, "application/grpc-web+proto")).is_none());
        }
        for other in ["application/grpc-web-text", "application/grpc-web+json", "application/grpc", "text/plain"] {
            let browser = origins.browser(&headers("https://a.example", other)).unwrap();
            assert!(!browser.is_grpc_web, "{other}");
            assert!(origins.browser(&headers("https://b.example", other)).is_none(), "{other}");
        }
    }

    #[test]
    fn trailers_become_a_part_of_the_body() {
        let trailers: HeaderMap =
            [("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))].into_iter().collect();
        assert_eq!(&part(&trailers)[..], b"\x80\0\0\0\x10grpc-status: 0\r\n");
    }
}
