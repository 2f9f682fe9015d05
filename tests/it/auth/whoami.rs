//! `GET /v1/whoami`: the answer of `CallerService.WhoAmI` over REST, with the same authentication.

use cmgate::contract::v1::WhoAmIRequest;
use cmgate::contract::v1::caller_service_client::CallerServiceClient;
use serde_json::json;

use super::{ALICE, Guarded, Issuer, SigningKey, draft, entry, now, with_token};

const WHOAMI: &str = "/v1/whoami";

#[tokio::test(flavor = "multi_thread")]
async fn whoami_over_rest_shows_the_caller_of_the_token() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let mut settings = entry("idp", &issuer);
    settings.push(("USER__GROUPS", "groups".to_owned()));
    let guarded = Guarded::start(&[settings]);
    let expires = now() + 600;
    let token = draft(&issuer.url("")).claim("exp", expires).claim("groups", vec!["S-1-5-21-1-2-3-513"]).sign(&key);

    let answer = guarded.http.send("GET", WHOAMI, &[("Authorization", &format!("Bearer {token}"))], "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let body = answer.json();
    let shown = body["caller"]["proof"]["expireTime"].as_str().unwrap();
    let expire_time = chrono::DateTime::parse_from_rfc3339(shown).unwrap().timestamp();
    assert_eq!(expire_time, expires.cast_signed());
    let caller = json!({
        "user": ALICE, "name": "alice@corp.test", "sid": "", "groups": ["S-1-5-21-1-2-3-513"], "groupsUnknown": false,
        "denyOnlyGroups": [], "upn": "",
        "proof": {"method": "PROOF_METHOD_TOKEN", "entry": "idp", "expireTime": shown},
    });
    assert_eq!(body, json!({"caller": caller}));
    let mut client = CallerServiceClient::new(guarded.instance.channel());
    let over_grpc = client.who_am_i(with_token(&token, WhoAmIRequest {})).await.unwrap().into_inner().caller.unwrap();
    assert_eq!((over_grpc.user.as_str(), over_grpc.name.as_str()), (ALICE, "alice@corp.test"));

    for (authorization, reason, challenge) in [
        (None, "NO_CREDENTIALS", "Bearer realm=\"cmgate\""),
        (Some("Bearer a.b.c"), "INVALID_TOKEN", "Bearer realm=\"cmgate\", error=\"invalid_token\""),
    ] {
        let headers: Vec<_> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
        let refused = guarded.http.send("GET", WHOAMI, &headers, "").await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, challenge));
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let problem = refused.json();
        assert_eq!((&problem["reason"], &problem["status"]), (&json!(reason), &json!(401)));
        assert_eq!(problem["correlationId"], refused.header("x-correlation-id"));
    }
    for (method, status) in [("POST", 405), ("DELETE", 405), ("HEAD", 405)] {
        let answer = guarded.http.send(method, WHOAMI, &[("Authorization", &format!("Bearer {token}"))], "").await;
        assert_eq!((answer.status, answer.header("allow")), (status, "GET"), "{method}");
    }
    let labels = |outcome: &str| format!("method=\"GET /v1/whoami\",outcome=\"{outcome}\"");
    assert_eq!(guarded.metric("cmgate_calls_total", &labels("200")).await, 1);
    assert_eq!(guarded.metric("cmgate_calls_total", &labels("401")).await, 2);
    assert_eq!(guarded.metric("cmgate_calls_total", &labels("405")).await, 0);
    guarded.instance.end().await;
}
