//! The token of a request: step 1 of the check.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::rejection::Rejection;

/// The bearer token of a request (RFC 6750, 2.1); `None` if it has no `Authorization` header or one of another scheme. Tokens in
/// the query, the body or a cookie are ignored.
///
/// # Errors
/// [`Rejection::SeveralAuthorizations`], and [`Rejection::NotToken68`] if a single token does not follow the scheme.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::SeveralAuthorizations);
    }
    let bytes = value.as_bytes();
    let scheme = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    let credentials = value.to_str().ok().and_then(|text| text.split_once(' '));
    let token = credentials.map(|(_scheme, rest)| rest.trim_start_matches(' '));
    token.filter(|token| is_token68(token)).map(Some).ok_or(Rejection::NotToken68)
}

/// Whether a text is a `token68` (RFC 9110, 11.2), the form of a bearer token.
#[must_use]
pub fn is_token68(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !unpadded.is_empty() && unpadded.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests;
