//! The header of a token (RFC 7515, 4): step 3 of the check.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::json;
use super::rejection::{ForbiddenMember, Part, Rejection};
use crate::runtime::jwt::Algorithm;

/// Longest header, in bytes.
pub(super) const MAX_BYTES: usize = 2 << 10;
/// Longest key id, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;

/// Members that name or carry a key. A token must not choose the key that verifies it (RFC 8725, 3.10), so they are ignored.
pub(in crate::http::auth) const IGNORED: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// What the check uses of a header.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    /// The type, as sent.
    pub(super) typ: Option<String>,
    pub(super) key_id: Option<String>,
    /// Ignored members that are present.
    pub(super) ignored: Vec<&'static str>,
}

impl Header {
    pub(super) fn read(encoded: &str) -> Result<Self, Rejection> {
        let json = decode(encoded, Part::Header)?;
        if json.len() > MAX_BYTES {
            return Err(Rejection::HeaderTooLong { limit: MAX_BYTES });
        }
        let members = json::object(&json).map_err(Rejection::HeaderJson)?;
        if let Some(member) = ForbiddenMember::ALL.into_iter().find(|member| members.contains_key(member.name())) {
            return Err(Rejection::Forbidden(member));
        }
        let algorithm = members.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        Ok(Self {
            algorithm: algorithm.ok_or(Rejection::Algorithm)?,
            typ: members.get("typ").map(|typ| typ.as_str().map(str::to_owned).ok_or(Rejection::Type)).transpose()?,
            key_id: members.get("kid").map(key_id).transpose()?,
            ignored: IGNORED.into_iter().filter(|name| members.contains_key(*name)).collect(),
        })
    }
}

fn key_id(value: &Value) -> Result<String, Rejection> {
    let id = value.as_str().filter(|id| (1..=MAX_KEY_ID_BYTES).contains(&id.len()) && !id.contains(char::is_control));
    id.map(str::to_owned).ok_or(Rejection::KeyId)
}

/// Decodes a part. Only one text decodes to given bytes: padding, white space and unused bits are refused.
pub(super) fn decode(encoded: &str, part: Part) -> Result<Vec<u8>, Rejection> {
    BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Rejection::Encoding(part))
}
