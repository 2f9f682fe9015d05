//! Users over both transports: imported, found and listed, and named as targets of requests.

use cmgate::contract::v1::directory_service_client::DirectoryServiceClient;
use cmgate::contract::v1::get_user_request::Name;
use cmgate::contract::v1::{
    CreateRequestRequest, CredentialIds, GetUserRequest, GetUsersRequest, ImportUsersRequest, Request, RequestDraft,
    RequestType, User, UserGroups, UserStatus,
};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Api;
use crate::support::client::{CARDS, DEV, JUDGE, PAVLE, PROFILES, REQUESTS, enrollment, info, sent_by};

const SID: &str = "S-1-5-21-2127521184-1604012920-1887927527-1105";
const UPN: &str = "pavle@corp.example";

fn user(id: &str, sid: &str, upn: &str, name: &str) -> User {
    User {
        id: id.to_owned(),
        sid: sid.to_owned(),
        upn: upn.to_owned(),
        name: name.to_owned(),
        groups: Some(UserGroups { sids: vec!["S-1-5-21-2127521184-1604012920-1887927527-513".to_owned()] }),
        status: UserStatus::Active.into(),
        learned_from: String::new(),
    }
}

fn pavle() -> User {
    user(PAVLE, SID, UPN, "Pavle")
}

struct Directory(DirectoryServiceClient<Channel>);

impl Directory {
    fn of(api: &Api) -> Self {
        Self(DirectoryServiceClient::new(api.instance.channel()))
    }

    async fn import(&mut self, by: &str, users: Vec<User>) -> Result<(), Status> {
        self.0.import_users(sent_by(by, ImportUsersRequest { users })).await.map(|_| ())
    }

    async fn get(&mut self, name: Name) -> Result<User, Status> {
        let answer = self.0.get_user(GetUserRequest { name: Some(name) }).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// The names of a whole list, read in pages of three.
    async fn listed(&mut self, mut call: GetUsersRequest) -> Vec<String> {
        call.page_size = 3;
        let mut names = Vec::new();
        loop {
            let page = self.0.get_users(call.clone()).await.unwrap().into_inner();
            assert!(page.users.len() <= 3);
            names.extend(page.users.into_iter().map(|user| user.name));
            if page.next_page_token.is_empty() {
                return names;
            }
            call.page_token = page.next_page_token;
        }
    }
}

impl Api {
    async fn create_for(&self, draft: RequestDraft, key: &str) -> Result<Request, Status> {
        let message = CreateRequestRequest { draft: Some(draft), idempotency_key: key.to_owned() };
        let answer = self.client.clone().create_request(message).await?;
        Ok(answer.into_inner().request.unwrap())
    }
}

fn fields(error: &Status) -> Vec<String> {
    let wrong = error.get_details_bad_request().map(|wrong| wrong.field_violations).unwrap_or_default();
    wrong.into_iter().map(|violation| violation.field).collect()
}

fn assert_told(error: &Status, code: Code, reason: &str, field: &[&str]) {
    assert_eq!((error.code(), info(error).reason.as_str()), (code, reason), "{error:?}");
    assert_eq!(fields(error), field, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_user_is_found_by_its_keys() {
    let api = Api::start();
    let mut directory = Directory::of(&api);
    let refused = directory.import(PAVLE, vec![pavle()]).await.unwrap_err();
    assert_told(&refused, Code::PermissionDenied, "NOT_ADMINISTRATOR", &[]);
    let sent = User { sid: SID.to_lowercase(), upn: UPN.to_uppercase(), ..pavle() };
    for _ in 0..2 {
        directory.import(DEV, vec![sent.clone()]).await.unwrap();
        for name in [Name::Id(PAVLE.to_owned()), Name::Sid(SID.to_owned()), Name::Upn("Pavle@CORP.example".to_owned())]
        {
            assert_eq!(directory.get(name).await.unwrap(), pavle());
        }
    }
    let unknown = directory.get(Name::Upn("nobody@corp.example".to_owned())).await.unwrap_err();
    assert_told(&unknown, Code::NotFound, "USER_NOT_FOUND", &[]);
    for (name, field) in [
        (Some(Name::Id("?".to_owned())), "id"),
        (Some(Name::Sid("S-1".to_owned())), "sid"),
        (Some(Name::Upn("pavle".to_owned())), "upn"),
        (None, "name"),
    ] {
        let refused = directory.0.get_user(GetUserRequest { name }).await.unwrap_err();
        assert_told(&refused, Code::InvalidArgument, "INVALID_FIELD", &[field]);
    }

    // One user has a key of another one: the whole import is refused.
    let other = user(JUDGE, "", "judge@corp.example", "Judge");
    let thief = user(DEV, SID, "", "Dev");
    let refused = directory.import(DEV, vec![other.clone(), thief]).await.unwrap_err();
    assert_told(&refused, Code::FailedPrecondition, "USER_KEY_TAKEN", &["users[1].sid"]);
    assert!(refused.message().contains(PAVLE), "{refused:?}");
    let refused = directory.import(DEV, vec![other.clone(), other]).await.unwrap_err();
    assert_told(&refused, Code::InvalidArgument, "INVALID_FIELD", &["users[1].id"]);
    let bad = User { sid: "S-1".to_owned(), status: 0, ..pavle() };
    let refused = directory.import(DEV, vec![pavle(), bad]).await.unwrap_err();
    assert_told(&refused, Code::InvalidArgument, "INVALID_FIELD", &["users[1].sid", "users[1].status"]);
    assert_eq!(directory.get(Name::Id(JUDGE.to_owned())).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_by_name() {
    let api = Api::start();
    let mut directory = Directory::of(&api);
    let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    let names = ["Zoë", "anna", "Ändern", "Anton", "ANNE", "bob", "Berta", "anne"];
    let mut users: Vec<User> = names.iter().enumerate().map(|(number, name)| user(&id(number), "", "", name)).collect();
    users[3].status = UserStatus::Inactive.into();
    directory.import(DEV, users).await.unwrap();

    let all = GetUsersRequest::default();
    let expected = ["anna", "ANNE", "anne", "Anton", "Berta", "bob", "Zoë", "Ändern"];
    assert_eq!(directory.listed(all.clone()).await, expected);
    let prefixed = GetUsersRequest { name_prefix: "AN".to_owned(), ..all.clone() };
    assert_eq!(directory.listed(prefixed.clone()).await, ["anna", "ANNE", "anne", "Anton"]);
    let active = GetUsersRequest { statuses: vec![UserStatus::Active.into()], ..prefixed };
    assert_eq!(directory.listed(active.clone()).await, ["anna", "ANNE", "anne"]);

    let page = GetUsersRequest { page_size: 1, ..all };
    let token = directory.0.get_users(page.clone()).await.unwrap().into_inner().next_page_token;
    for (call, field) in [
        (GetUsersRequest { page_token: token.clone(), ..active }, "page_token"),
        (GetUsersRequest { page_token: token[1..].to_owned(), ..page.clone() }, "page_token"),
        (GetUsersRequest { name_prefix: "a".repeat(257), ..page.clone() }, "name_prefix"),
        (GetUsersRequest { statuses: vec![7], ..page.clone() }, "statuses[0]"),
        (GetUsersRequest { page_size: -1, ..page }, "page_size"),
    ] {
        let refused = directory.0.get_users(call).await.unwrap_err();
        assert_told(&refused, Code::InvalidArgument, "INVALID_FIELD", &[field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_named_by_its_identifier_or_name_over_both_transports() {
    let api = Api::start();
    Directory::of(&api).import(DEV, vec![pavle()]).await.unwrap();
    for draft in [
        RequestDraft { target: PAVLE.to_owned(), ..enrollment(PROFILES) },
        RequestDraft { target_sid: SID.to_owned(), ..enrollment(PROFILES) },
        RequestDraft { target_upn: UPN.to_uppercase(), ..enrollment(PROFILES) },
    ] {
        let created = api.create_for(draft, "").await.unwrap();
        assert_eq!((created.target.as_str(), created.originator.as_str()), (PAVLE, DEV));
    }
    for target in [SID, UPN, "Pavle@CORP.example"] {
        let body = format!(r#"{{"type":"Enroll","profiletemplateuuid":"{PROFILES}","target":"{target}"}}"#);
        let id = api.http.post(&[], &body).await.created();
        let view = api.http.get(&format!("{REQUESTS}/{id}")).await.json();
        assert_eq!((&view["TargetUserUuid"], &view["OriginatorUserUuid"]), (&PAVLE.into(), &DEV.into()));
    }

    let unknown = RequestDraft { target_upn: "nobody@corp.example".to_owned(), ..enrollment(PROFILES) };
    let refused = api.create_for(unknown, "").await.unwrap_err();
    assert_told(&refused, Code::InvalidArgument, "TARGET_NOT_FOUND", &["draft.target_upn"]);
    let unknown = RequestDraft { target_sid: "S-1-5-21-1-2-3-4".to_owned(), ..enrollment(PROFILES) };
    let refused = api.create_for(unknown, "").await.unwrap_err();
    assert_told(&refused, Code::InvalidArgument, "TARGET_NOT_FOUND", &["draft.target_sid"]);
    let body = format!(r#"{{"type":"Enroll","profiletemplateuuid":"{PROFILES}","target":"nobody@corp.example"}}"#);
    let refused = api.http.post(&[], &body).await;
    let message = refused.json()["Message"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 400);
    assert!(message.starts_with("target: names no user of the directory"), "{message}");
}

/// The key stands for the call as it was sent, whomever its name meant then.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_is_answered_as_the_first_one_after_the_directory_changed() {
    let api = Api::start();
    let mut directory = Directory::of(&api);
    directory.import(DEV, vec![pavle()]).await.unwrap();
    let draft = RequestDraft { target_upn: UPN.to_owned(), ..enrollment(PROFILES) };
    let created = api.create_for(draft.clone(), "one").await.unwrap();
    assert_eq!(created.target, PAVLE);

    // The name belongs to somebody else now.
    let moved = vec![User { upn: String::new(), ..pavle() }, user(JUDGE, "", UPN, "Judge")];
    directory.import(DEV, moved).await.unwrap();
    assert_eq!(api.create_for(draft.clone(), "one").await.unwrap(), created);
    assert_eq!(api.create_for(draft.clone(), "two").await.unwrap().target, JUDGE);
    // Nobody has it.
    directory.import(DEV, vec![user(JUDGE, "", "", "Judge")]).await.unwrap();
    assert_eq!(api.create_for(draft.clone(), "one").await.unwrap(), created);
    let refused = api.create_for(draft.clone(), "three").await.unwrap_err();
    assert_told(&refused, Code::InvalidArgument, "TARGET_NOT_FOUND", &["draft.target_upn"]);
    // Its holder has left.
    let left = User { status: UserStatus::Inactive.into(), ..pavle() };
    directory.import(DEV, vec![left]).await.unwrap();
    assert_eq!(api.create_for(draft.clone(), "one").await.unwrap(), created);

    // The same target under another name is another call.
    let by_id = RequestDraft { target: PAVLE.to_owned(), ..enrollment(PROFILES) };
    let refused = api.create_for(by_id, "one").await.unwrap_err();
    assert_told(&refused, Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_left_is_the_target_only_of_requests_that_take_something_away() {
    let api = Api::start();
    let mut directory = Directory::of(&api);
    directory.import(DEV, vec![pavle()]).await.unwrap();
    let card = "0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01";
    let about = |kind: RequestType, target: &str| RequestDraft {
        r#type: kind.into(),
        target: target.to_owned(),
        old_credential: Some(CredentialIds { profile: String::new(), smartcard: card.to_owned() }),
        ..enrollment(CARDS)
    };
    let for_pavle = RequestDraft { target: PAVLE.to_owned(), ..enrollment(PROFILES) };
    api.create_for(for_pavle.clone(), "").await.unwrap();
    import_card(&api, card).await;
    api.create_for(about(RequestType::Renew, ""), "").await.unwrap();

    let left = User { status: UserStatus::Inactive.into(), ..pavle() };
    directory.import(DEV, vec![left]).await.unwrap();
    for (draft, field) in [
        (for_pavle, "draft.target"),
        (RequestDraft { target_sid: SID.to_owned(), ..enrollment(PROFILES) }, "draft.target_sid"),
        (RequestDraft { target_upn: UPN.to_owned(), ..enrollment(PROFILES) }, "draft.target_upn"),
        (about(RequestType::Renew, PAVLE), "draft.target"),
        // The owner of the card is the target.
        (about(RequestType::Renew, ""), "draft.target"),
        (about(RequestType::Unblock, ""), "draft.target"),
    ] {
        let refused = api.create_for(draft, "").await.unwrap_err();
        assert_told(&refused, Code::FailedPrecondition, "TARGET_INACTIVE", &[field]);
    }
    let body = format!(r#"{{"type":"Enroll","profiletemplateuuid":"{PROFILES}","target":"{PAVLE}"}}"#);
    let refused = api.http.post(&[], &body).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    for draft in [about(RequestType::Disable, ""), about(RequestType::Retire, PAVLE)] {
        assert_eq!(api.create_for(draft, "").await.unwrap().target, PAVLE);
    }
}

/// Imports a card of the user who is going to leave.
async fn import_card(api: &Api, id: &str) {
    use cmgate::contract::v1::credential::Item;
    use cmgate::contract::v1::credential_service_client::CredentialServiceClient;
    use cmgate::contract::v1::{Credential, CredentialLineage, CredentialStatus, ImportCredentialsRequest, Smartcard};
    let card = Credential {
        item: Some(Item::Smartcard(Smartcard { id: id.to_owned(), ..Smartcard::default() })),
        owner: PAVLE.to_owned(),
        profile_template: CARDS.to_owned(),
        profile_template_version: 1,
        status: CredentialStatus::Active.into(),
        lineage: CredentialLineage::First.into(),
        parent: None,
        comment: String::new(),
    };
    let import = ImportCredentialsRequest { credentials: vec![card] };
    CredentialServiceClient::new(api.instance.channel()).import_credentials(import).await.unwrap();
}
