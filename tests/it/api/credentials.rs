//! Profiles and smart cards over both transports: imported, bound, changed and read, but only by those who may.

use cmgate::contract::v1::credential::Item;
use cmgate::contract::v1::credential_service_client::CredentialServiceClient;
use cmgate::contract::v1::get_credential_request::Name;
use cmgate::contract::v1::{
    BindSmartcardRequest, ChangeSmartcardRequest, CompleteRequestRequest, Credential, CredentialIds, CredentialLineage,
    CredentialStatus, GetCredentialRequest, GetCredentialsRequest, ImportCredentialsRequest, Profile, Request,
    RequestDraft, RequestType, Smartcard,
};
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Api;
use crate::script::read;
use crate::support::client::{CARDS, DEV, JUDGE, PAVLE, create, creation, enrollment, info, printed_events, sent_by};

const API: &str = "/CertificateManagement/api/v1.0";
const SERIAL_NUMBER: &str = "bc88f13f-83ba-4037-8262-46eba1291c6e";
const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// Cards of PAVLE, each with its serial number.
fn cards(count: usize) -> Vec<Credential> {
    let card = |number| Credential {
        item: Some(Item::Smartcard(Smartcard {
            id: format!("00000000-0000-0000-0000-0000000ca{number:03}"),
            profile: String::new(),
            serial_number: format!("ACME-{number}"),
            atr: "3b8d01".to_owned(),
        })),
        owner: PAVLE.to_owned(),
        profile_template: CARDS.to_owned(),
        profile_template_version: 1,
        status: CredentialStatus::Active.into(),
        lineage: CredentialLineage::First.into(),
        parent: None,
        comment: "from the old system".to_owned(),
    };
    (0..count).map(card).collect()
}

struct Credentials(CredentialServiceClient<Channel>);

impl Credentials {
    fn of(api: &Api) -> Self {
        Self(CredentialServiceClient::new(api.instance.channel()))
    }

    async fn import(&mut self, user: &str, credentials: Vec<Credential>) -> Result<(), Status> {
        self.0.import_credentials(sent_by(user, ImportCredentialsRequest { credentials })).await.map(|_| ())
    }

    async fn get(&mut self, name: Name) -> Result<Credential, Status> {
        let answer = self.0.get_credential(GetCredentialRequest { name: Some(name) }).await?;
        Ok(answer.into_inner().credential.unwrap())
    }
}

fn fields(error: &Status) -> Vec<String> {
    let wrong = error.get_details_bad_request().map(|wrong| wrong.field_violations).unwrap_or_default();
    wrong.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_credentials_are_shown_over_both_transports() {
    let api = Api::start();
    let mut credentials = Credentials::of(&api);
    let refused = credentials.import(PAVLE, cards(1)).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::PermissionDenied, "NOT_ADMINISTRATOR"));
    for _ in 0..2 {
        credentials.import(DEV, cards(7)).await.unwrap();
    }
    for (number, expected) in cards(7).into_iter().enumerate() {
        assert_eq!(credentials.get(Name::SerialNumber(format!("ACME-{number}"))).await.unwrap(), expected);
        let shown = api.http.get(&format!("{API}/smartcards?cardid=ACME-{number}")).await.json();
        assert_eq!((&shown["Status"], &shown["SerialNumber"]), (&json!(3), &json!(format!("ACME-{number}"))));
        assert_eq!(shown["AssignedUserUuid"], PAVLE);
    }

    let mut call = GetCredentialsRequest { owner: PAVLE.to_owned(), page_size: 3, ..GetCredentialsRequest::default() };
    let mut listed = Vec::new();
    loop {
        let page = credentials.0.get_credentials(call.clone()).await.unwrap().into_inner();
        listed.extend(page.credentials);
        if page.next_page_token.is_empty() {
            break;
        }
        call.page_token = page.next_page_token;
    }
    assert_eq!(listed, cards(7));
    call.statuses = vec![CredentialStatus::Retired.into()];
    assert_eq!(fields(&credentials.0.get_credentials(call).await.unwrap_err()), ["page_token"]);

    // One credential already belongs to another user: the whole import is refused.
    let mut stolen = cards(9);
    stolen[3].owner = JUDGE.to_owned();
    let refused = credentials.import(DEV, stolen).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::FailedPrecondition, "CREDENTIAL_TAKEN"));
    assert_eq!(fields(&refused), ["credentials[3].id"]);
    assert_eq!(credentials.get(Name::SerialNumber("ACME-8".to_owned())).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_an_import_is_named() {
    let api = Api::start();
    let mut credentials = Credentials::of(&api);
    let wrong = Credential {
        item: Some(Item::Smartcard(Smartcard { id: "?".to_owned(), atr: "3b".to_owned(), ..Smartcard::default() })),
        lineage: 9,
        ..Credential::default()
    };
    let twice = "00000000-0000-0000-0000-0000000000a1".to_owned();
    let same =
        Credential { item: Some(Item::Profile(Profile { id: twice.clone(), smartcard: twice })), ..cards(1).remove(0) };
    let expected = [
        "credentials[0].smartcard.id",
        "credentials[0].smartcard.serial_number",
        "credentials[0].owner",
        "credentials[0].profile_template",
        "credentials[0].profile_template_version",
        "credentials[0].status",
        "credentials[0].lineage",
        "credentials[1]",
        "credentials[2].item",
    ];
    let without_item = Credential { item: None, ..cards(1).remove(0) };
    assert_eq!(fields(&credentials.import(DEV, vec![wrong, same, without_item]).await.unwrap_err()), expected);
    assert_eq!(fields(&credentials.import(DEV, Vec::new()).await.unwrap_err()), ["credentials"]);
    assert_eq!(fields(&credentials.0.get_credential(GetCredentialRequest::default()).await.unwrap_err()), ["name"]);
}

/// One transport binds, the other reads, and the events show each change.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_bound_changed_and_shown_over_both_transports() {
    let api = Api::start();
    let (mut client, mut credentials) = (api.client.clone(), Credentials::of(&api));
    let request = create(&mut client, enrollment(CARDS)).await;
    let body = format!(r#"{{"requestid":"{}","cardid":"{SERIAL_NUMBER}","atr":"3b8d01"}}"#, request.id);
    let key = [("Idempotency-Key", "bind"), JSON[0]];
    let bound = api.http.send("POST", &format!("{API}/smartcards"), &key, &body).await;
    assert_eq!(bound.status, 201, "{bound:?}");
    let card = bound.json().as_str().unwrap().strip_prefix("api/v1.0/smartcards/").unwrap().to_owned();
    let again = api.http.send("POST", &format!("{API}/smartcards"), &key, &body).await;
    assert_eq!((again.status, again.body), (201, bound.body.clone()));

    // The same call over gRPC changes nothing.
    let bind = BindSmartcardRequest {
        id: request.id.clone(),
        serial_number: SERIAL_NUMBER.to_uppercase(),
        ..Default::default()
    };
    let same: Request = client.bind_smartcard(bind).await.unwrap().into_inner().request.unwrap();
    assert_eq!((same.new_credential.unwrap().smartcard, same.version), (card.clone(), 2));
    let other =
        BindSmartcardRequest { id: request.id.clone(), serial_number: "other".to_owned(), ..Default::default() };
    let refused = client.bind_smartcard(other).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::FailedPrecondition, "OTHER_SMARTCARD_BOUND"));

    let known = credentials.get(Name::Smartcard(card.clone())).await.unwrap();
    assert_eq!((known.status(), known.owner.as_str()), (CredentialStatus::Assigned, DEV));
    // A retry returns the card as first answered, although it has been suspended since.
    let path = format!("{API}/requests/{}/smartcards/{card}", request.id);
    let activate =
        async || api.http.send("PUT", &path, &[("Idempotency-Key", "activate"), JSON[0]], r#"{"status":3}"#).await;
    let active = activate().await;
    assert_eq!((active.status, &active.json()["Status"]), (200, &json!(3)), "{active:?}");
    let suspended = api.http.send("PUT", &path, &JSON, r#"{"status":"Suspended"}"#).await;
    assert_eq!((suspended.status, &suspended.json()["Status"]), (200, &json!(5)), "{suspended:?}");
    let again = activate().await;
    assert_eq!((again.status, &again.body), (200, &active.body));

    let retire = ChangeSmartcardRequest {
        id: request.id.clone(),
        smartcard: card.clone(),
        status: CredentialStatus::Retired.into(),
        ..Default::default()
    };
    assert_eq!(client.change_smartcard(retire).await.unwrap().into_inner().request.unwrap().version, 5);
    let shown = api.http.get(&format!("{API}/requests/{}/smartcards/{card}", request.id)).await.json();
    assert_eq!(shown["Status"], 6);

    let events = printed_events(&api.env, &[]);
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    let names = ["CREATED", "SMARTCARD_BOUND", "SMARTCARD_CHANGED", "SMARTCARD_CHANGED", "SMARTCARD_CHANGED"];
    let names = names.map(|name| format!("REQUEST_EVENT_TYPE_{name}"));
    assert_eq!(types, names, "{events:?}");
    for (event, status) in events[1..].iter().zip(["ASSIGNED", "ACTIVE", "SUSPENDED", "RETIRED"]) {
        assert_eq!(event["credentials"][0]["status"], format!("CREDENTIAL_STATUS_{status}"), "{event}");
        assert_eq!(event["credentials"][0]["smartcard"]["id"], card, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_another_user_is_refused() {
    let api = Api::start();
    let (mut client, mut credentials) = (api.client.clone(), Credentials::of(&api));
    credentials.import(DEV, cards(1)).await.unwrap();
    let before = credentials.get(Name::SerialNumber("ACME-0".to_owned())).await.unwrap();
    let Some(Item::Smartcard(theirs)) = before.item.clone() else { panic!("{before:?}") };

    let request = create(&mut client, enrollment(CARDS)).await;
    let new_credential = Some(CredentialIds { profile: String::new(), smartcard: theirs.id.clone() });
    let complete = CompleteRequestRequest { id: request.id.clone(), new_credential, ..Default::default() };
    let refused = client.complete_request(complete).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::FailedPrecondition, "CREDENTIAL_TAKEN"));
    assert_eq!(fields(&refused), ["new_credential.smartcard"]);
    let bind =
        BindSmartcardRequest { id: request.id.clone(), serial_number: "ACME-0".to_owned(), ..Default::default() };
    let refused = client.bind_smartcard(bind).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::FailedPrecondition, "SMARTCARD_IN_USE"));

    for kind in [RequestType::Unblock, RequestType::Retire, RequestType::Renew] {
        let draft = RequestDraft {
            r#type: kind.into(),
            target: DEV.to_owned(),
            old_credential: Some(CredentialIds { profile: String::new(), smartcard: theirs.id.clone() }),
            ..RequestDraft::default()
        };
        let call = creation(draft);
        let refused = client.create_request(call).await.unwrap_err();
        assert_eq!((refused.code(), fields(&refused)), (Code::InvalidArgument, vec!["draft.target".to_owned()]));
    }
    assert_eq!(credentials.get(Name::SerialNumber("ACME-0".to_owned())).await.unwrap(), before);
    assert_eq!(read(&mut client, &request.id).await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_credential_accepts_no_request() {
    let api = Api::start();
    let (mut client, mut credentials) = (api.client.clone(), Credentials::of(&api));
    let mut retired = cards(1);
    retired[0].owner = DEV.to_owned();
    retired[0].set_status(CredentialStatus::Retired);
    credentials.import(DEV, retired.clone()).await.unwrap();
    let Some(Item::Smartcard(card)) = retired[0].item.clone() else { panic!("{retired:?}") };
    let draft = RequestDraft {
        r#type: RequestType::Unblock.into(),
        old_credential: Some(CredentialIds { profile: String::new(), smartcard: card.id.clone() }),
        ..RequestDraft::default()
    };
    let refused = client.create_request(creation(draft)).await.unwrap_err();
    assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::FailedPrecondition, "CREDENTIAL_UNFIT"));
    let body = format!(r#"{{"type":"Unblock","smartcard":"{}"}}"#, card.id);
    assert_eq!(api.http.post(&[], &body).await.status, 409);
    retired[0].set_status(CredentialStatus::Active);
    let refused = credentials.import(DEV, retired).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
