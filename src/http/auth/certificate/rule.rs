//! Rules that map a verified certificate to a caller: a pure function.

use std::path::PathBuf;
use std::sync::Arc;

use super::contents::Contents;
use super::rejection::CertificateRejection;
use crate::domain::{Caller, Groups, Proof, ProofMethod, Sid, Upn, UserId};
use crate::http::auth::jwt::spiffe;
use crate::runtime::tls::{Authority, PeerCertificate};

/// All rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

/// A rule: the certificates of its CAs identify callers by one kind of name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name of the rule, a part of the identity of callers without a UUID.
    pub name: Arc<str>,
    /// The CAs whose certificates it applies to.
    pub ca: CaFilter,
    /// What identifies the caller.
    pub source: Source,
    /// The callers that the rule knows. If there are none, every value of the source is a caller, which [`Source::San`] and
    /// [`Source::Dn`] do not allow.
    pub callers: Vec<KnownCaller>,
}

/// The CAs that a rule applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaFilter {
    /// Every CA of `tls.client_ca`.
    Any,
    /// The CA with this SHA-256 of its public key.
    KeyHash([u8; 32]),
    /// The CAs in this file, as it was when the TLS configuration in force was read.
    File(PathBuf),
}

/// What identifies a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The SPIFFE ID: the only URI of the certificate (X509-SVID, 2).
    Spiffe {
        /// The trust domain that the CAs of the rule may issue IDs for, such as `corp.test`.
        trust_domain: String,
    },
    /// The SID that AD CS adds to the certificates of accounts (KB5014754).
    SidExtension,
    /// The SID in a URI of the subject alternative name (KB5014754). Whoever chooses the names of a certificate chooses the caller, so
    /// the CAs of the rule must not take them from requests.
    SidUri,
    /// The user principal name.
    Upn,
    /// A URI or DNS name in the subject alternative name.
    San,
    /// The whole subject, in the form of RFC 4514.
    Dn,
}

/// A caller that a rule knows by a value of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCaller {
    /// The value.
    pub value: String,
    /// The user; by default an id made from the rule and the value.
    pub user: Option<UserId>,
    /// The security identifier; by default that of the SID extension if it is the source, else none.
    pub sid: Option<Sid>,
    /// The name; by default the value.
    pub name: Option<String>,
    /// The groups.
    pub groups: Vec<Sid>,
}

impl Rules {
    /// The caller that a certificate identifies.
    ///
    /// # Errors
    /// The certificate identifies no caller, or more than one.
    pub fn caller(&self, peer: &PeerCertificate) -> Result<Caller, CertificateRejection> {
        let contents = Contents::read(peer.der())?;
        let mut found: Option<(&Rule, Caller)> = None;
        for rule in self.0.iter().filter(|rule| rule.ca.contains(peer.authority())) {
            let Some(mut caller) = rule.caller(&contents)? else { continue };
            if let Some((first, _)) = &found {
                let (first, second) = (Arc::clone(&first.name), Arc::clone(&rule.name));
                return Err(CertificateRejection::AmbiguousRule { first, second });
            }
            caller.proof.expires_at = Some(peer.not_after());
            found = Some((rule, caller));
        }
        found.map(|(_, caller)| caller).ok_or_else(|| CertificateRejection::Unmapped {
            subject: contents.subject,
            ca: peer.authority().name.clone(),
        })
    }
}

impl CaFilter {
    pub(in crate::http::auth) fn contains(&self, authority: &Authority) -> bool {
        match self {
            Self::Any => true,
            Self::KeyHash(hash) => authority.key_hash == *hash,
            Self::File(path) => authority.files.contains(path),
        }
    }
}

impl Rule {
    /// The caller; `None` if the rule does not apply.
    fn caller(&self, contents: &Contents) -> Result<Option<Caller>, CertificateRejection> {
        let values = self.source.values(contents)?;
        if !self.callers.is_empty() {
            let mut known = self.callers.iter().filter(|known| values.contains(&known.value));
            return match (known.next(), known.next()) {
                (None, _) => Ok(None),
                (Some(known), None) => Ok(Some(self.known_caller(known, contents))),
                (Some(first), Some(second)) => Err(CertificateRejection::AmbiguousEntry {
                    rule: Arc::clone(&self.name),
                    first: first.value.clone(),
                    second: second.value.clone(),
                }),
            };
        }
        // The certificate of an account of Active Directory does not list its groups.
        let groups = match self.source {
            Source::SidExtension | Source::SidUri | Source::Upn => Groups::Unknown,
            Source::Spiffe { .. } | Source::San | Source::Dn => Groups::Known(Vec::new()),
        };
        let caller = |value: &String| Caller {
            user: UserId::of_subject(&self.name, value),
            name: value.clone(),
            sid: self.source.sid(contents),
            upn: self.source.upn(value),
            groups,
            proof: self.proof(),
        };
        Ok(values.first().map(caller))
    }

    fn known_caller(&self, known: &KnownCaller, contents: &Contents) -> Caller {
        Caller {
            user: known.user.unwrap_or_else(|| UserId::of_subject(&self.name, &known.value)),
            name: known.name.clone().unwrap_or_else(|| known.value.clone()),
            sid: known.sid.clone().or_else(|| self.source.sid(contents)),
            upn: self.source.upn(&known.value),
            groups: Groups::Known(known.groups.clone()),
            proof: self.proof(),
        }
    }

    fn proof(&self) -> Proof {
        Proof { method: ProofMethod::Certificate, entry: Some(Arc::clone(&self.name)), expires_at: None }
    }
}

impl Source {
    /// The values of this source in a certificate. Only [`Source::San`] has more than one.
    fn values(&self, contents: &Contents) -> Result<Vec<String>, CertificateRejection> {
        let several = |what| Err(CertificateRejection::Several { what });
        match self {
            Self::Spiffe { trust_domain } => match contents.uris.as_slice() {
                [uri] if spiffe::trust_domain(uri) == Some(&format!("spiffe://{trust_domain}")) => {
                    Ok(vec![uri.clone()])
                }
                [] | [_] => Ok(Vec::new()),
                [_, _, ..] => several("URIs"),
            },
            Self::SidExtension => Ok(contents.sid.iter().map(Sid::to_string).collect()),
            Self::SidUri => match (contents.uri_sids.as_slice(), &contents.sid) {
                ([], _) => Ok(Vec::new()),
                ([sid], extension) if extension.as_ref().is_none_or(|other| other == sid) => Ok(vec![sid.to_string()]),
                _ => several("SIDs"),
            },
            Self::Upn => match contents.principal_names.as_slice() {
                [] | [_] => Ok(contents.principal_names.clone()),
                [_, _, ..] => several("user principal names"),
            },
            Self::San => Ok([&contents.uris[..], &contents.dns_names[..]].concat()),
            Self::Dn => Ok(vec![contents.subject.clone()]),
        }
    }

    /// The security identifier, if the rule relies on the CA for it.
    fn sid(&self, contents: &Contents) -> Option<Sid> {
        match self {
            Self::SidExtension => contents.sid.clone(),
            Self::SidUri => contents.uri_sids.first().cloned(),
            Self::Spiffe { .. } | Self::Upn | Self::San | Self::Dn => None,
        }
    }

    /// The user principal name, if the rule relies on the CA for it. `value` is that of this source.
    fn upn(&self, value: &str) -> Option<Upn> {
        match self {
            Self::Upn => Upn::parse(value),
            Self::Spiffe { .. } | Self::SidExtension | Self::SidUri | Self::San | Self::Dn => None,
        }
    }
}
