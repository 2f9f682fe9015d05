//! Audit lines of refused calls, over all transports, in the log of the real program.

use cmgate::contract::v1::WhoAmIRequest;
use cmgate::contract::v1::caller_service_client::CallerServiceClient;
use serde_json::{Value, json};

use super::{Guarded, Issuer, SigningKey, draft, entry, now, with_token};
use crate::support::client::REQUESTS;
use crate::support::wait::wait_until;

impl Guarded {
    /// The audit lines with a correlation id.
    fn audited(&self, correlation: &str) -> Vec<Value> {
        let log = self.instance.log();
        let lines = log.lines().filter(|line| line.contains("cmgate::audit") && line.contains(correlation));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn audit_line(&self, correlation: &str) -> Value {
        wait_until("the line is written", async || !self.audited(correlation).is_empty()).await;
        let mut lines = self.audited(correlation);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_has_one_line_over_each_transport() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let log = [("CMGATE__LOG__FORMAT", "json"), ("CMGATE__LOG__FILTER", "error,cmgate::audit=info")];
    let guarded = Guarded::start_with(&[entry("idp", &issuer)], &log);
    let expired = draft(&issuer.url("")).claim("iat", now() - 700).claim("exp", now() - 600).sign(&key);
    let foreign = draft("https://elsewhere.test").sign(&key);

    let mut client = CallerServiceClient::new(guarded.instance.channel());
    let refused = client.who_am_i(with_token(&expired, WhoAmIRequest {})).await.unwrap_err();
    let over_grpc = refused.metadata().get("x-correlation-id").unwrap().to_str().unwrap().to_owned();
    let authorization = format!("Bearer {expired}");
    let over_rest = guarded.http.send("GET", "/v1/whoami", &[("Authorization", &authorization)], "").await;
    let over_facade = guarded.http.send("GET", REQUESTS, &[("Authorization", &authorization)], "").await;
    for (correlation, transport, method) in [
        (over_grpc.as_str(), "grpc", "WhoAmI"),
        (over_rest.header("x-correlation-id"), "rest", "GET /v1/whoami"),
        (over_facade.header("x-correlation-id"), "facade", "GET /requests"),
    ] {
        let line = guarded.audit_line(correlation).await;
        let of = |name: &str| line[name].clone();
        assert_eq!([of("check"), of("proof"), of("entry")], [json!("expired"), json!("token"), json!("idp")], "{line}");
        assert_eq!([of("transport"), of("method")], [json!(transport), json!(method)], "{line}");
        assert_eq!([of("unverified_issuer"), of("unverified_key_id")], [json!(issuer.url("")), json!("one")], "{line}");
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
    let unknown = guarded.list(&foreign).await;
    let line = guarded.audit_line(unknown.header("x-correlation-id")).await;
    assert_eq!((&line["check"], &line["unverified_issuer"]), (&json!("issuer"), &json!("https://elsewhere.test")));
    let without = guarded.http.get(REQUESTS).await;
    let line = guarded.audit_line(without.header("x-correlation-id")).await;
    assert_eq!((&line["check"], &line["proof"]), (&json!("no_token"), &json!("none")), "{line}");

    let log = guarded.instance.log();
    for token in [&expired, &foreign] {
        assert!(token.split('.').all(|part| !log.contains(part)), "a token is in the log");
    }
    assert_eq!(guarded.refused("size").await, 0);
    let metrics = guarded.instance.private.get("/metrics").await.body;
    assert!(metrics.contains("cmgate_calls_not_authenticated_total{check=\"size\"} 0"), "counted from the start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_few_lines_and_a_full_count() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let guarded = Guarded::start(&[entry("idp", &issuer)]);
    let token = draft(&issuer.url("")).claim("aud", "other").sign(&key);
    for _ in 0..200 {
        assert_eq!(guarded.list(&token).await.status, 401);
    }
    assert_eq!(guarded.refused("audience").await, 200);
    let written = |text: &str| {
        let log = guarded.instance.log();
        log.lines().filter(|line| line.contains("cmgate::audit") && line.contains(text)).count()
    };
    wait_until("the lines left out are counted", async || written("left_out=") > 0).await;
    // Five in an interval; the calls may reach into a second or third one on a busy machine.
    assert!((5..=25).contains(&written("call not authenticated")), "{}", guarded.instance.log());
}
