//! Where a key set is read: a file, a URL, or the URL that the issuer's discovery document names (`OpenID` Connect Discovery 1.0).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;
use thiserror::Error;

use super::super::{KeySet, KeySetError};
use super::fetch::{Document, FetchError, Fetcher, MAX_BYTES, RootsError};
use crate::runtime::file::{self, FileError};
use crate::runtime::jwt::KeyUse;
use crate::runtime::server_time::ServerTime;

/// The path of a discovery document below its base URL.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where the key set of an issuer is read, and which of its keys are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// The place.
    pub location: Location,
    /// Which of the keys may sign tokens.
    pub key_use: KeyUse,
}

/// The place of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The discovery document below a base URL names the URL of the key set.
    Discovery {
        /// The base URL.
        base: String,
        /// Issuers, one of which the document must describe.
        issuers: Vec<String>,
        /// PEM file of the certification authorities of the servers. Default: those of the operating system.
        ca: Option<PathBuf>,
    },
    /// A URL.
    Uri {
        /// The URL.
        url: String,
        /// As for a discovery document.
        ca: Option<PathBuf>,
    },
    /// A file.
    File(PathBuf),
}

/// Why a key set cannot be read. `Display` is for the log of the operator.
#[derive(Debug, Error)]
pub enum KeySourceError {
    /// The certification authorities of the server cannot be read.
    #[error("ca")]
    Roots(#[from] RootsError),
    /// A configured URL is not valid.
    #[error("{0} is not a URL")]
    Url(String),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A document cannot be fetched.
    #[error("cannot read {url}")]
    Fetch {
        /// The document.
        url: String,
        /// Why.
        source: FetchError,
    },
    /// The discovery document cannot be used.
    #[error("{url} is not a discovery document with issuer and jwks_uri")]
    Discovery {
        /// The document.
        url: String,
    },
    /// The discovery document describes another issuer.
    #[error("{url} describes an issuer that the entry does not list: {found:?}")]
    WrongIssuer {
        /// The document.
        url: String,
        /// The issuer that it describes, truncated.
        found: String,
    },
    /// The discovery document names an unsafe URL.
    #[error("{url} names a key set that is not read over https: {found:?}")]
    UnsafeUri {
        /// The document.
        url: String,
        /// The URL of the key set, truncated.
        found: String,
    },
    /// The key set is not valid.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// No key can verify a token. A set without keys would refuse every caller, so it does not replace another one.
    #[error("none of the {skipped} keys of the set can verify tokens")]
    NoKeys {
        /// Number of keys.
        skipped: usize,
    },
}

/// A key set that was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) keys: KeySet,
    /// Its text.
    pub(super) json: Vec<u8>,
    /// How long it may be kept, if the server says so.
    pub(super) max_age: Option<Duration>,
    /// The clock of the server, if it tells the time.
    pub(super) clock: Option<ServerTime>,
}

/// A key set that was read once.
#[derive(Debug)]
pub struct FreshKeys {
    /// The keys.
    pub keys: KeySet,
    /// The clock of the server, if it tells the time.
    pub clock: Option<ServerTime>,
}

/// A [`KeySource`] that is ready to be read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    place: Place,
    key_use: KeyUse,
}

#[derive(Clone, Debug)]
enum Place {
    Discovery { base: String, document: Uri, issuers: Vec<String>, fetcher: Fetcher },
    Uri { url: Uri, fetcher: Fetcher },
    File(PathBuf),
}

/// The members of a discovery document that matter here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    /// ADFS: the issuer of access tokens, which differs from that of ID tokens.
    access_token_issuer: Option<String>,
}

impl KeySource {
    /// Checks what is on this machine: certificates and a key set in a file. Blocks.
    ///
    /// # Errors
    /// The source cannot be used.
    pub fn check(&self) -> Result<(), KeySourceError> {
        match Source::new(self)?.place {
            Place::File(path) => parse(&file::read(&path, MAX_BYTES)?, self.key_use).map(drop),
            Place::Discovery { .. } | Place::Uri { .. } => Ok(()),
        }
    }

    /// Reads the key set once.
    ///
    /// # Errors
    /// The source cannot be used, or the key set cannot be read.
    pub async fn read(&self) -> Result<FreshKeys, KeySourceError> {
        let Loaded { keys, clock, .. } = Source::new(self)?.load().await?;
        Ok(FreshKeys { keys, clock })
    }
}

impl Source {
    /// Prepares a source. Blocks while it reads certificates.
    pub(super) fn new(source: &KeySource) -> Result<Self, KeySourceError> {
        let uri = |text: &str| text.parse::<Uri>().map_err(|_| KeySourceError::Url(text.to_owned()));
        let place = match &source.location {
            Location::Discovery { base, issuers, ca } => {
                let base = base.trim_end_matches(DISCOVERY_PATH).trim_end_matches('/').to_owned();
                let document = uri(&format!("{base}{DISCOVERY_PATH}"))?;
                let fetcher = Fetcher::new(ca.as_deref())?;
                Place::Discovery { base, document, issuers: issuers.clone(), fetcher }
            }
            Location::Uri { url, ca } => Place::Uri { url: uri(url)?, fetcher: Fetcher::new(ca.as_deref())? },
            Location::File(path) => Place::File(path.clone()),
        };
        Ok(Self { place, key_use: source.key_use })
    }

    /// Whether the key set is on this machine, so that it is available whenever the process starts.
    pub(super) const fn is_local(&self) -> bool {
        match self.place {
            Place::File(_) => true,
            Place::Discovery { .. } | Place::Uri { .. } => false,
        }
    }

    /// Reads the key set.
    pub(super) async fn load(&self) -> Result<Loaded, KeySourceError> {
        let Document { body, max_age, clock } = self.read().await?;
        let json: Vec<u8> = body.into();
        let keys = parse(&json, self.key_use)?;
        Ok(Loaded { keys, json, max_age, clock })
    }

    async fn read(&self) -> Result<Document, KeySourceError> {
        let (url, fetcher) = match &self.place {
            Place::File(path) => {
                let path = path.clone();
                let content = tokio::task::spawn_blocking(move || file::read(&path, MAX_BYTES)).await;
                // The task fails only if the runtime shuts down.
                let body = content.unwrap_or_else(|_| Ok(Vec::new()))?.into();
                return Ok(Document { body, max_age: None, clock: None });
            }
            Place::Uri { url, fetcher } | Place::Discovery { document: url, fetcher, .. } => (url, fetcher),
        };
        let deadline = fetcher.deadline();
        let get = async |url: &Uri| {
            let document = fetcher.get(url, deadline).await;
            document.map_err(|source| KeySourceError::Fetch { url: url.to_string(), source })
        };
        let mut document = get(url).await?;
        if let Place::Discovery { base, issuers, .. } = &self.place {
            document = get(&Discovery::read(&document.body, url)?.key_set(url, base, issuers)?).await?;
        }
        Ok(document)
    }
}

impl Discovery {
    /// Reads the document at a URL.
    fn read(json: &[u8], url: &Uri) -> Result<Self, KeySourceError> {
        serde_json::from_slice(json).map_err(|_| KeySourceError::Discovery { url: url.to_string() })
    }

    /// The URL of the key set, if the document at `url` is that of one of the issuers.
    fn key_set(&self, url: &Uri, base: &str, issuers: &[String]) -> Result<Uri, KeySourceError> {
        if !self.describes(base, issuers) {
            return Err(KeySourceError::WrongIssuer { url: url.to_string(), found: truncated(&self.issuer) });
        }
        let keys = self.jwks_uri.parse().ok().filter(|keys| is_safe(keys, url));
        let unsafe_uri = || KeySourceError::UnsafeUri { url: url.to_string(), found: truncated(&self.jwks_uri) };
        keys.ok_or_else(unsafe_uri)
    }

    /// Whether this is the document of one of the issuers. That of ADFS has the base URL as its issuer, and names the issuer of
    /// access tokens separately.
    fn describes(&self, base: &str, issuers: &[String]) -> bool {
        let is_listed = |issuer: &String| issuers.contains(issuer);
        let is_adfs =
            self.issuer.trim_end_matches('/') == base && self.access_token_issuer.as_ref().is_some_and(is_listed);
        is_listed(&self.issuer) || is_adfs
    }
}

fn parse(json: &[u8], key_use: KeyUse) -> Result<KeySet, KeySourceError> {
    let keys = KeySet::parse(json, key_use)?;
    match keys.usable() {
        0 => Err(KeySourceError::NoKeys { skipped: keys.skipped().count() }),
        _ => Ok(keys),
    }
}

/// Whether keys may be read from a URL that a discovery document names: over https, or from this machine if the document was read
/// so, which the configuration allows in development mode only.
fn is_safe(keys: &Uri, document: &Uri) -> bool {
    let is_plain_loopback = |url: &Uri| {
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback());
        url.scheme_str() == Some("http") && is_loopback
    };
    match keys.scheme_str() {
        Some("https") => keys.host().is_some_and(|host| !host.is_empty()),
        _ => is_plain_loopback(keys) && is_plain_loopback(document),
    }
}

fn truncated(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The results of a read: `ok`, or the name of the error.
pub(super) const RESULTS: [&str; 14] = [
    "ok",
    "ca",
    "url",
    "file",
    "connect",
    "broken",
    "timeout",
    "status",
    "too_large",
    "discovery",
    "wrong_issuer",
    "unsafe_uri",
    "key_set",
    "no_keys",
];

impl KeySourceError {
    /// Stable name of the error, one of [`RESULTS`]: a label of metrics.
    pub(super) const fn result(&self) -> &'static str {
        match self {
            Self::Roots(_) => "ca",
            Self::Url(_) => "url",
            Self::File(_) => "file",
            Self::Fetch { source, .. } => match source {
                FetchError::Connect(_) => "connect",
                FetchError::Broken(_) => "broken",
                FetchError::TimedOut { .. } => "timeout",
                FetchError::Status(_) => "status",
                FetchError::TooLarge => "too_large",
            },
            Self::Discovery { .. } => "discovery",
            Self::WrongIssuer { .. } => "wrong_issuer",
            Self::UnsafeUri { .. } => "unsafe_uri",
            Self::KeySet(_) => "key_set",
            Self::NoKeys { .. } => "no_keys",
        }
    }
}

#[cfg(test)]
mod tests;
