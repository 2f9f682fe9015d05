//! URLs of servers that the service calls.

use http::Uri;

use super::setting::Setting;

/// An absolute `https` or `http` URL without user information and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the URL has a query.
    pub(super) fn has_query(&self) -> bool {
        self.0.contains('?')
    }

    /// Whether the connection is encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Whether the host is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let uri: Option<Uri> = self.0.parse().ok();
        uri.as_ref().and_then(Uri::host).is_some_and(|host| {
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
            address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
        })
    }
}

impl Setting for HttpUrl {
    const EXPECTED: &'static str = "a URL such as https://login.example/path, without user and fragment";

    fn read(text: &str) -> Option<Self> {
        // The parser drops fragments.
        if text.contains(['#', '@']) {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let is_absolute =
            matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some_and(|host| !host.is_empty());
        is_absolute.then(|| Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_scheme_and_a_host() {
        for (text, is_loopback) in [
            ("https://login.example", false),
            ("https://login.example:8443/a/b/", false),
            ("https://login.example/keys?policy=a", false),
            ("http://127.0.0.1:8080/keys", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80/", true),
            ("http://localhost/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            let url = HttpUrl::read(text).unwrap();
            assert_eq!((url.write().as_str(), url.is_loopback()), (text, is_loopback));
            assert_eq!(url.is_https(), text.starts_with("https://"));
        }
        for text in [
            "",
            "/",
            "login.example",
            "login.example/x",
            "ftp://login.example",
            "https://",
            "https:///x",
            "file:///etc/passwd",
            "https://user@login.example",
            "https://u:p@login.example",
            "https://login.example/#x",
            "https://login.example/ x",
        ] {
            assert_eq!(HttpUrl::read(text), None, "{text:?}");
        }
    }
}
