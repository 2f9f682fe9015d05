//! Idempotency keys over both transports: a replay changes nothing.

use cmgate::contract::v1::{CompleteRequestRequest, CreateRequestRequest, Request, RequestDraft, StartRequestRequest};
use tonic::{Code, Status};

use super::Api;
use crate::support::client::{CARDS, DEV, JUDGE, REQUESTS, enrollment, info, printed_events, sent_by};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_over_grpc_is_answered_as_the_first_one() {
    let api = Api::start();
    let created = api.create_under("one", DEV, enrollment(CARDS)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(api.create_under("one", DEV, enrollment(CARDS)).await.unwrap(), created);
    }
    assert_eq!(api.events(), 1);

    let other = RequestDraft { comment: "other".to_owned(), ..enrollment(CARDS) };
    assert_reused(&api.create_under("one", DEV, other).await.unwrap_err());
    assert_eq!(api.events(), 1);

    let of_another_user = api.create_under("one", JUDGE, enrollment(CARDS)).await.unwrap();
    assert_ne!(of_another_user.id, created.id);
    let under_another_key = api.create_under("two", DEV, enrollment(CARDS)).await.unwrap();
    assert_ne!(under_another_key.id, created.id);
    assert_eq!(api.events(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_over_rest_is_answered_as_the_first_one() {
    let api = Api::start();
    let body = format!(r#"{{"type":"Enroll","profiletemplateuuid":"{CARDS}","datacollection":"[]","comment":""}}"#);
    let key = [("Idempotency-Key", "one")];
    let created = api.http.post(&key, &body).await.created();
    // A different text with the same meaning.
    let again =
        format!(r#"{{ "COMMENT": "", "datacollection": [], "profiletemplateuuid": "{{{CARDS}}}", "type": 1 }}"#);
    for body in [&body, &again] {
        assert_eq!(api.http.post(&key, body).await.created(), created);
    }
    assert_eq!(api.events(), 1);

    let other = api.http.post(&key, &body.replace("Enroll", "TemporaryCards")).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(api.events(), 1);
    assert_ne!(api.http.by(JUDGE).post(&key, &body).await.created(), created);
    assert_ne!(api.http.post(&[], &body).await.created(), created);
    assert_eq!(api.events(), 3);

    let over_grpc = api.create_under("one", DEV, enrollment(CARDS)).await.unwrap();
    assert_eq!(over_grpc.id, created, "both transports share keys");
    assert_eq!(api.http.post(&[("Idempotency-Key", "two words")], &body).await.status, 400);
    assert_eq!(api.events(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_step_is_answered_as_the_first_one() {
    let api = Api::start();
    let mut client = api.client.clone();
    let created = api.create_under("create", DEV, enrollment(CARDS)).await.unwrap();
    let start =
        StartRequestRequest { id: created.id.clone(), idempotency_key: "start".to_owned(), ..Default::default() };
    let started = client.start_request(start.clone()).await.unwrap().into_inner();
    assert_eq!(client.start_request(start.clone()).await.unwrap().into_inner(), started);
    assert_eq!(api.events(), 2);

    let without_key = StartRequestRequest { idempotency_key: String::new(), ..start.clone() };
    assert_eq!(client.start_request(without_key).await.unwrap_err().code(), Code::FailedPrecondition);
    let other = StartRequestRequest { comment: "other".to_owned(), ..start };
    assert_reused(&client.start_request(other).await.unwrap_err());
    let repeated = api.create_under("create", DEV, enrollment(CARDS)).await.unwrap();
    assert_eq!(repeated, created, "a replay returns the request as it was created");
    assert_eq!(api.events(), 2);
}

impl Api {
    async fn create_under(&self, key: &str, user: &str, draft: RequestDraft) -> Result<Request, Status> {
        let message = CreateRequestRequest { draft: Some(draft), idempotency_key: key.to_owned() };
        let answer = self.client.clone().create_request(sent_by(user, message)).await?;
        Ok(answer.into_inner().request.unwrap())
    }

    fn events(&self) -> usize {
        printed_events(&self.env, &[]).len()
    }
}

/// The user who ended a request can repeat that step over both transports.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_ending_needs_no_key() {
    let api = Api::start();
    let created = api.create_under("create", DEV, enrollment(CARDS)).await.unwrap();
    let path = format!("{REQUESTS}/{}", created.id);
    let put = |status| api.http.send("PUT", &path, &[("If-Match", "\"v1\"")], status);
    let first = put(r#"{"status":8}"#).await;
    assert_eq!((first.status, first.header("etag")), (200, "\"v2\""), "{first:?}");
    let again = put(r#"{"status":"Completed"}"#).await;
    assert_eq!((again.status, again.header("etag"), &again.body), (200, "\"v2\"", &first.body), "{again:?}");
    assert_eq!(put(r#"{"status":"Canceled"}"#).await.status, 412);

    let complete = CompleteRequestRequest { id: created.id, ..Default::default() };
    let completed = api.client.clone().complete_request(complete.clone()).await.unwrap().into_inner().request.unwrap();
    assert_eq!(completed.version, 2);
    let refused = api.client.clone().complete_request(sent_by(JUDGE, complete)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(api.events(), 2);
}

fn assert_reused(error: &Status) {
    assert_eq!((error.code(), info(error).reason.as_str()), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"));
}
