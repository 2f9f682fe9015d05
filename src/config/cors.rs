//! `[cors]`: browsers of other origins.

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require};
use super::list::List;

/// `[cors]`: browsers of other origins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Origins whose scripts may call the service, also over gRPC-Web. Default: none.
    pub origins: List,
}

impl Cors {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        self.origins.check("cors.origins")?;
        let problem =
            "must contain origins as browsers send them, such as https://console.example or http://localhost:3000";
        require(self.origins.0.iter().all(|origin| is_origin(origin)), "cors.origins", problem)
    }
}

/// Whether a text is a serialised origin: scheme, host in lower case, and port unless it is that of the scheme.
fn is_origin(text: &str) -> bool {
    let (host, default_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(host), _) => (host, ":443"),
        (None, Some(host)) => (host, ":80"),
        (None, None) => return false,
    };
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_plain) && !host.ends_with(default_port)
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn origins_have_the_form_in_which_browsers_send_them() {
        for origin in ["https://console.example", "http://localhost:3000", "https://[::1]:8443", "https://a.example:80"]
        {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "*",
            "null",
            "console.example",
            "https://",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}
