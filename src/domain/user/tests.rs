//! What imports and proofs make of the directory, and whom it recognizes.

use std::sync::Arc;

use proptest::prelude::{Just, Strategy};
use proptest::{collection, option, prop_assert, prop_assert_eq, prop_oneof, proptest};
use uuid::Uuid;

use super::*;
use crate::domain::{Caller, Groups, Proof, ProofMethod};

fn id(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

fn sid(number: u8) -> Sid {
    Sid::parse(&format!("S-1-5-21-1-2-3-{number}")).unwrap()
}

fn upn(number: u8) -> Upn {
    Upn::parse(&format!("user-{number}@corp.example")).unwrap()
}

fn user(number: u128, sid: Option<Sid>, upn: Option<Upn>) -> User {
    User {
        id: id(number),
        source: UserSource::Imported,
        sid,
        upn,
        name: DisplayName::parse("name", format!("User {number}")).unwrap(),
        groups: None,
        status: UserStatus::Active,
    }
}

fn learned(number: u128, entry: &str, sid: Option<Sid>, upn: Option<Upn>) -> User {
    User { source: UserSource::Learned(Arc::from(entry)), ..user(number, sid, upn) }
}

fn inactive(user: User) -> User {
    User { status: UserStatus::Inactive, ..user }
}

fn known(user: &User) -> KnownUser {
    KnownUser { source: user.source.clone(), id: user.id, sid: user.sid.clone(), upn: user.upn.clone() }
}

fn keys(id: Option<UserId>, sid: Option<Sid>, upn: Option<Upn>) -> UserKeys {
    UserKeys { id, sid, upn }
}

/// The users of a directory with a key in common with one of `users`.
fn related(directory: &[User], users: &[User]) -> Vec<KnownUser> {
    let shares = |one: &User, other: &User| {
        one.id == other.id || one.sid.is_some() && one.sid == other.sid || one.upn.is_some() && one.upn == other.upn
    };
    directory.iter().filter(|stored| users.iter().any(|user| shares(stored, user))).map(known).collect()
}

/// The directory after changes, ordered by id and source.
fn changed(directory: &[User], changes: UserChanges) -> Vec<User> {
    let is_kept = |stored: &&User| {
        !changes.removed.contains(&(stored.id, stored.source.clone()))
            && changes.put.iter().all(|put| (put.id, &put.source) != (stored.id, &stored.source))
    };
    let mut after: Vec<User> = directory.iter().filter(is_kept).cloned().collect();
    after.extend(changes.put);
    after.sort_by_key(|user| (user.id, user.source.clone()));
    after
}

#[test]
fn an_import_adds_and_replaces_users_and_removes_none() {
    let directory = [user(1, Some(sid(1)), Some(upn(1))), user(2, Some(sid(2)), None)];
    // The users exchange their identifiers, and the first one gives its name to a third.
    let imported = vec![user(1, Some(sid(2)), None), user(2, Some(sid(1)), None), user(3, None, Some(upn(1)))];
    let changes = import_users(imported.clone(), &related(&directory, &imported)).unwrap();
    assert_eq!(changed(&directory, changes), imported);
    let left = vec![inactive(imported[0].clone())];
    let changes = import_users(left.clone(), &related(&imported, &left)).unwrap();
    assert_eq!(changed(&imported, changes), [&left[..], &imported[1..]].concat());
}

#[test]
fn a_key_belongs_to_one_imported_user() {
    let directory = [user(1, Some(sid(1)), Some(upn(1)))];
    let taken = |field: &str, holder| Err(Refusal::UserKeyTaken { field: field.to_owned(), holder: id(holder) });
    for (imported, expected) in [
        (vec![user(3, None, None), user(2, Some(sid(1)), None)], taken("users[1].sid", 1)),
        (vec![user(2, None, Some(upn(1)))], taken("users[0].upn", 1)),
        (vec![user(2, Some(sid(2)), None), user(3, Some(sid(2)), None)], taken("users[1].sid", 2)),
        (vec![user(2, None, Some(upn(2))), user(3, None, Some(upn(2)))], taken("users[1].upn", 2)),
        // An inactive user keeps its keys.
        (vec![inactive(directory[0].clone()), user(2, Some(sid(1)), None)], taken("users[1].sid", 1)),
        (vec![user(2, None, None); 2], Err(Refusal::invalid("users[1].id", "is given twice"))),
    ] {
        let outcome = import_users(imported.clone(), &related(&directory, &imported)).map(|_| ());
        assert_eq!(outcome, expected, "{imported:?}");
    }
}

#[test]
fn an_import_replaces_learned_users_with_any_of_its_keys() {
    let directory = [
        learned(1, "a", Some(sid(1)), None),
        learned(1, "b", None, Some(upn(7))),
        learned(8, "a", Some(sid(2)), None),
        learned(9, "b", Some(sid(9)), Some(upn(2))),
        learned(9, "a", Some(sid(9)), Some(upn(9))),
    ];
    let imported = vec![user(1, Some(sid(2)), Some(upn(2)))];
    let changes = import_users(imported.clone(), &related(&directory, &imported)).unwrap();
    assert_eq!(changed(&directory, changes), [imported[0].clone(), directory[4].clone()]);
}

#[test]
fn a_proof_teaches_nothing_about_imported_users() {
    let directory = [user(1, Some(sid(1)), Some(upn(1)))];
    for seen in [
        learned(1, "a", Some(sid(9)), None),
        learned(9, "a", Some(sid(1)), None),
        learned(9, "a", Some(sid(9)), Some(upn(1))),
    ] {
        let changes = learn_user(seen.clone(), &related(&directory, std::slice::from_ref(&seen)));
        assert_eq!(changes, UserChanges::default(), "{seen:?}");
    }
    assert_eq!(learn_user(user(9, Some(sid(9)), None), &[]), UserChanges::default(), "an imported user is not learned");
}

#[test]
fn within_an_entry_the_latest_proof_counts_and_entries_do_not_touch_each_other() {
    let directory = [learned(1, "a", Some(sid(1)), Some(upn(1))), learned(1, "b", Some(sid(1)), Some(upn(1)))];
    let seen = learned(2, "a", Some(sid(2)), Some(upn(1)));
    let changes = learn_user(seen.clone(), &related(&directory, std::slice::from_ref(&seen)));
    assert_eq!(changed(&directory, changes), [directory[1].clone(), seen]);
    let renamed = learned(1, "a", Some(sid(1)), Some(upn(3)));
    let changes = learn_user(renamed.clone(), &related(&directory, std::slice::from_ref(&renamed)));
    assert_eq!(changed(&directory, changes), [renamed, directory[1].clone()]);
}

#[test]
fn a_caller_is_recognized_by_what_its_proof_vouches_for() {
    let (alice, bob) = (user(1, Some(sid(1)), Some(upn(1))), user(2, None, Some(upn(2))));
    let directory = [alice.clone(), bob.clone()];
    let is = |user: &User| Recognition::User(Arc::new(user.clone()));
    for (keys, expected) in [
        (keys(Some(id(1)), None, None), is(&alice)),
        (keys(None, Some(sid(1)), None), is(&alice)),
        (keys(None, None, Some(upn(1))), is(&alice)),
        (keys(None, Some(sid(1)), Some(upn(2))), is(&alice)),
        // Bob's account is known by its name alone.
        (keys(None, Some(sid(9)), Some(upn(2))), is(&bob)),
        // The name belongs to another account than the proof's.
        (keys(None, Some(sid(9)), Some(upn(1))), Recognition::Stranger),
        (keys(None, Some(sid(9)), None), Recognition::Stranger),
        // A proven id stays, even if it is unknown.
        (keys(Some(id(9)), Some(sid(1)), None), Recognition::Stranger),
        (keys(None, None, None), Recognition::Stranger),
    ] {
        assert_eq!(recognize(&keys, &directory), expected, "{keys:?}");
    }
}

#[test]
fn a_learned_user_recognizes_nobody() {
    let directory = [learned(1, "a", Some(sid(1)), Some(upn(1)))];
    for keys in [keys(Some(id(1)), None, None), keys(None, Some(sid(1)), None), keys(None, None, Some(upn(1)))] {
        assert_eq!(recognize(&keys, &directory), Recognition::Stranger, "{keys:?}");
    }
}

#[test]
fn any_key_of_an_inactive_user_refuses_the_caller() {
    let directory = [inactive(user(1, Some(sid(1)), Some(upn(1)))), user(2, Some(sid(2)), None)];
    for (keys, is_refused) in [
        (keys(Some(id(1)), None, None), true),
        (keys(None, Some(sid(1)), None), true),
        (keys(None, None, Some(upn(1))), true),
        (keys(Some(id(9)), Some(sid(1)), None), true),
        (keys(Some(id(2)), None, Some(upn(1))), true),
        (keys(Some(id(1)), Some(sid(9)), None), true),
        (keys(Some(id(9)), Some(sid(9)), Some(upn(1))), false),
        (keys(Some(id(2)), Some(sid(2)), None), false),
    ] {
        assert_eq!(recognize(&keys, &directory) == Recognition::Inactive(id(1)), is_refused, "{keys:?}");
    }
}

#[test]
fn the_directory_supplies_what_the_proof_does_not_say() {
    let group = sid(200);
    let known = User { groups: Some(vec![group.clone()]), ..user(1, Some(sid(1)), Some(upn(1))) };
    let made = UserId::of_subject("negotiate", "S-1-5-21-1-2-3-1");
    let proof = Proof { method: ProofMethod::Certificate, ..Proof::NONE };
    let caller = Caller { groups: Groups::Unknown, proof, ..Caller::unproven(made, "alice@corp.example") };
    let completed = known.complete(Arc::new(caller.clone()));
    let groups = Groups::Known(vec![group]);
    let expected = Caller { user: id(1), sid: Some(sid(1)), upn: Some(upn(1)), groups, ..caller.clone() };
    assert_eq!(*completed, expected);

    // What the proof says stays.
    let said = Caller { sid: Some(sid(5)), upn: Some(upn(5)), groups: Groups::Known(Vec::new()), ..caller.clone() };
    let completed = known.complete(Arc::new(said.clone()));
    assert_eq!(*completed, Caller { user: id(1), ..said.clone() });
    let only_upn_missing = Caller { upn: None, user: id(1), ..said };
    assert_eq!(known.complete(Arc::new(only_upn_missing)).upn, Some(upn(1)));
    let without_groups = user(1, None, None).complete(Arc::new(caller.clone()));
    assert_eq!((without_groups.user, &without_groups.groups), (id(1), &Groups::Unknown));
    assert_eq!(UserKeys::of_caller(&caller), UserKeys::default(), "a made id is no key");
    assert_eq!(UserKeys::of_caller(&completed).id, Some(id(1)));
}

#[test]
fn an_imported_user_takes_precedence_over_a_learned_one_of_the_same_name() {
    let (imported, seen) = (user(1, Some(sid(1)), None), learned(2, "a", Some(sid(1)), Some(upn(1))));
    let stored = || vec![seen.clone(), imported.clone()];
    assert_eq!(UserName::Sid(sid(1)).find(stored()), Some(imported.clone()));
    assert_eq!(UserName::Upn(upn(1)).find(stored()), Some(seen.clone()));
    assert_eq!(UserName::Id(id(2)).find(stored()), Some(seen.clone()));
    assert_eq!(UserName::Sid(sid(2)).find(stored()), None);
}

/// Users with few ids and keys, so that many of them meet.
fn any_users() -> impl Strategy<Value = Vec<User>> {
    let source = prop_oneof![
        Just(UserSource::Imported),
        Just(UserSource::Learned(Arc::from("a"))),
        Just(UserSource::Learned(Arc::from("b"))),
    ];
    let parts = (1_u128..5, option::of(1_u8..4), option::of(1_u8..4), source);
    let any_user = parts.prop_map(|(number, sid_number, upn_number, source)| User {
        source,
        ..user(number, sid_number.map(sid), upn_number.map(upn))
    });
    collection::vec(any_user, 1..6)
}

fn is_unique(directory: &[User]) -> bool {
    let differ = |one: &User, other: &User| {
        one.source != other.source
            || one.id != other.id
                && (one.sid.is_none() || one.sid != other.sid)
                && (one.upn.is_none() || one.upn != other.upn)
    };
    directory.iter().enumerate().all(|(index, one)| directory[index + 1..].iter().all(|other| differ(one, other)))
}

proptest! {
    /// Whatever happens: keys stay unique in each source, no proof changes an imported user or another entry's user, and no import
    /// depends on its order.
    #[test]
    fn every_history_keeps_the_directory_consistent(steps in collection::vec(any_users(), 1..8)) {
        let mut directory: Vec<User> = Vec::new();
        for users in steps {
            let before = directory.clone();
            if users[0].source == UserSource::Imported {
                let users: Vec<User> =
                    users.into_iter().map(|user| User { source: UserSource::Imported, ..user }).collect();
                let reversed: Vec<User> = users.iter().rev().cloned().collect();
                let stored = related(&directory, &users);
                let outcome = import_users(users, &stored).map(|changes| changed(&directory, changes));
                let other = import_users(reversed, &stored).map(|changes| changed(&directory, changes));
                prop_assert_eq!(outcome.is_ok(), other.is_ok());
                if let Ok(after) = outcome {
                    prop_assert_eq!(&after, &other.unwrap());
                    directory = after;
                    let is_there = |user: &User| directory.iter().any(|other| other.id == user.id && other.source == user.source);
                    prop_assert!(before.iter().filter(|user| user.source == UserSource::Imported).all(is_there));
                }
            } else {
                let seen = users[0].clone();
                let changes = learn_user(seen.clone(), &related(&directory, std::slice::from_ref(&seen)));
                directory = changed(&directory, changes);
                let others = |users: &[User]| -> Vec<User> {
                    users.iter().filter(|user| user.source != seen.source).cloned().collect()
                };
                prop_assert_eq!(others(&before), others(&directory));
            }
            prop_assert!(is_unique(&directory), "{:?}", directory);
        }
    }
}
