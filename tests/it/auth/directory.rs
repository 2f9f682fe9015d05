//! Callers whose tokens the directory completes, refuses or learns from.

use cmgate::contract::v1::caller_service_client::CallerServiceClient;
use cmgate::contract::v1::directory_service_client::DirectoryServiceClient;
use cmgate::contract::v1::get_user_request::Name;
use cmgate::contract::v1::{
    Caller, CreateRequestRequest, GetUserRequest, GetUsersRequest, ImportUsersRequest, Request, RequestDraft, User,
    UserGroups, UserStatus, WhoAmIRequest,
};
use cmgate::domain::UserId;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{ALICE, Draft, Guarded, Issuer, SigningKey, draft, entry, with_token};
use crate::support::client::{CARDS, PROFILES, REQUESTS, enrollment, info};
use crate::support::wait::wait_until;

const BOB: &str = "1f6c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a22";
const ALICE_SID: &str = "S-1-5-21-1-2-3-1105";
const BOB_SID: &str = "S-1-5-21-1-2-3-1106";
const GROUP: &str = "S-1-5-21-1-2-3-513";

/// A service with two issuers whose tokens have SIDs, names and groups but no UUIDs, and an administrator from a third one.
struct World {
    guarded: Guarded,
    key: SigningKey,
    issuers: [Issuer; 3],
}

impl World {
    async fn start() -> Self {
        let key = SigningKey::p256("one");
        let issuers = [Issuer::start(&[&key]).await, Issuer::start(&[&key]).await, Issuer::start(&[&key]).await];
        let accounts = |name: &str, issuer: &Issuer| {
            let mut keys: Vec<_> = entry(name, issuer).into_iter().filter(|(key, _)| *key != "USER__UUID").collect();
            keys.extend([("USER__SID", "sid".to_owned()), ("USER__UPN", "upn".to_owned())]);
            keys.push(("USER__GROUPS", "groups".to_owned()));
            keys
        };
        let guarded = Guarded::start_with(
            &[accounts("a", &issuers[0]), accounts("b", &issuers[1]), entry("admin", &issuers[2])],
            &[("CMGATE__SERVICE__ADMINISTRATORS", ALICE)],
        );
        Self { guarded, key, issuers }
    }

    /// A token of an account, from one of the two issuers.
    fn token(&self, issuer: usize, claims: &[(&str, &str)]) -> String {
        let token = draft(&self.issuers[issuer].url("")).no_claim("upn");
        let token = claims.iter().fold(token, |token: Draft, (name, value)| token.claim(name, *value));
        token.sign(&self.key)
    }

    fn administrator(&self) -> String {
        self.token(2, &[("upn", "admin")])
    }

    fn directory(&self) -> DirectoryServiceClient<Channel> {
        DirectoryServiceClient::new(self.guarded.instance.channel())
    }

    async fn import(&self, users: Vec<User>) {
        self.directory().import_users(with_token(&self.administrator(), ImportUsersRequest { users })).await.unwrap();
    }

    async fn who(&self, token: &str) -> Result<Caller, Status> {
        let mut client = CallerServiceClient::new(self.guarded.instance.channel());
        let answer = client.who_am_i(with_token(token, WhoAmIRequest {})).await?;
        Ok(answer.into_inner().caller.unwrap())
    }

    async fn create(&self, token: &str, draft: RequestDraft) -> Result<Request, Status> {
        let message = CreateRequestRequest { draft: Some(draft), idempotency_key: String::new() };
        let answer = self.guarded.client.clone().create_request(with_token(token, message)).await?;
        Ok(answer.into_inner().request.unwrap())
    }

    async fn named(&self, token: &str, name: Name) -> Result<User, Status> {
        let answer = self.directory().get_user(with_token(token, GetUserRequest { name: Some(name) })).await?;
        Ok(answer.into_inner().user.unwrap())
    }

    /// The ids and entries of all users that a caller sees.
    async fn seen(&self, token: &str) -> Vec<(String, String)> {
        let answer = self.directory().get_users(with_token(token, GetUsersRequest::default())).await.unwrap();
        let seen = answer.into_inner().users.into_iter().map(|user| (user.learned_from, user.id));
        let mut seen: Vec<_> = seen.collect();
        seen.sort();
        seen
    }
}

fn user(id: &str, sid: &str, upn: &str) -> User {
    User {
        id: id.to_owned(),
        sid: sid.to_owned(),
        upn: upn.to_owned(),
        name: upn.to_owned(),
        groups: Some(UserGroups { sids: vec![GROUP.to_owned()] }),
        status: UserStatus::Active.into(),
        learned_from: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_knows_the_uuid_of_a_token_without_one() {
    let world = World::start().await;
    let by_sid = world.token(0, &[("sub", "alice"), ("sid", ALICE_SID)]);
    let made = UserId::of_subject("a", "alice").to_string();
    assert_eq!(world.who(&by_sid).await.unwrap().user, made);

    world.import(vec![user(BOB, ALICE_SID, "alice@corp.test")]).await;
    let caller = world.who(&by_sid).await.unwrap();
    assert_eq!((caller.user.as_str(), caller.sid.as_str()), (BOB, ALICE_SID));
    assert_eq!((caller.groups, caller.groups_unknown), (vec![GROUP.to_owned()], false), "the token lists no groups");
    let by_upn = world.token(1, &[("sub", "other"), ("upn", "Alice@CORP.test")]);
    let caller = world.who(&by_upn).await.unwrap();
    assert_eq!((caller.user.as_str(), caller.sid.as_str()), (BOB, ALICE_SID));
    let other_account = world.token(1, &[("sub", "other"), ("upn", "alice@corp.test"), ("sid", BOB_SID)]);
    assert_eq!(world.who(&other_account).await.unwrap().user, UserId::of_subject("b", "other").to_string());

    let created = world.create(&by_sid, enrollment(CARDS)).await.unwrap();
    assert_eq!((created.originator.as_str(), created.target.as_str()), (BOB, BOB));
    let documented = include_str!("../../../src/mimcm/tests/golden/create-1.json");
    let authorization = [("Authorization", format!("Bearer {by_upn}"))];
    let authorization = [(authorization[0].0, authorization[0].1.as_str())];
    let id = world.guarded.http.post(&authorization, documented).await.created();
    let view = world.guarded.http.send("GET", &format!("{REQUESTS}/{id}"), &authorization, "").await.json();
    assert_eq!((&view["OriginatorUserUuid"], &view["TargetUserUuid"]), (&BOB.into(), &BOB.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_user_is_refused_whatever_its_token_names() {
    let world = World::start().await;
    let tokens = [
        world.token(0, &[("sub", "bob"), ("sid", BOB_SID)]),
        world.token(1, &[("sub", "bob"), ("upn", "bob@corp.test")]),
        world.token(2, &[("sub", "bob"), ("oid", BOB), ("upn", "bob")]),
    ];
    for token in &tokens {
        world.who(token).await.unwrap();
    }
    let bob = user(BOB, BOB_SID, "bob@corp.test");
    world.import(vec![User { status: UserStatus::Inactive.into(), ..bob.clone() }]).await;
    for (index, token) in tokens.iter().enumerate() {
        let refused = world.who(token).await.unwrap_err();
        assert_eq!((refused.code(), info(&refused).reason.as_str()), (Code::Unauthenticated, "USER_INACTIVE"));
        assert_eq!(refused.metadata().get("www-authenticate").unwrap(), "Bearer realm=\"cmgate\"");
        let answer = world.guarded.list(token).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer realm=\"cmgate\""));
        assert_eq!(world.guarded.refused("user_inactive").await, 2 * (index + 1));
    }
    let log = world.guarded.instance.log();
    assert!(log.lines().any(|line| line.contains("check=\"user_inactive\"") && line.contains(BOB)), "{log}");
    world.import(vec![bob]).await;
    for token in &tokens {
        assert_eq!(world.who(token).await.unwrap().user, BOB);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learned_user_is_known_to_callers_of_its_entry_only() {
    let world = World::start().await;
    let alice = [("sub", "alice"), ("sid", ALICE_SID), ("upn", "alice@corp.test")];
    let bob = [("sub", "bob"), ("sid", BOB_SID)];
    let (alice_of_a, bob_of_a, bob_of_b) = (world.token(0, &alice), world.token(0, &bob), world.token(1, &bob));
    for token in [&alice_of_a, &bob_of_a, &bob_of_b] {
        world.who(token).await.unwrap();
    }
    let made = |entry: &str, subject| UserId::of_subject(entry, subject).to_string();
    let learned = |entry: &str, subject| (entry.to_owned(), made(entry, subject));
    let mut all = vec![learned("a", "alice"), learned("a", "bob"), learned("b", "bob")];
    all.sort();
    wait_until("the callers are recorded", async || world.seen(&world.administrator()).await == all).await;
    let mut of_a = vec![learned("a", "alice"), learned("a", "bob")];
    of_a.sort();
    assert_eq!(world.seen(&alice_of_a).await, of_a);
    assert_eq!(world.seen(&bob_of_b).await, [learned("b", "bob")]);

    // Entry b says nothing about the callers of entry a, nor can it name them.
    let impostor = world.token(1, &[("sub", "mallory"), ("sid", ALICE_SID)]);
    assert_eq!(world.who(&impostor).await.unwrap().user, made("b", "mallory"));
    let upn = Name::Upn("alice@corp.test".to_owned());
    assert_eq!(world.named(&bob_of_a, upn.clone()).await.unwrap().id, made("a", "alice"));
    assert_eq!(world.named(&bob_of_b, upn).await.unwrap_err().code(), Code::NotFound);
    let for_alice = RequestDraft { target_upn: "alice@corp.test".to_owned(), ..enrollment(PROFILES) };
    assert_eq!(world.create(&bob_of_a, for_alice.clone()).await.unwrap().target, made("a", "alice"));
    let refused = world.create(&bob_of_b, for_alice.clone()).await.unwrap_err();
    assert_eq!(info(&refused).reason, "TARGET_NOT_FOUND");

    // The import counts for all, and a later call of the learned user does not change it.
    world.import(vec![user(ALICE, ALICE_SID, "alice@corp.test")]).await;
    for token in [&alice_of_a, &impostor] {
        assert_eq!(world.who(token).await.unwrap().user, ALICE);
    }
    assert_eq!(world.create(&bob_of_b, for_alice).await.unwrap().target, ALICE);
    let mut all = vec![(String::new(), ALICE.to_owned()), learned("a", "bob"), learned("b", "bob")];
    all.sort();
    assert_eq!(world.seen(&world.administrator()).await, all);
}
