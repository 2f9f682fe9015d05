//! What a line contains, what it never contains, and what the documentation says about it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Request;
use http::header::AUTHORIZATION;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::{Proof, ProofMethod, UserId};
use crate::http::auth::jwt::Rejection;
use crate::http::auth::negotiate::Refusal as TicketRefusal;
use crate::http::auth::proxy::IdentityRejection;
use crate::http::server::CertificateRefused;

/// The pages that explain checks, in the order of the constant.
const PAGES: [&str; 4] = [
    include_str!("../../../../docs/tokens.md"),
    include_str!("../../../../docs/proxy.md"),
    include_str!("../../../../docs/kerberos.md"),
    include_str!("../../../../docs/audit.md"),
];

/// The lines of a log.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fields of the lines that a function logs, without time and level.
fn lines(log: impl FnOnce()) -> Vec<Map<String, Value>> {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    tracing::subscriber::with_default(subscriber.finish(), log);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    text.lines()
        .map(|line| {
            let mut fields: Map<String, Value> = serde_json::from_str(line).unwrap();
            assert_eq!(fields.remove("target"), Some(json!("cmgate::audit")));
            fields.retain(|name, _| name != "timestamp" && name != "level");
            fields
        })
        .collect()
}

fn attempt() -> Attempt {
    let correlation = CorrelationId::of_uuid(Uuid::from_u128(7));
    Attempt { transport: "rest", method: "GET /v1/whoami", correlation }
}

/// A request from an address with a token.
fn parts(token: &str) -> Parts {
    let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
    let address: SocketAddr = "[::ffff:192.0.2.7]:4711".parse().unwrap();
    request.extension(PeerAddress(address)).body(()).unwrap().into_parts().0
}

fn token(kid: &str, iss: &str) -> String {
    let encode = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.c2lnbmF0dXJl", encode(json!({"kid": kid})), encode(json!({"iss": iss, "sub": "secret subject"})))
}

fn first_cell(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next()).map(|cell| cell.trim_matches('`'))
}

#[test]
fn the_documentation_lists_every_check_once() {
    let (fields, checks) = PAGES[3].split_once("## Checks").unwrap();
    assert!(fields.contains("## Limits on the lines"));
    let listed = PAGES[..3].iter().copied().chain([checks]).flat_map(first_cell).flat_map(|cell| cell.split("`, `"));
    let mut listed: Vec<&str> = listed.collect();
    let mut expected: Vec<&str> =
        checks::ALL.into_iter().chain([checks::CALLER_LIMIT_RATE, checks::CALLER_LIMIT_CALLS]).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

#[test]
fn every_check_is_counted_from_the_start() {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, Audit::default);
    let text = recorder.handle().render();
    for check in checks::ALL {
        let line = format!("{}{{check=\"{check}\"}} 0", names::CALLS_NOT_AUTHENTICATED);
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_line_has_the_documented_fields_and_no_token() {
    let token = token("k1", "https://idp");
    let refusal = AuthRefusal::of_entry(Some("idp"), Rejection::Expired.into());
    let found = lines(|| Audit::default().refused(&attempt(), &parts(&token), &refusal));
    let expected = json!({
        "message": "call not authenticated: the token has expired", "check": "expired",
        "id": "00000000-0000-0000-0000-000000000007", "transport": "rest", "method": "GET /v1/whoami",
        "peer": "192.0.2.7:4711", "proof": "token", "entry": "idp", "unverified_issuer": "https://idp", "unverified_key_id": "k1",
    });
    assert_eq!(Value::from_iter(found[0].clone()), expected);
    let inactive =
        AuthRefusal::of_inactive(UserId::new(Uuid::from_u128(9)), ProofMethod::Kerberos, Some("negotiate".into()));
    let other = lines(|| Audit::default().refused(&attempt(), &parts(&token), &inactive));
    assert_eq!((&other[0]["proof"], &other[0]["user"]), (&json!("ticket"), &json!(Uuid::from_u128(9).to_string())));
    assert!(!other[0].contains_key("unverified_issuer"), "the token is not what proves the identity: {other:?}");

    let documented: BTreeSet<&str> = first_cell(PAGES[3].split_once("## Limits on the lines").unwrap().0).collect();
    let fields = found.iter().chain(&other).flat_map(Map::keys).filter(|name| *name != "message");
    assert_eq!(fields.map(String::as_str).collect::<BTreeSet<_>>(), documented);
}

#[test]
fn what_strangers_write_is_bounded_and_cannot_change_the_line() {
    let hostile = token(&"k".repeat(250), &format!("a\n\u{1b}[31m\u{202e}{}", "x".repeat(8_000)));
    let found = lines(|| Audit::default().refused(&attempt(), &parts(&hostile), &Rejection::UnknownIssuer.into()));
    let [issuer, key_id] = ["unverified_issuer", "unverified_key_id"].map(|name| found[0][name].as_str().unwrap());
    assert_eq!((issuer.len(), key_id.len()), (128, 128));
    assert!(issuer.starts_with("a  [31m?xxx"), "{issuer:?}");
    let text = "\n".repeat(10_000);
    let ticket = AuthRefusal::from(TicketRefusal::Key(text));
    let found = lines(|| Audit::default().refused(&attempt(), &parts(""), &ticket));
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.len() < 600 && !message.contains('\n'), "{message:?}");
    assert_eq!((&found[0]["entry"], &found[0]["proof"]), (&json!("negotiate"), &json!("ticket")));
}

#[test]
fn refused_connections_and_unknown_proofs_are_named() {
    let of = |refusal: AuthRefusal| {
        let parts = Request::new(()).into_parts().0;
        let found = lines(|| Audit::default().refused(&attempt(), &parts, &refusal));
        ["check", "proof", "peer"].map(|name| found[0][name].as_str().unwrap().to_owned())
    };
    let by_proxy = AuthRefusal::from(IdentityRejection::BesideAuthorization);
    assert_eq!(by_proxy.entry(), Some("proxy"));
    assert_eq!(of(by_proxy), ["identity_and_token", "proxy_headers", "unix"]);
    let missing = AuthRefusal::of_connection(CertificateRefused::Missing);
    assert_eq!(of(missing), ["connection_certificate_missing", "none", "unix"]);
    let withdrawn = AuthRefusal::of_connection(CertificateRefused::Withdrawn);
    assert_eq!(of(withdrawn), ["connection_certificate_refused", "certificate", "unix"]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_costs_few_lines_and_the_others_are_counted_afterwards() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let (audit, parts) = (Audit::default(), parts(&token("k1", "https://idp")));
    let user = UserId::new(Uuid::from_u128(9));
    let proof = Proof { method: ProofMethod::Token, entry: Some("idp".into()), expires_at: None };
    let caller = Caller { proof, ..Caller::unproven(user, "alice") };
    for _ in 0..1_000 {
        audit.refused(&attempt(), &parts, &Rejection::Expired.into());
        audit.over_limit(&attempt(), &parts, &caller, Exceeded::Calls(std::num::NonZeroU32::MIN));
    }
    tokio::time::sleep(INTERVAL * 2).await;
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |check: &str| lines.iter().filter(|line| line["check"] == check).collect::<Vec<_>>();
    for check in ["expired", "caller_limit_calls"] {
        let found = of(check);
        assert_eq!(found.len(), 6, "{text}");
        assert_eq!(found[5]["left_out"], 995);
    }
    let refused = of("caller_limit_calls")[0];
    assert_eq!(
        (&refused["user"], &refused["entry"], &refused["proof"]),
        (&json!(user.to_string()), &json!("idp"), &json!("token"))
    );
}
