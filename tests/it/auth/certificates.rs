//! Tokens beside client certificates (RFC 8705): the token is the caller, and the certificate may be bound to it.

use cmgate::contract::v1::Request;
use cmgate::contract::v1::request_service_client::RequestServiceClient;
use serde_json::json;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::issuer::Issuer;
use super::signer::{SigningKey, encode};
use super::{ALICE, draft, entry, settings, with_token};
use crate::support::client::{CARDS, creation, enrollment, info};
use crate::tls::{Site, sample};

async fn create(mut client: RequestServiceClient<Channel>, token: &str) -> Result<Request, Status> {
    let answer = client.create_request(with_token(token, creation(enrollment(CARDS)))).await?;
    Ok(answer.into_inner().request.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_the_caller_beside_a_certificate_and_may_be_bound_to_it() {
    let site = Site::new();
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(&[&key]).await;
    let ca = site.path("clients.pem").display().to_string();
    let tokens = settings(&[entry("idp", &issuer)]);
    let tokens: Vec<(&str, &str)> = tokens.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own = [
        ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
        ("CMGATE__TLS__CLIENT_CA", ca.as_str()),
        ("CMGATE__AUTH__CERTIFICATE__0__NAME", "agents"),
        ("CMGATE__AUTH__CERTIFICATE__0__SOURCE", "dn"),
        ("CMGATE__AUTH__CERTIFICATE__0__CALLERS__0__VALUE", "CN=client 1"),
    ];
    let instance = site.start(&[&own, &tokens[..]].concat());
    let [(holder, certificate), (other, _)] = [1, 2].map(|serial| site.known(serial));
    let anonymous = site.client();
    let clients = [&holder, &other, &anonymous].map(|client| client.grpc(instance.public));

    // Without `cnf`, the certificate does not matter, not even one that a rule maps to another caller.
    let bearer = draft(&issuer.url("")).sign(&key);
    for client in &clients {
        assert_eq!(create(client.clone(), &bearer).await.unwrap().originator, ALICE);
    }
    let bound = json!({"x5t#S256": encode(Sha256::digest(&certificate))});
    let bound = draft(&issuer.url("")).claim("cnf", bound).sign(&key);
    let [holder, other, anonymous] = clients;
    assert_eq!(create(holder.clone(), &bound).await.unwrap().originator, ALICE);
    for (client, refused) in [(other, 1.0), (anonymous, 2.0)] {
        let error = create(client, &bound).await.unwrap_err();
        assert_eq!((error.code(), &*info(&error).reason), (Code::Unauthenticated, "INVALID_TOKEN"));
        let counted = sample(&instance, "cmgate_calls_not_authenticated_total{check=\"certificate\"}").await;
        assert!((counted - refused).abs() < 0.5, "{counted}");
    }
    assert!(instance.log().contains("the token is bound to a client certificate (cnf)"), "{}", instance.log());
    // The refusals do not stay with the token.
    assert_eq!(create(holder, &bound).await.unwrap().originator, ALICE);
}
