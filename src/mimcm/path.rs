//! Paths of the API. They match in the forms that IIS and Web API accepted, except unsafe ones; `forms.md` lists the accepted
//! and the refused forms.

use std::borrow::Cow;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method, Uri};

use super::unsupported::Unsupported;
use super::{codes, guid};
use crate::domain::{CredentialIds, ProfileId, RequestId, RequestType, SmartcardId, TemplateId};

/// The part of a path that the addresses in answers lack.
pub(super) const ROOT: &str = "/CertificateManagement/";

/// The first segments of every path, in lower case.
const PREFIX: [&str; 3] = ["certificatemanagement", "api", "v1.0"];

/// The resource that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// `/requests`
    Requests,
    /// `/requests/{id}`
    Request(RequestId),
    /// `/profiletemplates`
    Templates,
    /// `/profiletemplates/{id}`
    Template(TemplateId),
    /// `/profiletemplates/{id}/policies/{type}`, and `/profiletemplates/{id}/policy/workflow/{type}` of an earlier document
    Policy(TemplateId, RequestType),
    /// `/profiletemplates/{id}/configuration/smartcards`
    SmartcardConfiguration(TemplateId),
    /// `/smartcards`
    Smartcards,
    /// `/smartcards/{id}`
    Smartcard(SmartcardId),
    /// `/requests/{id}/smartcards/{id}`
    SmartcardOf(RequestId, SmartcardId),
    /// `/profiles`
    Profiles,
    /// `/profiles/{id}`
    Profile(ProfileId),
    /// `/requests/{id}/profiles`
    ProfilesOf(RequestId),
    /// `/smartcards/{id}/operations` and `/profiles/{id}/operations`
    Operations(CredentialIds),
    /// `/openapi.json`, which MIM CM did not have
    Description,
    /// An endpoint that the service does not support
    Unsupported(Unsupported),
}

impl Resource {
    /// The methods of the resource, as the `Allow` header lists them.
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Requests | Self::Smartcards => "GET, POST",
            Self::Request(_) | Self::SmartcardOf(..) => "GET, PUT",
            Self::Description
            | Self::Templates
            | Self::Template(_)
            | Self::Policy(..)
            | Self::SmartcardConfiguration(_)
            | Self::Smartcard(_)
            | Self::Profiles
            | Self::Profile(_)
            | Self::ProfilesOf(_)
            | Self::Operations(_) => "GET",
            Self::Unsupported(unsupported) => unsupported.method(),
        }
    }
}

/// The route of a call as metrics show it; `None` if there is no such route.
#[must_use]
pub fn route(method: &Method, path: &str) -> Option<&'static str> {
    match (resource(path)?, method) {
        (Resource::Requests, &Method::POST) => Some("POST /requests"),
        (Resource::Requests, &Method::GET) => Some("GET /requests"),
        (Resource::Request(_), &Method::GET) => Some("GET /requests/{id}"),
        (Resource::Request(_), &Method::PUT) => Some("PUT /requests/{id}"),
        (Resource::Templates, &Method::GET) => Some("GET /profiletemplates"),
        (Resource::Template(_), &Method::GET) => Some("GET /profiletemplates/{id}"),
        (Resource::Policy(..), &Method::GET) => Some("GET /profiletemplates/{id}/policies/{type}"),
        (Resource::SmartcardConfiguration(_), &Method::GET) => {
            Some("GET /profiletemplates/{id}/configuration/smartcards")
        }
        (Resource::Description, &Method::GET) => Some("GET /openapi.json"),
        (Resource::Smartcards, &Method::POST) => Some("POST /smartcards"),
        (Resource::Smartcards, &Method::GET) => Some("GET /smartcards"),
        (Resource::Smartcard(_), &Method::GET) => Some("GET /smartcards/{id}"),
        (Resource::SmartcardOf(..), &Method::GET) => Some("GET /requests/{id}/smartcards/{id}"),
        (Resource::SmartcardOf(..), &Method::PUT) => Some("PUT /requests/{id}/smartcards/{id}"),
        (Resource::Profiles, &Method::GET) => Some("GET /profiles"),
        (Resource::Profile(_), &Method::GET) => Some("GET /profiles/{id}"),
        (Resource::ProfilesOf(_), &Method::GET) => Some("GET /requests/{id}/profiles"),
        (Resource::Operations(CredentialIds { smartcard: Some(_), .. }), &Method::GET) => {
            Some("GET /smartcards/{id}/operations")
        }
        (Resource::Operations(_), &Method::GET) => Some("GET /profiles/{id}/operations"),
        (Resource::Unsupported(unsupported), method) if method == unsupported.method() => Some(unsupported.route()),
        (
            Resource::Requests
            | Resource::Request(_)
            | Resource::Templates
            | Resource::Template(_)
            | Resource::Policy(..)
            | Resource::SmartcardConfiguration(_)
            | Resource::Description
            | Resource::Smartcards
            | Resource::Smartcard(_)
            | Resource::SmartcardOf(..)
            | Resource::Profiles
            | Resource::Profile(_)
            | Resource::ProfilesOf(_)
            | Resource::Operations(_)
            | Resource::Unsupported(_),
            _,
        ) => None,
    }
}

/// The resource of a path; `None` if the API has no such path.
pub(super) fn resource(path: &str) -> Option<Resource> {
    let segments = segments(path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.strip_prefix(&PREFIX)? {
        ["requests"] => Some(Resource::Requests),
        ["requests", id] => guid::read(id).map(|id| Resource::Request(RequestId::new(id))),
        ["requests", id, "profiles"] => guid::read(id).map(|id| Resource::ProfilesOf(RequestId::new(id))),
        ["requests", id, name] => {
            guid::read(id)?;
            Unsupported::of_request(name).map(Resource::Unsupported)
        }
        ["requests", id, "smartcards", card] => {
            let (id, card) = guid::read(id).zip(guid::read(card))?;
            Some(Resource::SmartcardOf(RequestId::new(id), SmartcardId::new(card)))
        }
        ["requests", id, "smartcards", card, name] => {
            guid::read(id).and(guid::read(card))?;
            Unsupported::of_smartcard(name).map(Resource::Unsupported)
        }
        ["smartcards", rest @ ..] => of_smartcard(rest),
        ["profiles", rest @ ..] => of_profile(rest),
        ["openapi.json"] => Some(Resource::Description),
        ["certificates"] => Some(Resource::Unsupported(Unsupported::Certificates)),
        ["profiletemplates", rest @ ..] => of_template(rest),
        _ => None,
    }
}

/// The decoded segments of a path in lower case; `None` if a segment cannot be decoded or has control characters.
///
/// As in http.sys, a backslash is a slash, and empty segments and `.` are removed. Unlike in http.sys, `..` and encoded
/// separators have no special meaning, because they could escape a path prefix that a proxy has checked.
fn segments(path: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    for segment in path.strip_prefix('/')?.split(['/', '\\']) {
        let segment = decode(segment)?;
        // Otherwise `guid::read` would trim tabs and line ends.
        if segment.contains(char::is_control) {
            return None;
        }
        if !matches!(&*segment, "" | ".") {
            segments.push(segment.trim_matches(' ').to_ascii_lowercase());
        }
    }
    // Some addresses in the documents end with dots.
    if let Some(last) = segments.last_mut() {
        last.truncate(last.trim_end_matches(['.', ' ']).len());
    }
    Some(segments)
}

fn of_smartcard(rest: &[&str]) -> Option<Resource> {
    let [id, rest @ ..] = rest else { return Some(Resource::Smartcards) };
    let id = SmartcardId::new(guid::read(id)?);
    match rest {
        [] => Some(Resource::Smartcard(id)),
        ["operations"] => Some(Resource::Operations(CredentialIds { smartcard: Some(id), profile: None })),
        ["certificates"] => Some(Resource::Unsupported(Unsupported::SmartcardCertificates)),
        ["serverproposedpin"] => Some(Resource::Unsupported(Unsupported::ServerProposedPin)),
        _ => None,
    }
}

fn of_profile(rest: &[&str]) -> Option<Resource> {
    let [id, rest @ ..] = rest else { return Some(Resource::Profiles) };
    let id = ProfileId::new(guid::read(id)?);
    match rest {
        [] => Some(Resource::Profile(id)),
        ["operations"] => Some(Resource::Operations(CredentialIds { profile: Some(id), smartcard: None })),
        ["certificates"] => Some(Resource::Unsupported(Unsupported::ProfileCertificates)),
        _ => None,
    }
}

fn of_template(rest: &[&str]) -> Option<Resource> {
    let [id, rest @ ..] = rest else { return Some(Resource::Templates) };
    let id = TemplateId::new(guid::read(id)?);
    match rest {
        [] => Some(Resource::Template(id)),
        ["policies", kind] | ["policy", "workflow", kind] => {
            codes::read_type(kind).map(|kind| Resource::Policy(id, kind))
        }
        ["configuration", "smartcards"] => Some(Resource::SmartcardConfiguration(id)),
        _ => None,
    }
}

/// The address of the call; only its path and query if the host is not known.
pub(super) fn address(uri: &Uri, headers: &HeaderMap) -> String {
    let host = uri.authority().map(Authority::as_str);
    let host = host.or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
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
    use proptest::prelude::*;

    use super::{Resource, resource};

    const ID: &str = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

    #[test]
    fn every_spelling_of_a_path_is_found() {
        for path in [
            "/CertificateManagement/api/v1.0/requests",
            "/certificatemanagement/API/V1.0/REQUESTS",
            "/CertificateManagement/api/v1.0/requests/",
            "/CertificateManagement/api/v1.0/requests...",
            "/CertificateManagement/api/v1.0/requests%20///.",
            "/CertificateManagement/api/v1%2E0/req%75ests",
        ] {
            assert_eq!(resource(path), Some(Resource::Requests), "{path}");
        }
    }

    #[test]
    fn every_form_of_an_id_is_found() {
        let id = Resource::Request(ID.parse().unwrap());
        let forms = [
            ID.to_owned(),
            ID.to_uppercase(),
            ID.replace('-', ""),
            format!("{{{ID}}}"),
            format!("%7B{ID}%7D"),
            format!("({ID})"),
            format!("%20{ID}%20"),
            format!("{ID}/"),
            format!("{ID}...."),
            format!("{ID}%20./."),
        ];
        for form in forms {
            let path = format!("/certificatemanagement/api/v1.0/requests/{form}");
            assert_eq!(resource(&path), Some(id), "{path}");
        }
    }

    #[test]
    fn other_paths_are_unknown() {
        for path in [
            "",
            "*",
            "/",
            "/requests",
            "/api/v1.0/requests",
            "/CertificateManagement/api/v1.0",
            "/CertificateManagement/api/v2.0/requests",
            "/CertificateManagement/api/v1.0/request",
            "/CertificateManagement/api/v1.0/requests/1",
            "/CertificateManagement/api/v1.0/requests/not-a-guid",
            "/CertificateManagement/api/v1.0/requests/%20",
            "/CertificateManagement/api/v1.0/requests/%C2%85",
            "/CertificateManagement/api/v1.0/requests/%zz",
            "/CertificateManagement/api/v1.0/requests/%ff",
            "/CertificateManagement/api/v1.0/requests/%",
            "/CertificateManagement/api/v1.0/requests%2Fa9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099",
            "/CertificateManagement/api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099/smartcards",
            "/CertificateManagement/api/v1.0/smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9/status",
            "/CertificateManagement/api/v1.0/profiles/active",
            "/CertificateManagement/api/v1.0/certificates/1",
        ] {
            assert_eq!(resource(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in any::<String>(), id in "[%{}().0-9a-f-]{0,40}") {
            let _ = resource(&path);
            let _ = resource(&format!("/CertificateManagement/api/v1.0/requests/{id}"));
        }
    }
}
