//! Builders for the response shapes that several endpoints share.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use serde::Serialize;

use super::error::{HttpError, JSON};
use super::path::ROOT;
use super::write::write_json;
use crate::domain::ErrorKind;
use crate::service::Error;

/// Initial capacity of a body, in bytes: enough for the address of a new request.
const ANSWER_BYTES: usize = 128;

/// 204, the documented answer for a missing resource and for an empty list.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 204 if the resource does not exist; any other error is passed on.
pub(super) fn no_content_if_not_found(error: Error) -> Result<Response, HttpError> {
    if error.kind() == ErrorKind::NotFound { Ok(no_content()) } else { Err(error.into()) }
}

/// 201 with the address of the new resource. As in MIM CM, the address in the body lacks the first segment of the path;
/// `Location` has the full path.
pub(super) fn created(address: &str) -> Response {
    let mut response = answer_with(StatusCode::CREATED, &address);
    // An address consists of a collection name and a GUID, so it needs no escaping.
    if let Ok(location) = format!("{ROOT}{address}").try_into() {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

pub(super) fn answer_with_list(members: &[impl Serialize]) -> Response {
    if members.is_empty() { no_content() } else { answer_with(StatusCode::OK, &members) }
}

pub(super) fn answer_with(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    write_json(&mut body, value);
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}
