//! `[[auth.jwt]]`: an issuer of bearer tokens, where its keys are, and what its tokens must contain.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::error::{Invalid, require, require_within};
use super::super::setting::{self, Setting};
use super::super::{CallerLimits, HttpUrl, List, Mode};
use super::entries::check_name;
use crate::runtime::jwt::{Algorithm, ClaimEncoding, ClaimReader, KeyUse};

/// `[[auth.jwt]]`: an issuer of bearer tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtEntry {
    /// Name of the entry, a part of the identity of its callers: renaming it makes them other users.
    #[serde(with = "setting")]
    pub name: String,
    /// Accepted values of the claim `iss`, compared byte by byte. No two entries may share one.
    pub issuers: List,
    /// Base URL of the issuer's discovery document, without `/.well-known/openid-configuration`.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub discovery: Option<HttpUrl>,
    /// URL of the key set.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<HttpUrl>,
    /// File with the key set; it is read again like a URL.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// PEM file of the certification authorities of the issuer's server. Default: those of the operating system.
    #[serde(default, with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Accepted values of the claim `aud`.
    pub audiences: List,
    /// Accepted signature algorithms. Default: `RS256`.
    #[serde(default = "default_algorithms")]
    pub algorithms: List<Algorithm>,
    /// Accepted values of the header `typ`; an empty text accepts a token without it. Default: `JWT` and `at+jwt`.
    #[serde(default = "default_types")]
    pub types: List,
    /// Claims that a token must have. The claim, or an item of it, must be one of the listed values; an empty list accepts any.
    #[serde(default)]
    pub require: BTreeMap<String, List>,
    /// The claims that describe the caller.
    #[serde(default)]
    pub user: UserClaims,
    /// Longest accepted lifetime of a token, from `iat` to `exp`. Default: `24h`.
    #[serde(default = "default_lifetime", with = "setting")]
    pub max_lifetime: Duration,
    /// Tolerated difference between the clocks. Default: `30s`.
    #[serde(default = "default_skew", with = "setting")]
    pub skew: Duration,
    /// Longest accepted token, in bytes. Default: 16384.
    #[serde(default = "default_bytes", deserialize_with = "setting::deserialize")]
    pub max_bytes: usize,
    /// Accepted `use` of a key: `sig`, which a key may also omit, or `jwt-svid` for a SPIFFE bundle. Default: `sig`.
    #[serde(default = "default_key_use", with = "setting")]
    pub key_use: KeyUse,
    /// Limits on each caller of the entry. Default: those of `[limits.caller]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<CallerLimits>,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetSource<'a> {
    /// The discovery document below a base URL names the URL of the key set.
    Discovery(&'a HttpUrl),
    /// A URL.
    Uri(&'a HttpUrl),
    /// A file.
    File(&'a PathBuf),
}

/// `[auth.jwt.user]`: the claims that describe the caller.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserClaims {
    /// The claim that identifies the caller within the entry. Default: `sub`.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub subject: Option<ClaimReader>,
    /// The user's UUID. Entries that name this claim share their users. Default: a UUID made from the entry and the subject.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<ClaimReader>,
    /// The user's security identifier. Default: none.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub sid: Option<ClaimReader>,
    /// The user principal name. Default: none.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub upn: Option<ClaimReader>,
    /// The user's name. Default: the subject.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<ClaimReader>,
    /// The security identifiers of the user's groups. Default: the user is in no groups.
    #[serde(with = "setting::optional", skip_serializing_if = "Option::is_none")]
    pub groups: Option<ClaimReader>,
}

/// The claim `iss` of the tokens of `cmgate demo`.
pub const DEMO_ISSUER: &str = "urn:cmgate:demo";

/// Bounds on the lifetime of a token.
const LIFETIMES: std::ops::RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(366 * 24);
/// Bounds on the tolerated clock difference.
const SKEWS: std::ops::RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(1);
/// Bounds on the size of a token, in bytes.
const BYTES: std::ops::RangeInclusive<usize> = 1 << 10..=64 << 10;
/// Longest name of a claim, in bytes.
const MAX_CLAIM: usize = 256;
/// Maximum number of required claims.
const MAX_REQUIRED: usize = 32;

fn default_algorithms() -> List<Algorithm> {
    List(vec![Algorithm::Rs256])
}

fn default_types() -> List {
    List(vec!["JWT".to_owned(), "at+jwt".to_owned()])
}

const fn default_lifetime() -> Duration {
    Duration::from_hours(24)
}

const fn default_skew() -> Duration {
    Duration::from_secs(30)
}

const fn default_bytes() -> usize {
    16 << 10
}

const fn default_key_use() -> KeyUse {
    KeyUse::Sig
}

impl JwtEntry {
    /// Where the keys are; `None` unless exactly one place is set, which `check` demands.
    #[must_use]
    pub const fn source(&self) -> Option<KeySetSource<'_>> {
        match (&self.discovery, &self.jwks_uri, &self.jwks_file) {
            (Some(url), None, None) => Some(KeySetSource::Discovery(url)),
            (None, Some(url), None) => Some(KeySetSource::Uri(url)),
            (None, None, Some(path)) => Some(KeySetSource::File(path)),
            _ => None,
        }
    }

    /// Checks the entry; `key` makes the full key of a setting from its name.
    pub(super) fn check(&self, mode: Mode, key: impl Fn(&str) -> String) -> Result<(), Invalid> {
        check_name(&self.name, key("name"))?;
        self.issuers.check(&key("issuers"))?;
        require(!self.issuers.0.is_empty(), key("issuers"), "must contain a value of the claim iss")?;
        let is_demo = self.issuers.0.iter().any(|issuer| issuer == DEMO_ISSUER);
        let problem = format!(
            "must not contain {DEMO_ISSUER} in production: everybody with the files of a demo can sign tokens for anybody"
        );
        require(!is_demo || mode == Mode::Development, key("issuers"), problem)?;
        self.check_source(mode, &key)?;
        self.audiences.check(&key("audiences"))?;
        let problem =
            "must contain a value of the claim aud, which tells tokens for this service from those for others";
        require(!self.audiences.0.is_empty(), key("audiences"), problem)?;
        require(!self.algorithms.0.is_empty(), key("algorithms"), "must contain an algorithm such as RS256")?;
        let types = List(self.types.0.iter().filter(|name| !name.is_empty()).cloned().collect());
        types.check(&key("types"))?;
        require(!self.types.0.is_empty(), key("types"), "must contain a type such as JWT or at+jwt")?;
        require(
            self.require.len() <= MAX_REQUIRED,
            key("require"),
            format!("must name at most {MAX_REQUIRED} claims"),
        )?;
        for (claim, values) in &self.require {
            require(is_claim(claim), key("require"), format!("must name claims of 1 to {MAX_CLAIM} bytes"))?;
            values.check(&key(&format!("require.{claim}")))?;
        }
        self.user.check(&key)?;
        require_within(key("max_lifetime"), &self.max_lifetime, &LIFETIMES)?;
        require_within(key("skew"), &self.skew, &SKEWS)?;
        require_within(key("max_bytes"), &self.max_bytes, &BYTES)?;
        CallerLimits::check_of_entry(self.limits.as_ref(), key)
    }

    fn check_source(&self, mode: Mode, key: &impl Fn(&str) -> String) -> Result<(), Invalid> {
        let problem = "must be set, or jwks_uri or jwks_file instead, but only one of the three";
        require(self.source().is_some(), key("discovery"), problem)?;
        let is_file = self.jwks_file.is_some();
        require(
            !(is_file && self.ca.is_some()),
            key("ca"),
            "must not be set beside jwks_file, which needs no connection",
        )?;
        let has_query = self.discovery.as_ref().is_some_and(HttpUrl::has_query);
        require(
            !has_query,
            key("discovery"),
            "must be a URL without a query, to which the path of the document is appended",
        )?;
        for (name, url) in [("discovery", &self.discovery), ("jwks_uri", &self.jwks_uri)] {
            let Some(url) = url else { continue };
            let problem = "must begin with https:// (http:// is allowed for this machine in development mode)";
            let is_safe = url.is_https() || mode == Mode::Development && url.is_loopback();
            require(is_safe, key(name), problem)?;
        }
        Ok(())
    }
}

impl UserClaims {
    fn check(&self, key: &impl Fn(&str) -> String) -> Result<(), Invalid> {
        let readers = [
            ("subject", &self.subject),
            ("sid", &self.sid),
            ("upn", &self.upn),
            ("name", &self.name),
            ("groups", &self.groups),
        ];
        for (name, reader) in readers {
            let is_text = reader.as_ref().is_none_or(|reader| reader.encoding == ClaimEncoding::Text);
            require(
                is_text,
                key(&format!("user.{name}")),
                "must be a claim without an encoding; only uuid may have one",
            )?;
        }
        Ok(())
    }
}

fn is_claim(name: &str) -> bool {
    (1..=MAX_CLAIM).contains(&name.len()) && !name.chars().any(char::is_control)
}

impl Setting for ClaimReader {
    const EXPECTED: &'static str = "the name of a claim, such as oid, or a claim and its encoding, such as \
                                    objectguid:guid-le-base64";

    fn read(text: &str) -> Option<Self> {
        let (claim, encoding) = match text.rsplit_once(':') {
            Some((claim, "guid-le-base64")) => (claim, ClaimEncoding::GuidLeBase64),
            Some((_, encoding)) if encoding.starts_with("guid") => return None,
            // Names of claims may be URLs, so other colons are part of them.
            _ => (text, ClaimEncoding::Text),
        };
        is_claim(claim).then(|| Self { claim: claim.to_owned(), encoding })
    }

    fn write(&self) -> String {
        match self.encoding {
            ClaimEncoding::Text => self.claim.clone(),
            ClaimEncoding::GuidLeBase64 => format!("{}:guid-le-base64", self.claim),
        }
    }
}

impl Setting for Algorithm {
    const EXPECTED: &'static str = "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn write(&self) -> String {
        self.name().to_owned()
    }
}

impl Setting for KeyUse {
    const EXPECTED: &'static str = "\"sig\" or \"jwt-svid\"";

    fn read(text: &str) -> Option<Self> {
        [Self::Sig, Self::JwtSvid].into_iter().find(|key_use| key_use.write() == text)
    }

    fn write(&self) -> String {
        match self {
            Self::Sig => "sig".to_owned(),
            Self::JwtSvid => "jwt-svid".to_owned(),
        }
    }
}
