//! The directory gives the user of a ticket the objectGUID of its account.

use std::process::Command;

use cmgate::contract::v1::directory_service_client::DirectoryServiceClient;
use cmgate::contract::v1::{ImportUsersRequest, User, UserStatus};
use cmgate::domain::UserId;

use super::kdc::{Kdc, Kind};
use super::service::environment;
use crate::support::client::{PAVLE, PROFILES, REQUESTS};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

const EMBEDDED: (&str, &str) = ("CMGATE__KAFKA__BROKERS", "");

/// An account of the domain as a user to import.
fn account(kdc: &Kdc, name: &str) -> User {
    let shown = Command::new("samba-tool")
        .args(["user", "show", name, "--attributes=objectGUID,objectSid", "-s"])
        .arg(kdc.path("dc/etc/smb.conf"))
        .output()
        .unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let shown = String::from_utf8(shown.stdout).unwrap();
    let attribute = |name: &str| {
        let value = shown.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        value.unwrap_or_else(|| panic!("no {name} in {shown}")).to_owned()
    };
    User {
        id: attribute("objectGUID"),
        sid: attribute("objectSid"),
        upn: format!("{name}@corp.test"),
        name: name.to_owned(),
        groups: None,
        status: UserStatus::Active.into(),
        learned_from: String::new(),
    }
}

/// A service that accepts tickets.
fn start(env: &TestEnv, kdc: &Kdc) -> Instance {
    let environment = environment(kdc);
    env.start_with(&environment.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// Imports users with a service in development mode, whose caller is an administrator.
async fn import(env: &TestEnv, users: Vec<User>) {
    let instance = env.start_with(&[EMBEDDED]);
    let mut directory = DirectoryServiceClient::new(instance.channel());
    directory.import_users(ImportUsersRequest { users }).await.unwrap();
    instance.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_a_ticket_has_the_uuid_of_its_account() {
    let Some(kdc) = Kdc::start(Kind::Samba).await else { return };
    let env = TestEnv::sqlite();
    let (alice, bob) = (kdc.log_in("alice").await, kdc.log_in("bob").await);
    let (alices, bobs) = (account(&kdc, "alice"), account(&kdc, "bob"));
    assert!(alices.id.parse::<UserId>().is_ok_and(|id| !id.is_derived()), "{alices:?}");
    let enrollment = |target: &str| {
        format!(
            r#"{{"type":"Enroll","profiletemplateuuid":"{PROFILES}","datacollection":[],"comment":"","target":"{target}"}}"#
        )
    };

    // Without an import, the user is made from the security identifier.
    let instance = start(&env, &kdc);
    let id = alice.create(instance.public, &enrollment(""));
    let made = UserId::of_subject("negotiate", &alices.sid).to_string();
    assert_eq!(alice.view(instance.public, &id)["OriginatorUserUuid"], made);
    instance.end().await;

    import(&env, vec![alices.clone(), bobs.clone()]).await;
    let instance = start(&env, &kdc);
    let at = instance.public;
    let who = alice.send(at, "/v1/whoami", &[]);
    assert!(who.status == 200 && who.body.contains(&alices.id), "{who:?}");
    assert!(who.body.contains(r#""upn":"alice@corp.test""#), "the directory knows the name: {who:?}");
    let view = alice.view(at, &alice.create(at, &enrollment("")));
    assert_eq!(
        (&view["OriginatorUserUuid"], &view["TargetUserUuid"]),
        (&alices.id.as_str().into(), &alices.id.as_str().into())
    );
    for target in [bobs.id.as_str(), &bobs.sid, "BOB@corp.test"] {
        let view = alice.view(at, &alice.create(at, &enrollment(target)));
        assert_eq!(view["OriginatorUserUuid"], alices.id);
        assert_eq!(view["TargetUserUuid"], bobs.id, "{target}");
    }
    let view = bob.view(at, &bob.create(at, &enrollment(PAVLE)));
    assert_eq!((&view["OriginatorUserUuid"], &view["TargetUserUuid"]), (&bobs.id.as_str().into(), &PAVLE.into()));
    instance.end().await;

    import(&env, vec![User { status: UserStatus::Inactive.into(), ..bobs }]).await;
    let instance = start(&env, &kdc);
    let refused = bob.send(instance.public, REQUESTS, &[]);
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.body.contains("Your user is inactive"), "{refused:?}");
    assert_eq!(alice.send(instance.public, REQUESTS, &[]).status, 200);
}
