//! How callers are authenticated, from the configuration.

use crate::config::{
    CaName, CertificateEntry, CertificateSource, Config, HttpUrl, JwtEntry, KeySetSource, NegotiateEntry, ProxyEntry,
    ProxyName, UserClaims,
};
use crate::domain::{Caller, Upn};
use crate::http::auth::certificate::{CaFilter, KnownCaller, Rule, Rules, Source};
use crate::http::auth::jwt::keys::{KeySource, Location};
use crate::http::auth::jwt::{ClaimMapping, Issuer, Requirement};
use crate::http::auth::negotiate::NegotiateSettings;
use crate::http::auth::proxy::{self, IdentityHeaders, ProxyCertificate, ProxySettings};
use crate::http::auth::{AuthenticationSettings, Development, ProofSettings, TokenIssuer};

pub(super) fn settings(config: &Config) -> AuthenticationSettings {
    if config.trusts_everyone() {
        let unproven = Caller::unproven(config.development.user, config.development.name.clone());
        let caller = Caller { sid: Some(config.development.sid.clone()), ..unproven };
        return AuthenticationSettings::Development(Development::new(caller));
    }
    let tokens = config.auth.jwt.iter().filter_map(token_issuer).collect();
    let certificates = Rules(config.auth.certificate.iter().map(rule).collect());
    let negotiate = config.auth.negotiate.as_ref().map(negotiate);
    let (denied, proxy) = (config.auth.denied.0.clone(), config.auth.proxy.as_ref().map(proxy));
    AuthenticationSettings::Proof(Box::new(ProofSettings { tokens, denied, certificates, negotiate, proxy }))
}

fn proxy(entry: &ProxyEntry) -> ProxySettings {
    let name = |name: &ProxyName| match name {
        ProxyName::Spiffe(id) => proxy::ProxyName::Spiffe(id.clone()),
        ProxyName::KeyHash(hash) => proxy::ProxyName::KeyHash(*hash),
        ProxyName::Dn(subject) => proxy::ProxyName::Dn(subject.clone()),
    };
    let certificate = entry.certificate.as_ref();
    ProxySettings {
        certificate: certificate
            .map(|certificate| ProxyCertificate { ca: ca(entry.ca.as_ref()), name: name(certificate) }),
        headers: IdentityHeaders {
            subject: entry.user.subject.clone(),
            uuid: entry.user.uuid.clone(),
            name: entry.user.name.clone(),
            sid: entry.user.sid.clone(),
            groups: entry.user.groups.clone(),
        },
    }
}

fn ca(name: Option<&CaName>) -> CaFilter {
    match name {
        None => CaFilter::Any,
        Some(CaName::KeyHash(hash)) => CaFilter::KeyHash(*hash),
        Some(CaName::File(path)) => CaFilter::File(path.clone()),
    }
}

fn rule(entry: &CertificateEntry) -> Rule {
    let source = match entry.source {
        CertificateSource::Spiffe => Source::Spiffe { trust_domain: entry.trust_domain.clone().unwrap_or_default() },
        CertificateSource::SidExtension => Source::SidExtension,
        CertificateSource::SidUri => Source::SidUri,
        CertificateSource::Upn => Source::Upn,
        CertificateSource::San => Source::San,
        CertificateSource::Dn => Source::Dn,
    };
    let callers = entry.callers.iter().map(|caller| KnownCaller {
        value: known_value(entry.source, &caller.value),
        user: caller.user,
        sid: caller.sid.clone(),
        name: caller.name.clone(),
        groups: caller.groups.0.clone(),
    });
    Rule { name: entry.name.as_str().into(), ca: ca(entry.ca.as_ref()), source, callers: callers.collect() }
}

/// The form in which a certificate's value is compared: user principal names and DNS names ignore case.
fn known_value(source: CertificateSource, value: &str) -> String {
    match source {
        CertificateSource::Upn => Upn::parse(value).map_or_else(|| value.to_owned(), |upn| upn.to_string()),
        CertificateSource::San if !value.contains(':') => value.to_ascii_lowercase(),
        CertificateSource::San
        | CertificateSource::Spiffe
        | CertificateSource::SidExtension
        | CertificateSource::SidUri
        | CertificateSource::Dn => value.to_owned(),
    }
}

fn negotiate(entry: &NegotiateEntry) -> NegotiateSettings {
    NegotiateSettings {
        keytab: entry.keytab.clone(),
        replay_cache: entry.replay_cache.clone(),
        channel_binding: entry.channel_binding,
        realms: entry.realms.0.clone(),
    }
}

/// An issuer; `None` if it has no place for its keys, which the configuration refuses.
fn token_issuer(entry: &JwtEntry) -> Option<TokenIssuer> {
    let ca = entry.ca.clone();
    let location = match entry.source()? {
        KeySetSource::Discovery(url) => Location::Discovery { base: text(url), issuers: entry.issuers.0.clone(), ca },
        KeySetSource::Uri(url) => Location::Uri { url: text(url), ca },
        KeySetSource::File(path) => Location::File(path.clone()),
    };
    let required = entry.require.iter();
    let issuer = Issuer {
        name: entry.name.as_str().into(),
        issuers: entry.issuers.0.clone(),
        audiences: entry.audiences.0.clone(),
        algorithms: entry.algorithms.0.clone(),
        types: entry.types.0.clone(),
        require: required
            .map(|(claim, values)| Requirement { claim: claim.clone(), values: values.0.clone() })
            .collect(),
        user: mapping(&entry.user),
        max_lifetime: entry.max_lifetime,
        skew: entry.skew,
        max_bytes: entry.max_bytes,
        key_use: entry.key_use,
    };
    Some(TokenIssuer { issuer, keys: KeySource { location, key_use: entry.key_use } })
}

fn text(url: &HttpUrl) -> String {
    url.as_str().to_owned()
}

fn mapping(user: &UserClaims) -> ClaimMapping {
    ClaimMapping {
        subject: user.subject.clone(),
        uuid: user.uuid.clone(),
        sid: user.sid.clone(),
        upn: user.upn.clone(),
        name: user.name.clone(),
        groups: user.groups.clone(),
    }
}

#[cfg(test)]
mod tests;
