//! Users of the directory: read by their keys, listed, imported and learned.

use std::slice;
use std::sync::Arc;

use cmgate::domain::{
    DisplayName, KnownUser, LearnedUsers, PAGE_BYTES_MAX, Refusal, Sid, Upn, User, UserChanges, UserCursor, UserId,
    UserKeys, UserName, UserPage, UserQuery, UserSource, UserStatus, import_users, learn_user,
};
use cmgate::store::{ChangeUsers, Store};
use uuid::Uuid;

use crate::support::database::TestDatabase;

struct Import(Vec<User>);

impl ChangeUsers for Import {
    fn keys(&self) -> Vec<UserKeys> {
        self.0.iter().map(UserKeys::of_user).collect()
    }

    fn decide(&self, stored: &[KnownUser]) -> Result<UserChanges, Refusal> {
        import_users(self.0.clone(), stored)
    }
}

struct Learn(User);

impl ChangeUsers for Learn {
    fn keys(&self) -> Vec<UserKeys> {
        vec![UserKeys::of_user(&self.0)]
    }

    fn decide(&self, stored: &[KnownUser]) -> Result<UserChanges, Refusal> {
        Ok(learn_user(self.0.clone(), stored))
    }
}

fn sid(number: u32) -> Sid {
    Sid::parse(&format!("S-1-5-21-1-2-3-{number}")).unwrap()
}

fn upn(name: &str) -> Upn {
    Upn::parse(&format!("{name}@corp.example")).unwrap()
}

fn user(number: u32, name: &str) -> User {
    User {
        id: UserId::new(Uuid::from_u128(u128::from(number))),
        source: UserSource::Imported,
        sid: Some(sid(number)),
        upn: Upn::parse(&format!("{name}@corp.example")),
        name: DisplayName::parse("name", name).unwrap(),
        groups: Some(vec![sid(513)]),
        status: UserStatus::Active,
    }
}

fn learned(number: u32, name: &str, entry: &str) -> User {
    User { source: UserSource::Learned(entry.into()), groups: None, ..user(number, name) }
}

async fn import(store: &dyn Store, users: &[User]) -> Result<(), Refusal> {
    store.change_users(&Import(users.to_vec())).await.unwrap()
}

async fn learn(store: &dyn Store, user: &User) {
    assert_eq!(store.change_users(&Learn(user.clone())).await.unwrap(), Ok(()));
}

async fn found(store: &dyn Store, name: UserName, entry: Option<&str>) -> Vec<User> {
    let mut found = store.users(&name.into(), entry).await.unwrap();
    found.sort_by_key(|user| user.source.clone());
    found
}

/// The whole list, read in pages of two.
async fn listed(store: &dyn Store, query: &UserQuery, learned: &LearnedUsers) -> Vec<User> {
    let mut listed: Vec<User> = Vec::new();
    loop {
        let after = listed.last().map(UserCursor::of);
        let max_bytes = if listed.len() < 3 { PAGE_BYTES_MAX } else { 1 };
        let found = store.find_users(query, learned, &UserPage { after, limit: 2, max_bytes }).await.unwrap();
        assert!(found.members.len() <= 2);
        listed.extend(found.members);
        if !found.has_more {
            return listed;
        }
    }
}

async fn all(store: &dyn Store) -> Vec<User> {
    listed(store, &UserQuery::new("", Vec::new()), &LearnedUsers::All).await
}

pub(super) async fn an_imported_user_is_found_by_each_of_its_keys(database: &TestDatabase) {
    let store = database.open().await;
    let alice = user(1, "Alice");
    let bare = User { sid: None, upn: None, groups: None, status: UserStatus::Inactive, ..user(2, "Bare") };
    for _ in 0..2 {
        assert_eq!(import(&*store, &[alice.clone(), bare.clone()]).await, Ok(()));
        for name in [UserName::Id(alice.id), UserName::Sid(sid(1)), UserName::Upn(upn("ALICE"))] {
            assert_eq!(found(&*store, name, None).await, slice::from_ref(&alice));
        }
        assert_eq!(found(&*store, UserName::Id(bare.id), None).await, slice::from_ref(&bare));
        for name in [UserName::Sid(sid(2)), UserName::Upn(upn("bare"))] {
            assert_eq!(found(&*store, name, None).await, []);
        }
    }
    assert_eq!(store.users(&UserKeys::default(), None).await.unwrap(), [], "a key that is not given matches nobody");
    let both = UserKeys { id: Some(bare.id), sid: Some(sid(1)), upn: None };
    assert_eq!(store.users(&both, None).await.unwrap().len(), 2);

    store.close().await;
    let store = database.open().await;
    assert_eq!(all(&*store).await, [alice, bare]);
}

pub(super) async fn a_refused_import_changes_no_user(database: &TestDatabase) {
    let store = database.open().await;
    let alice = user(1, "Alice");
    assert_eq!(import(&*store, slice::from_ref(&alice)).await, Ok(()));
    let thief = User { sid: Some(sid(1)), ..user(3, "Mallory") };
    let refused = Refusal::UserKeyTaken { field: "users[1].sid".to_owned(), holder: alice.id };
    assert_eq!(import(&*store, &[user(2, "Bob"), thief]).await, Err(refused));
    let thief = User { upn: Some(upn("alice")), ..user(3, "Mallory") };
    let refused = Refusal::UserKeyTaken { field: "users[0].upn".to_owned(), holder: alice.id };
    assert_eq!(import(&*store, &[thief]).await, Err(refused));
    assert_eq!(all(&*store).await, [alice]);
}

pub(super) async fn users_exchange_their_keys_in_one_import(database: &TestDatabase) {
    let store = database.open().await;
    let names = ["Anna", "Berta", "Carla"];
    let with_keys = |keys: [u32; 3]| {
        [0, 1, 2].map(|place| User {
            sid: Some(sid(keys[place])),
            upn: Some(upn(&keys[place].to_string())),
            ..user(u32::try_from(place).unwrap() + 1, names[place])
        })
    };
    for keys in [[1, 2, 3], [2, 1, 3], [3, 1, 2], [1, 3, 9], [9, 1, 3]] {
        let users = with_keys(keys);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let users = order.map(|place: usize| users[place].clone());
            assert_eq!(import(&*store, &users).await, Ok(()), "{keys:?}");
        }
        assert_eq!(all(&*store).await, users);
    }
}

pub(super) async fn a_learned_user_is_seen_by_its_entry_and_replaced_by_an_import(database: &TestDatabase) {
    let store = database.open().await;
    let (here, there) = (learned(1, "Alice", "a"), learned(1, "Alice", "b"));
    for _ in 0..2 {
        learn(&*store, &here).await;
        learn(&*store, &there).await;
    }
    for name in [UserName::Id(here.id), UserName::Sid(sid(1)), UserName::Upn(upn("alice"))] {
        assert_eq!(found(&*store, name.clone(), None).await, []);
        assert_eq!(found(&*store, name.clone(), Some("a")).await, slice::from_ref(&here));
        assert_eq!(found(&*store, name.clone(), Some("b")).await, slice::from_ref(&there));
        assert_eq!(found(&*store, name, Some("c")).await, []);
    }
    // Another account of the entry has the name now.
    let next = User { upn: Some(upn("alice")), ..learned(2, "Alice", "a") };
    learn(&*store, &next).await;
    assert_eq!(all(&*store).await, [there, next]);

    // The import replaces both of these, and this one by nothing but its id.
    learn(&*store, &User { sid: Some(sid(30)), upn: None, ..learned(3, "Alice", "c") }).await;
    let imported = User { upn: Some(upn("alice")), ..user(3, "Alice") };
    assert_eq!(import(&*store, slice::from_ref(&imported)).await, Ok(()));
    assert_eq!(all(&*store).await, slice::from_ref(&imported));
    learn(&*store, &learned(3, "Alice", "a")).await;
    learn(&*store, &User { sid: Some(sid(3)), ..learned(7, "Mallory", "b") }).await;
    assert_eq!(all(&*store).await, [imported], "an imported user is not learned");
}

pub(super) async fn users_are_listed_by_name_in_pages(database: &TestDatabase) {
    let store = database.open().await;
    let names = ["anna", "Ann", "ANN", "Zoë", "Äpfel", "ann\u{10ffff}", "annb", "Иван"];
    let member = |(name, number)| User { upn: None, ..user(number, name) };
    let mut users: Vec<User> = names.into_iter().zip(1..).map(member).collect();
    users[2].status = UserStatus::Inactive;
    users[6].status = UserStatus::Inactive;
    assert_eq!(import(&*store, &users).await, Ok(()));
    let seen = [(20, "a"), (20, "b"), (21, "b")];
    let seen = seen.map(|(number, entry)| User { upn: None, ..learned(number, "Anno", entry) });
    for user in &seen {
        learn(&*store, user).await;
    }
    users.extend(seen);
    users.sort_by_key(|user| (user.name.key(), user.id, user.source.clone()));

    for prefix in ["", "a", "AN", "ann", "annb", "ä", "иВ", "ann\u{10ffff}", "x"] {
        for statuses in [vec![], vec![UserStatus::Active], vec![UserStatus::Inactive, UserStatus::Active]] {
            for learned in [LearnedUsers::None, LearnedUsers::Of("b".into()), LearnedUsers::All] {
                let is_visible = |user: &User| match (&learned, user.source.entry()) {
                    (_, None) | (LearnedUsers::All, Some(_)) => true,
                    (LearnedUsers::None, Some(_)) => false,
                    (LearnedUsers::Of(entry), Some(of)) => &**entry == of,
                };
                let query = UserQuery::new(prefix, statuses.clone());
                let is_meant = |user: &&User| {
                    user.name.key().starts_with(&query.name_prefix)
                        && (statuses.is_empty() || statuses.contains(&user.status))
                        && is_visible(user)
                };
                let expected: Vec<User> = users.iter().filter(is_meant).cloned().collect();
                assert_eq!(listed(&*store, &query, &learned).await, expected, "{query:?} {learned:?}");
            }
        }
    }
}

/// Imports and proofs at the same time: no key has two holders, and no learned user stands beside an imported one.
pub(super) async fn concurrent_changes_of_users_leave_each_key_to_one(database: &TestDatabase) {
    let store = database.open().await;
    for round in 0..5 {
        let base = 100 * (round + 1);
        let import =
            |number: u32| Import(vec![User { sid: Some(sid(base)), upn: None, ..user(base + number, "Imported") }]);
        let learn =
            |number: u32| Learn(User { sid: Some(sid(base)), upn: None, ..learned(base + number, "Seen", "a") });
        let mut tasks = Vec::new();
        for number in 0..4 {
            for change in [Arc::new(import(number)) as Arc<dyn ChangeUsers>, Arc::new(learn(number))] {
                let store = store.clone();
                tasks.push(tokio::spawn(async move { store.change_users(&*change).await }));
            }
        }
        let mut imported = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(Ok(())) => {}
                Ok(Err(Refusal::UserKeyTaken { .. })) => imported += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(imported, 3, "one of four imports takes the key");
        let holders = found(&*store, UserName::Sid(sid(base)), Some("a")).await;
        assert_eq!(holders.len(), 1, "{holders:?}");
        assert_eq!(holders[0].source, UserSource::Imported);
    }
}

pub(super) async fn a_large_import_is_stored_as_a_whole(database: &TestDatabase) {
    let store = database.open().await;
    let groups = Some((0..200).map(sid).collect::<Vec<_>>());
    let member = |number: u32| User {
        groups: groups.clone(),
        upn: Upn::parse(&format!("{number}@corp.example")),
        ..user(number, &format!("user {number}"))
    };
    let users: Vec<User> = (1..=1_000).map(member).collect();
    for _ in 0..2 {
        assert_eq!(import(&*store, &users).await, Ok(()));
        assert_eq!(database.count("directory_user").await, 1_000);
    }
    let page = UserPage { after: None, limit: 1_000, max_bytes: PAGE_BYTES_MAX };
    let page = store.find_users(&UserQuery::new("", Vec::new()), &LearnedUsers::None, &page).await.unwrap();
    assert!(page.has_more && page.members.len() < 1_000, "a page is bounded in bytes");
}
