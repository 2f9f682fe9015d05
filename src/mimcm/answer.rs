//! Answers in the shapes that the calls of the API share.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use serde::Serialize;

use super::error::{HttpError, JSON};
use super::path::ROOT;
use super::write::write_json;
use crate::domain::ErrorKind;
use crate::service::Error;

/// The documented answer for what does not exist, and for a list without members.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// The documented answer for what may not exist: nothing, unless it failed otherwise.
pub(super) fn nothing_if_not_found(error: Error) -> Result<Response, HttpError> {
    if error.kind() == ErrorKind::NotFound { Ok(no_content()) } else { Err(error.into()) }
}

/// 201 with the address of what was created. As in MIM CM, the body lacks the first segment of the path; `Location` has the
/// whole path.
pub(super) fn created(address: &str) -> Response {
    let mut response = answer_with(StatusCode::CREATED, &address);
    // An address is the name of a collection and a GUID, so nothing in it needs an escape.
    if let Ok(location) = format!("{ROOT}{address}").try_into() {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

pub(super) fn answer_with_list(members: &[impl Serialize]) -> Response {
    if members.is_empty() { no_content() } else { answer_with(StatusCode::OK, &members) }
}

pub(super) fn answer_with(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = Vec::new();
    write_json(&mut body, value);
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}
