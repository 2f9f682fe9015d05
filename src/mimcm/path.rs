//! Normalises paths in front of the router. They match in the forms that IIS and Web API accepted, except unsafe ones; `forms.md`
//! lists the accepted and the refused forms.

use std::borrow::Cow;
use std::mem;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Parts, PathAndQuery};
use http::{Request, Uri};

/// The part of a path that the addresses in answers lack.
pub(super) const ROOT: &str = "/CertificateManagement/";

/// The part that all paths of the API share, in its canonical form.
pub(super) const API: &str = "/certificatemanagement/api/v1.0";

/// The URI of a request before [`normalize`] replaced it.
#[derive(Clone)]
struct OriginalUri(Uri);

/// Replaces the path of a request by its canonical form, which the router matches. Other paths than those of the API stay as they
/// are: the call layer recognises gRPC methods by them.
pub(super) fn normalize<B>(request: &mut Request<B>) {
    let path = request.uri().path();
    let uri = match canonical(path) {
        Some(canonical) if canonical.starts_with(API) => with_path(request.uri(), canonical).unwrap_or_default(),
        // The router must not match a path that is refused here.
        _ if path.starts_with(API) => Uri::default(),
        _ => return,
    };
    let original = mem::replace(request.uri_mut(), uri);
    request.extensions_mut().insert(OriginalUri(original));
}

/// The canonical form of a path: its segments in lower case, percent-encoded so that no decoded character separates segments.
/// `None` if [`segments`] refuses the path.
fn canonical(path: &str) -> Option<String> {
    if is_simple(path) {
        return Some(path.to_ascii_lowercase());
    }
    let mut canonical = String::with_capacity(path.len());
    for segment in segments(path)? {
        canonical.push('/');
        encode(&segment?, &mut canonical);
    }
    canonical.make_ascii_lowercase();
    // Some addresses in the documents end with dots.
    while let Some(rest) = canonical.strip_suffix('.').or_else(|| canonical.strip_suffix("%20")) {
        canonical.truncate(rest.len());
    }
    Some(canonical)
}

/// Whether a path is canonical but for upper case, as nearly all are: segments of unreserved characters, none of which is empty or
/// begins or ends with a dot.
fn is_simple(path: &str) -> bool {
    let mut previous = b'/';
    let is_simple = path.bytes().enumerate().all(|(index, byte)| {
        let fits = match byte {
            b'/' => index == 0 || !matches!(previous, b'/' | b'.'),
            b'.' => previous != b'/',
            _ => is_unreserved(byte),
        };
        previous = byte;
        fits
    });
    is_simple && path.starts_with('/') && !matches!(previous, b'/' | b'.')
}

/// The decoded segments of a path. `None` if the path does not begin with a slash; a segment is `None` if it cannot be decoded or
/// has control characters.
///
/// As in http.sys, a backslash is a slash, and empty segments and `.` are removed. Unlike in http.sys, `..` and encoded
/// separators have no special meaning, because they could escape a path prefix that a proxy has checked.
fn segments(path: &str) -> Option<impl Iterator<Item = Option<Cow<'_, str>>>> {
    let segments = path.strip_prefix('/')?.split(['/', '\\']).filter(|segment| !segment.is_empty());
    let segments = segments.map(|segment| {
        // Otherwise `guid::read` would trim tabs and line ends.
        decode(segment).filter(|segment| !segment.contains(char::is_control))
    });
    Some(segments.filter(|segment| segment.as_deref() != Some(".")).map(|segment| segment.map(trimmed)))
}

/// The segment without spaces around it.
fn trimmed(segment: Cow<'_, str>) -> Cow<'_, str> {
    match segment {
        Cow::Borrowed(segment) => Cow::Borrowed(segment.trim_matches(' ')),
        Cow::Owned(segment) => Cow::Owned(segment.trim_matches(' ').to_owned()),
    }
}

/// Appends a segment, with all characters percent-encoded that have a meaning in a URI.
fn encode(segment: &str, path: &mut String) {
    if segment.bytes().all(is_unreserved) {
        return path.push_str(segment);
    }
    for byte in segment.bytes() {
        if is_unreserved(byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.extend([byte >> 4, byte & 0xF].iter().filter_map(|digit| char::from_digit((*digit).into(), 16)));
        }
    }
}

/// Whether a byte is an unreserved character (RFC 3986, 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The URI with another path; `None` if it becomes too long.
fn with_path(uri: &Uri, mut path: String) -> Option<Uri> {
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let path = PathAndQuery::from_maybe_shared(Bytes::from(path)).ok()?;
    let mut parts = Parts::default();
    (parts.scheme, parts.authority) = (uri.scheme().cloned(), uri.authority().cloned());
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// The address of the call, as the caller wrote it; only its path and query if the host is not known.
pub(super) fn address<B>(request: &Request<B>) -> String {
    let uri = request.extensions().get().map_or(request.uri(), |OriginalUri(original)| original);
    let host = uri.authority().map(Authority::as_str);
    let host = host.or_else(|| request.headers().get(HOST).and_then(|host| host.to_str().ok()));
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    match host {
        Some(host) => format!("{}://{host}{path}", uri.scheme_str().unwrap_or("http")),
        None => path.to_owned(),
    }
}

/// Decodes the percent-encoding of a segment; `None` if an escape is malformed or the result is not UTF-8.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' { hex(bytes.next()?)? * 16 + hex(bytes.next()?)? } else { byte };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::{API, address, canonical, decode, normalize, segments};

    #[test]
    fn a_canonical_path_is_in_lower_case_without_empty_segments() {
        for path in [
            "/CertificateManagement/api/v1.0/requests",
            "/certificatemanagement/API/V1.0/REQUESTS",
            "/CertificateManagement/api/v1.0/requests/",
            "/CertificateManagement/api/v1.0/requests...",
            "/CertificateManagement/api/v1.0/requests%20///.",
            "/CertificateManagement/api/v1%2E0/req%75ests",
            "//CertificateManagement\\api/./v1.0/%20requests",
        ] {
            assert_eq!(canonical(path).as_deref(), Some("/certificatemanagement/api/v1.0/requests"), "{path}");
        }
    }

    #[test]
    fn no_decoded_character_separates_segments() {
        for (path, expected) in [
            ("/a%2Fb", "/a%2fb"),
            ("/a%5cb", "/a%5cb"),
            ("/a%3Fb", "/a%3fb"),
            ("/a%23b", "/a%23b"),
            ("/%2572", "/%2572"),
            ("/%7BA%7D", "/%7ba%7d"),
            ("/{A}", "/%7ba%7d"),
            ("/\u{E4}", "/%c3%a4"),
            ("/a/../b", "/a/../b"),
            ("/a/%2E%2e/b", "/a/../b"),
            ("/a/..", "/a/"),
            ("/a%20b", "/a%20b"),
        ] {
            assert_eq!(canonical(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_cannot_be_decoded_have_no_canonical_form() {
        for path in ["", "*", "a", "/%", "/%2", "/%zz", "/%u0072", "/%ff", "/%C0%AE", "/%00", "/%09", "/%C2%85"] {
            assert_eq!(canonical(path), None, "{path}");
        }
    }

    /// The path and query that the router sees, and the address that answers show.
    fn normalized(uri: &str) -> (String, String) {
        let mut request = Request::get(uri).header("host", "api").body(()).unwrap();
        normalize(&mut request);
        (request.uri().to_string(), address(&request))
    }

    #[test]
    fn the_original_address_is_kept() {
        let (seen, shown) = normalized("/CertificateManagement/Api/v1.0/Requests/?Status=%41");
        assert_eq!(seen, format!("{API}/requests?Status=%41"));
        assert_eq!(shown, "http://api/CertificateManagement/Api/v1.0/Requests/?Status=%41");

        let (seen, shown) = normalized("http://other/CertificateManagement/API/v1.0/requests");
        assert_eq!(seen, format!("http://other{API}/requests"));
        assert_eq!(shown, "http://other/CertificateManagement/API/v1.0/requests");
    }

    #[test]
    fn paths_of_others_stay_as_they_are() {
        for path in ["/cmgate.v1.RequestService/CreateRequest", "/cmgate.v1.RequestService/%zz", "/A//b/", "/"] {
            assert_eq!(normalized(path), (path.to_owned(), format!("http://api{path}")));
        }
    }

    #[test]
    fn a_refused_path_of_the_api_matches_no_route() {
        for rest in ["/requests/%09", "/requests/%zz", "/requests/%C2%85"] {
            let path = format!("{API}{rest}");
            assert_eq!(normalized(&path), ("/".to_owned(), format!("http://api{path}")));
        }
        // Encoding a path can make it longer than a URI may be.
        let long = format!("{API}/{}", "!".repeat(30_000));
        assert_eq!(normalized(&long).0, "/");
    }

    proptest! {
        #[test]
        fn a_canonical_path_decodes_to_its_segments(
            path: String,
            text in "[/%?#{}. ~A-Za-z\u{E4}\u{3000}\\\\]{0,40}",
            simple in "(/[.~A-Za-z]{0,3}){1,5}",
        ) {
            let encoded = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            for path in [format!("{path}x"), format!("/{encoded}/{text}/{encoded}x"), format!("{simple}x")] {
                let Some(canonical) = canonical(&path) else { continue };
                prop_assert!(canonical.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/%-._~".contains(&byte)));
                let decoded = canonical.split('/').skip(1).map(|segment| decode(segment).unwrap());
                let expected = segments(&path).unwrap().map(|segment| segment.unwrap().to_ascii_lowercase());
                prop_assert_eq!(decoded.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            }
        }
    }
}
