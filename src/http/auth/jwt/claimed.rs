//! What a token claims about its origin, whatever is wrong with it. Nothing of it is proven: it is for the log alone.

use std::borrow::Cow;

use http::HeaderMap;
use serde::Deserialize;

use super::bearer::bearer;
use super::header::{MAX_BYTES as MAX_HEADER_BYTES, decode};
use super::rejection::Part;

/// Longest payload that is read for the log, in bytes.
const MAX_PAYLOAD_BYTES: usize = 64 << 10;

/// The origin that a token claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The claim `iss`.
    pub issuer: Option<String>,
    /// The member `kid` of the header.
    pub key_id: Option<String>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
}

/// The origin that the bearer token of a request claims; empty where it cannot be read.
#[must_use]
pub fn claimed(headers: &HeaderMap) -> Claimed {
    let Ok(Some(token)) = bearer(headers) else { return Claimed::default() };
    let mut parts = token.split('.');
    let mut next = |limit: usize, part| {
        let text = parts.next().filter(|text| text.len() <= limit * 4 / 3 + 4)?;
        decode(text, part).ok()
    };
    let (header, payload) = (next(MAX_HEADER_BYTES, Part::Header), next(MAX_PAYLOAD_BYTES, Part::Payload));
    let key_id = header.and_then(|json| serde_json::from_slice::<Header<'_>>(&json).ok()?.kid.map(Cow::into_owned));
    let issuer = payload.and_then(|json| serde_json::from_slice::<Payload<'_>>(&json).ok()?.iss.map(Cow::into_owned));
    Claimed { issuer, key_id }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;

    fn claims(header: &str, payload: &str) -> (Option<String>, Option<String>) {
        let [header, payload] = [header, payload].map(|text| BASE64_URL_SAFE_NO_PAD.encode(text));
        let value = HeaderValue::try_from(format!("Bearer {header}.{payload}.c2ln")).unwrap();
        let Claimed { issuer, key_id } = claimed(&HeaderMap::from_iter([(AUTHORIZATION, value)]));
        (issuer, key_id)
    }

    #[test]
    fn the_origin_is_read_from_tokens_with_any_flaw() {
        let both = (Some("https://idp".to_owned()), Some("k1".to_owned()));
        assert_eq!(claims(r#"{"alg":"none","kid":"k1"}"#, r#"{"iss":"https:\/\/idp","exp":"never"}"#), both);
        assert_eq!(claims("{}", r#"{"iss":"https://idp"}"#), (both.0.clone(), None));
        assert_eq!(claims("no JSON", r#"{"iss":["https://idp"]}"#), (None, None));
        assert_eq!(claims(r#"{"kid":"k1"}"#, r#"{"iss":"a","iss":"b"}"#), (None, both.1.clone()));
        let long = format!(r#"{{"kid":"k1","x":"{}"}}"#, "x".repeat(4_096));
        assert_eq!(claims(&long, r#"{"iss":"https://idp"}"#), (both.0, None), "a header beyond the limit is not read");
    }

    #[test]
    fn what_is_no_token_claims_nothing() {
        for value in ["Bearer a", "Bearer a.b", "Basic YTpi", "Bearer ...."] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(claimed(&headers), Claimed::default(), "{value}");
        }
        assert_eq!(claimed(&HeaderMap::new()), Claimed::default());
    }
}
