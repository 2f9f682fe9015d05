//! Callers: their identity, their correlation ids, and their permissions.

use cmgate::contract::v1::{
    ApproveRequestRequest, CredentialIds, DenyRequestRequest, GetRequestRequest, Request, RequestDraft, RequestStatus,
    RequestType,
};
use tonic::{Code, Status};

use super::Api;
use crate::support::client::{
    CARDS, DEV, JUDGE, PAVLE, PROFILES, REQUESTS, SECOND_JUDGE, create, creation, enrollment, info, sent_by,
};

/// A correlation id, also used as the id of an unknown profile.
const NAME: &str = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01";

#[tokio::test(flavor = "multi_thread")]
async fn a_header_selects_the_caller_over_both_transports() {
    let api = Api::start();
    let mut client = api.client.clone();
    let own = create(&mut client, enrollment(CARDS)).await;
    assert_eq!((own.originator.as_str(), own.target.as_str()), (DEV, DEV));
    let others = client.create_request(sent_by(JUDGE, creation(enrollment(CARDS)))).await.unwrap();
    let others = others.into_inner().request.unwrap();
    assert_eq!((others.originator.as_str(), others.target.as_str()), (JUDGE, JUDGE));

    let documented = include_str!("../../../src/mimcm/tests/golden/create-1.json");
    let id = api.http.by(PAVLE).post(&[], documented).await.created();
    let view = api.http.get(&format!("{REQUESTS}/{id}")).await.json();
    assert_eq!((&view["OriginatorUserUuid"], &view["TargetUserUuid"]), (&PAVLE.into(), &PAVLE.into()));
    let listed = api.http.by(PAVLE).get(&format!("{REQUESTS}?targetuser=current")).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");

    let error = client.get_request(sent_by("nobody", GetRequestRequest { id })).await.unwrap_err();
    assert_told(&error, Code::Unauthenticated, "BAD_IDENTITY_HEADER");
    let answer = api.http.by("nobody").get(REQUESTS).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer realm=\"cmgate\""));
    assert!(answer.json()["Message"].as_str().unwrap().starts_with("Header X-Dev-User must be a UUID"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_the_correlation_id_of_its_caller() {
    let api = Api::start();
    let named = [("X-Correlation-ID", NAME)];
    let answer = api.http.send("GET", "/nowhere", &named, "").await;
    assert_eq!((answer.status, answer.header("x-correlation-id")), (404, NAME));
    assert_eq!(answer.json()["CorrelationId"], NAME);
    let answer = api.http.post(&named, "{}").await;
    let body = answer.json();
    assert_eq!((answer.status, &body["CorrelationId"]), (400, &NAME.into()));
    assert!(body["Message"].as_str().unwrap().ends_with(&format!("{NAME}.")), "{body}");
    assert_eq!(api.http.send("GET", REQUESTS, &named, "").await.header("x-correlation-id"), NAME);
    assert_ne!(api.http.get(REQUESTS).await.header("x-correlation-id"), NAME, "other calls have other ids");

    let mut client = api.client.clone();
    let created = create(&mut client, enrollment(CARDS)).await;
    let named = |id: &str| {
        let mut request = tonic::Request::new(GetRequestRequest { id: id.to_owned() });
        request.metadata_mut().insert("x-correlation-id", NAME.parse().unwrap());
        request
    };
    let answer = client.get_request(named(&created.id)).await.unwrap();
    assert_eq!(answer.metadata().get("x-correlation-id").unwrap(), NAME);
    let error = client.get_request(named("?")).await.unwrap_err();
    assert_eq!(error.metadata().get("x-correlation-id").unwrap(), NAME);
    assert_eq!(info(&error).metadata["correlation_id"], NAME);
    assert!(api.instance.log().contains(&format!("id=\"{NAME}\"")), "the log has the correlation id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_as_many_approvers_as_its_policy_says() {
    let api = Api::start();
    let mut client = api.client.clone();
    let draft = RequestDraft { target: PAVLE.to_owned(), ..enrollment(PROFILES) };
    let one = create(&mut client, draft).await;
    assert_eq!((one.status(), one.approvals_needed), (RequestStatus::Pending, 1));
    for party in [DEV, PAVLE] {
        assert_told(&api.approve(party, &one.id).await.unwrap_err(), Code::PermissionDenied, "OWN_REQUEST");
    }
    let approved = api.approve(JUDGE, &one.id).await.unwrap();
    assert_eq!((approved.status(), approved.version), (RequestStatus::Approved, 2));

    let draft = RequestDraft {
        r#type: RequestType::RecoverOnBehalf.into(),
        target: PAVLE.to_owned(),
        old_credential: Some(CredentialIds { profile: NAME.to_owned(), smartcard: String::new() }),
        ..enrollment(PROFILES)
    };
    let two = create(&mut client, draft.clone()).await;
    let recorded = api.approve(JUDGE, &two.id).await.unwrap();
    assert_eq!((recorded.status(), recorded.approvals_needed), (RequestStatus::Pending, 2));
    assert_told(&api.approve(JUDGE, &two.id).await.unwrap_err(), Code::FailedPrecondition, "ALREADY_APPROVED");
    let approved = api.approve(SECOND_JUDGE, &two.id).await.unwrap();
    let approvers = approved.approvals.iter().map(|approval| approval.actor.as_ref().unwrap().user.as_str());
    assert_eq!(approvers.collect::<Vec<&str>>(), [JUDGE, SECOND_JUDGE]);
    assert_eq!(approved.status(), RequestStatus::Approved);

    let three = create(&mut client, draft).await;
    api.approve(JUDGE, &three.id).await.unwrap();
    let deny = DenyRequestRequest { id: three.id, ..Default::default() };
    let denied = client.deny_request(sent_by(SECOND_JUDGE, deny)).await.unwrap().into_inner().request.unwrap();
    assert_eq!(denied.status(), RequestStatus::Denied, "one denial ends the request");

    let card = create(&mut client, enrollment(CARDS)).await;
    let error = api.approve(JUDGE, &card.id).await.unwrap_err();
    assert_told(&error, Code::PermissionDenied, "NOT_PERMITTED");
}

impl Api {
    async fn approve(&self, user: &str, id: &str) -> Result<Request, Status> {
        let message = ApproveRequestRequest { id: id.to_owned(), ..Default::default() };
        let answer = self.client.clone().approve_request(sent_by(user, message)).await?;
        Ok(answer.into_inner().request.unwrap())
    }
}

fn assert_told(error: &Status, code: Code, reason: &str) {
    assert_eq!((error.code(), info(error).reason.as_str()), (code, reason), "{error:?}");
}
