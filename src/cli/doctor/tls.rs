//! The certificates, CAs and CRLs of both ports.

use std::time::Duration;

use super::report::Finding;
use super::{TooSlow, blocking, too_slow};
use crate::cli::settings::Settings;
use crate::domain::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::error_chain;
use crate::runtime::tls::{Expiry, ExpiryKind, Tls, TlsSettings};

/// How long before its end a certificate is reported.
const NOTICE: Duration = Duration::from_hours(30 * 24);
/// The part of its life before its end at which a short-lived certificate is reported: a quarter.
const NOTICE_SHARE: i64 = 4;

/// Examines the files of both ports.
pub(super) async fn examine(settings: &Settings, clock: &Clock) -> Vec<Finding> {
    let (public, private) =
        tokio::join!(port("tls", settings.tls.clone(), clock), port("admin_tls", settings.admin_tls.clone(), clock));
    let mut findings = public.unwrap_or_else(|| {
        let text = if settings.terminated.is_empty() {
            "none: the port is not encrypted".to_owned()
        } else {
            format!("terminated by a proxy in {}", settings.terminated)
        };
        vec![Finding::ok("tls", text)]
    });
    findings.extend(private.unwrap_or_default());
    findings
}

/// Examines the files of a port; `None` without TLS.
async fn port(section: &str, settings: Option<TlsSettings>, clock: &Clock) -> Option<Vec<Finding>> {
    let settings = settings?;
    let for_load = clock.clone();
    Some(match blocking(move || Tls::load(settings, for_load)).await {
        Ok(Ok(tls)) => tls.expiries().iter().map(|expiry| judge(section, expiry, clock.now())).collect(),
        Ok(Err(error)) => vec![Finding::plain_fault(section, error_chain(&error))],
        Err(TooSlow) => vec![too_slow(section, "move the files to a local disk")],
    })
}

fn judge(section: &str, expiry: &Expiry, now: Timestamp) -> Finding {
    let (key, what, renew) = match expiry.kind {
        ExpiryKind::Server => ("certificate", "the certificate of", "renew it"),
        ExpiryKind::ClientCa => ("client_ca", "the CA", "add its successor, and renew the certificates of the clients"),
        ExpiryKind::Crl => ("crl", "the CRL of", "publish a new one"),
    };
    let subject = format!("{section}.{key}");
    let (left, life) = (expiry.at.micros() - now.micros(), expiry.at.micros() - expiry.from.micros());
    let what = format!("{what} {}", expiry.name);
    if now < expiry.from {
        let text = format!("{what} is valid from {} on", expiry.from.utc());
        return Finding::fault(subject, text, "wait until then, or compare the clocks");
    }
    if left <= 0 {
        return Finding::fault(subject, format!("{what} expired at {}", expiry.at.utc()), renew);
    }
    let text = format!("{what} is valid until {}", expiry.at.utc());
    let notice = i64::try_from(NOTICE.as_micros()).unwrap_or(i64::MAX).min(life / NOTICE_SHARE);
    if left < notice { Finding::warning(subject, text, renew) } else { Finding::ok(subject, text) }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_certificate_is_reported_a_month_or_a_quarter_of_its_life_before_its_end() {
        let now = 1_788_264_000_000_000;
        let at = |days: i64| Timestamp::from_micros(now + days * DAY).unwrap();
        for (from, until, level) in [
            (-335, 31, Level::Ok),
            (-335, 29, Level::Warning),
            (-335, 0, Level::Fault),
            (-1, 6, Level::Ok),
            (-6, 2, Level::Ok),
            (-6, 1, Level::Warning),
            (-6, -1, Level::Fault),
            (1, 100, Level::Fault),
        ] {
            let expiry = Expiry { kind: ExpiryKind::Crl, name: "CN=a".to_owned(), from: at(from), at: at(until) };
            let finding = judge("tls", &expiry, at(0));
            assert_eq!((finding.level, finding.subject.as_str()), (level, "tls.crl"), "{finding}");
            assert!(finding.text.contains("CN=a"), "{finding}");
        }
    }
}
