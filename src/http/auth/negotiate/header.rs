//! The token of `Authorization: Negotiate` (RFC 4559, 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::refusal::Refusal;

/// Longest value of the header, in bytes. Windows' largest token, 48,000 bytes, takes 64,000 in base64.
pub const MAX_TICKET_BYTES: usize = 64 << 10;

const SCHEME: &[u8] = b"Negotiate";

/// What every message of NTLM begins with (MS-NLMP 2.2.1).
#[cfg(any(feature = "negotiate", test))]
const NTLM_SIGNATURE: &[u8] = b"NTLMSSP\0";
/// The mechanism NTLM in an offer, 1.3.6.1.4.1.311.2.2.10, as an ASN.1 object identifier.
#[cfg(any(feature = "negotiate", test))]
const NTLM_MECHANISM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];

/// Whether a call has credentials of the scheme Negotiate.
pub(super) fn is_present(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| after_scheme(value).is_some())
}

/// The token of a call.
///
/// # Errors
/// The call has other credentials too, or the token is empty, too long or not base64.
pub(super) fn token(headers: &HeaderMap) -> Result<Vec<u8>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::Repeated) };
    if value.len() > MAX_TICKET_BYTES {
        return Err(Refusal::TooLong);
    }
    let text = after_scheme(value).ok_or(Refusal::Repeated)?.trim_ascii();
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    STANDARD.decode(text).map_err(|_| Refusal::NotBase64)
}

/// The header `WWW-Authenticate` of a response to an accepted ticket; `None` if the token is empty.
pub(super) fn answer(token: &[u8]) -> Option<HeaderValue> {
    if token.is_empty() {
        return None;
    }
    // Base64 is always valid in a header.
    HeaderValue::try_from(format!("Negotiate {}", STANDARD.encode(token))).ok()
}

/// Whether a token belongs to NTLM or offers nothing but NTLM. Only for the reason of a refusal.
#[cfg(any(feature = "negotiate", test))]
pub(super) fn mentions_ntlm(token: &[u8]) -> bool {
    let contains = |part: &[u8]| token.windows(part.len()).any(|window| window == part);
    contains(NTLM_SIGNATURE) || contains(NTLM_MECHANISM)
}

fn after_scheme(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let ends = rest.first().is_none_or(|byte| *byte == b' ');
    (scheme.eq_ignore_ascii_case(SCHEME) && ends).then_some(rest)
}

#[cfg(test)]
mod tests;
