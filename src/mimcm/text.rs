//! Decodes a body to text: the supported media types, and the encodings that the framework read.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

/// The encoding of a body. A byte-order mark takes precedence over the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, which includes ASCII.
    Utf8,
    /// UTF-16, little-endian; `utf-16` in .NET.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// A charset that this module does not decode. Nearly all charsets contain ASCII, so a pure ASCII body is read.
    Unknown,
}

/// Charsets whose bytes look like ASCII but mean other characters.
const NOT_ASCII: [&str; 5] = ["utf-7", "unicode-1-1-utf-7", "csunicode11utf7", "utf-7-imap", "hz-gb-2312"];

/// The `Content-Type` header as sent; empty if absent.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).map(|header| String::from_utf8_lossy(header.as_bytes()).into_owned()).unwrap_or_default()
}

/// Checks that a body is not compressed; the layer around every call has decoded gzip.
///
/// # Errors
/// The content codings of the body.
pub(super) fn check_uncompressed(headers: &HeaderMap) -> Result<(), String> {
    let codings: Vec<_> =
        headers.get_all(CONTENT_ENCODING).iter().map(|coding| String::from_utf8_lossy(coding.as_bytes())).collect();
    let codings = codings.join(", ");
    let is_plain =
        codings.split(',').map(str::trim).all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity"));
    if is_plain { Ok(()) } else { Err(codings) }
}

/// The encoding of a JSON body according to its headers. A missing `Content-Type` means JSON in UTF-8.
///
/// # Errors
/// The media type, if it is not JSON or its charset only resembles ASCII.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, String> {
    let media_type = media_type(headers);
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
        charset if NOT_ASCII.contains(&charset) => None,
        _ => Some(Encoding::Unknown),
    };
    encoding.filter(|_| is_json).ok_or(media_type)
}

/// The text of a body without its byte-order mark; `None` if its bytes are invalid in the encoding.
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
        Encoding::Unknown => String::from_utf8(bytes.to_vec()).ok().filter(|text| is_plain_ascii(text)),
    }
}

/// Whether a text reads the same in every charset that contains ASCII. A NUL could be half of a wider character, and an escape
/// character could switch to another set.
fn is_plain_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !matches!(byte, 0 | 0x1B))
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    if rest.is_empty() { char::decode_utf16(units).collect::<Result<_, _>>().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
    use http::{HeaderMap, HeaderValue};

    use super::{Encoding, check_uncompressed, decode, encoding};

    fn of(media_type: &'static str) -> Result<Encoding, String> {
        encoding(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]))
    }

    #[test]
    fn json_is_read_in_the_encodings_of_the_framework() {
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
        for other in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json;charset=UTF-7"] {
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
    fn a_body_in_an_unknown_charset_is_read_if_it_is_ascii() {
        for charset in ["text/json;charset=latin1", "application/json; charset=\"cp1252\"", "text/json; charset=?"] {
            assert_eq!(of(charset), Ok(Encoding::Unknown), "{charset}");
        }
        assert_eq!(decode(b"{\"a\":\n\x7f}", Encoding::Unknown).as_deref(), Some("{\"a\":\n\x7f}"));
        assert_eq!(
            decode("\u{FEFF}ä".as_bytes(), Encoding::Unknown).as_deref(),
            Some("ä"),
            "the mark determines the encoding"
        );
        for other in ["ä".as_bytes(), b"\xE4", b"{\0\0\0}\0\0\0", b"\x1B$B%F\x1B(B"] {
            assert_eq!(decode(other, Encoding::Unknown), None);
        }
    }

    #[test]
    fn a_body_is_uncompressed_or_names_its_codings() {
        let of = |codings: &[&'static str]| {
            let headers = codings.iter().map(|coding| (CONTENT_ENCODING, HeaderValue::from_static(coding)));
            check_uncompressed(&headers.collect())
        };
        for taken in [&[][..], &[""], &["identity"], &["Identity, identity"], &["identity", " identity "]] {
            assert_eq!(of(taken), Ok(()), "{taken:?}");
        }
        for refused in [&["gzip"][..], &["identity, br"], &["identity", "deflate"], &["x"]] {
            assert_eq!(of(refused), Err(refused.join(", ")));
        }
    }

    #[test]
    fn invalid_bytes_are_refused() {
        for (body, encoding) in [
            (b"\xC3\x28".as_slice(), Encoding::Utf8),
            (b"{\0}", Encoding::Utf16Le),
            (b"\xFF\xFE\x3D\xD8", Encoding::Utf8),
        ] {
            assert_eq!(decode(body, encoding), None);
        }
    }
}
