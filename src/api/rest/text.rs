//! From the bytes of a body to its text: the media types that are taken and the encodings of the framework.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// How a body is encoded; a byte-order mark in it says so better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, and ASCII with it.
    Utf8,
    /// UTF-16, little end first; the `utf-16` of .NET.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

/// The encoding of a JSON body by its headers. Without `Content-Type` it is taken to be JSON.
///
/// # Errors
/// The media type, if it is not JSON in one of the known encodings.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, String> {
    let Some(header) = headers.get(CONTENT_TYPE) else { return Ok(Encoding::Utf8) };
    let media_type = String::from_utf8_lossy(header.as_bytes());
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_json = ["application/json", "text/json", ""].iter().any(|json| essence.eq_ignore_ascii_case(json));
    let charset = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    });
    let encoding = match charset.unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "utf-8" | "utf8" | "us-ascii" => Some(Encoding::Utf8),
        "utf-16" | "utf-16le" => Some(Encoding::Utf16Le),
        "utf-16be" => Some(Encoding::Utf16Be),
        _ => None,
    };
    encoding.filter(|_| is_json).ok_or_else(|| media_type.into_owned())
}

/// The text of a body, without its byte-order mark; `None` if its bytes are not in the encoding.
pub(super) fn decode(body: &[u8], encoding: Encoding) -> Option<String> {
    let (encoding, bytes) = match body {
        [0xEF, 0xBB, 0xBF, bytes @ ..] => (Encoding::Utf8, bytes),
        [0xFF, 0xFE, bytes @ ..] => (Encoding::Utf16Le, bytes),
        [0xFE, 0xFF, bytes @ ..] => (Encoding::Utf16Be, bytes),
        bytes => (encoding, bytes),
    };
    match encoding {
        Encoding::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
        Encoding::Utf16Le => utf16(bytes, u16::from_le_bytes),
        Encoding::Utf16Be => utf16(bytes, u16::from_be_bytes),
    }
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    if rest.is_empty() { char::decode_utf16(units).collect::<Result<_, _>>().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

    use super::{Encoding, decode, encoding};

    fn of(media_type: &'static str) -> Result<Encoding, String> {
        encoding(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]))
    }

    #[test]
    fn json_is_taken_in_the_encodings_of_the_framework() {
        assert_eq!(encoding(&HeaderMap::new()), Ok(Encoding::Utf8));
        let taken = [
            ("application/json", Encoding::Utf8),
            ("Application/JSON; Charset=UTF-8", Encoding::Utf8),
            ("text/json;odata=verbose;charset=\"utf-8\"", Encoding::Utf8),
            ("application/json; charset=utf-16", Encoding::Utf16Le),
            ("application/json;charset=UTF-16BE", Encoding::Utf16Be),
        ];
        for (media_type, expected) in taken {
            assert_eq!(of(media_type), Ok(expected), "{media_type}");
        }
        for other in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json;charset=latin1"]
        {
            assert_eq!(of(other), Err(other.to_owned()));
        }
    }

    #[test]
    fn a_byte_order_mark_wins_over_the_header() {
        assert_eq!(decode(b"\xEF\xBB\xBF{}", Encoding::Utf16Le).as_deref(), Some("{}"));
        assert_eq!(decode(b"\xFF\xFE{\0}\0", Encoding::Utf8).as_deref(), Some("{}"));
        assert_eq!(decode(b"\xFE\xFF\0{\0}", Encoding::Utf8).as_deref(), Some("{}"));
        assert_eq!(decode(b"{\0}\0", Encoding::Utf16Le).as_deref(), Some("{}"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for (body, encoding) in [
            (b"\xC3\x28".as_slice(), Encoding::Utf8),
            (b"{\0}", Encoding::Utf16Le),
            (b"\xFF\xFE\x3D\xD8", Encoding::Utf8),
        ] {
            assert_eq!(decode(body, encoding), None);
        }
    }
}
