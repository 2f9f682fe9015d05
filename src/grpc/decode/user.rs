//! Users of the directory: reads by name, lists and imports.

use std::collections::HashSet;

use super::fields;
use super::list::{page_size, values};
use crate::contract::v1;
use crate::contract::v1::get_user_request::Name;
use crate::domain::{
    DisplayName, PAGE_BYTES_MAX, Refusal, Sid, USER_GROUPS_MAX, Upn, User, UserId, UserName, UserPage, UserQuery,
    UserSource, UserStatus,
};
use crate::grpc::page_token;
use crate::service::Violations;

/// Most users in one import.
const IMPORT_MAX: usize = 1_000;

/// The filters and the page of a list.
#[derive(Debug)]
pub(crate) struct UserList {
    pub(crate) query: UserQuery,
    pub(crate) page: UserPage,
}

pub(crate) fn user_name(message: &v1::GetUserRequest) -> Result<UserName, Refusal> {
    let mut violations = Violations::default();
    let name = match &message.name {
        Some(Name::Id(id)) => fields::uuid(&mut violations, "id", id, UserId::new).map(UserName::Id),
        Some(Name::Sid(sid)) => violations.keep(Sid::parse_in("sid", sid)).map(UserName::Sid),
        Some(Name::Upn(upn)) => violations.keep(Upn::parse_in("upn", upn)).map(UserName::Upn),
        None => fields::unspecified(&mut violations, "name"),
    };
    violations.finish(name)
}

pub(crate) fn user_list(message: &v1::GetUsersRequest) -> Result<UserList, Refusal> {
    let mut violations = Violations::default();
    if !message.name_prefix.is_empty() {
        violations.keep(DisplayName::parse("name_prefix", message.name_prefix.as_str()));
    }
    let statuses = values(&mut violations, "statuses", &message.statuses, |violations, field, number| {
        status(violations, field, *number)
    });
    let query = UserQuery::new(&message.name_prefix, statuses);
    let limit = page_size(&mut violations, message.page_size);
    let after = match message.page_token.as_str() {
        "" => None,
        token => violations.keep(page_token::parse_user(token, &query)),
    };
    violations.finish(Some(UserList { query, page: UserPage { after, limit, max_bytes: PAGE_BYTES_MAX } }))
}

pub(crate) fn users(message: v1::ImportUsersRequest) -> Result<Vec<User>, Refusal> {
    let mut violations = Violations::default();
    if !(1..=IMPORT_MAX).contains(&message.users.len()) {
        violations.add("users", format!("must have 1 to {IMPORT_MAX} members"));
        return violations.finish(None);
    }
    let numbered = message.users.into_iter().enumerate();
    let read = numbered.filter_map(|(index, message)| user(&mut violations, &format!("users[{index}]"), message));
    let read = read.collect();
    violations.finish(Some(read))
}

fn user(violations: &mut Violations, field: &str, message: v1::User) -> Option<User> {
    let v1::User { id, sid, upn, name, groups, status: number, learned_from } = message;
    let at = |name: &str| format!("{field}.{name}");
    let id = fields::uuid(violations, at("id"), &id, UserId::new)
        .and_then(|id| violations.keep(UserId::check_assigned(&at("id"), id)));
    let sid = (!sid.is_empty()).then(|| violations.keep(Sid::parse_in(&at("sid"), &sid)));
    let upn = (!upn.is_empty()).then(|| violations.keep(Upn::parse_in(&at("upn"), &upn)));
    let name = violations.keep(DisplayName::parse(&at("name"), name));
    let groups = groups.map(|groups| distinct(violations, &at("groups.sids"), &groups.sids));
    let status = status(violations, &at("status"), number);
    if !learned_from.is_empty() {
        violations.add(at("learned_from"), "must be empty; an import adds no learned users");
    }
    Some(User {
        id: id?,
        source: UserSource::Imported,
        sid: sid.flatten(),
        upn: upn.flatten(),
        name: name?,
        groups,
        status: status?,
    })
}

/// The groups without repetitions.
fn distinct(violations: &mut Violations, field: &str, sids: &[String]) -> Vec<Sid> {
    if sids.len() > USER_GROUPS_MAX {
        violations.add(field, format!("must have at most {USER_GROUPS_MAX} values"));
        return Vec::new();
    }
    let numbered = sids.iter().enumerate();
    let read: Vec<Sid> =
        numbered.filter_map(|(index, sid)| violations.keep(Sid::parse_in(&format!("{field}[{index}]"), sid))).collect();
    let mut seen = HashSet::new();
    let is_new: Vec<bool> = read.iter().map(|sid| seen.insert(sid)).collect();
    read.iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(sid, _)| sid.clone()).collect()
}

/// A status of a user; unknown and unspecified numbers are invalid.
fn status(violations: &mut Violations, field: &str, number: i32) -> Option<UserStatus> {
    match v1::UserStatus::try_from(number) {
        Ok(v1::UserStatus::Active) => Some(UserStatus::Active),
        Ok(v1::UserStatus::Inactive) => Some(UserStatus::Inactive),
        Ok(v1::UserStatus::Unspecified) => fields::unspecified(violations, field),
        Err(_) => fields::unknown(violations, field, number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f1590dc-d932-4b66-8e68-2e91c5880780";

    fn good() -> v1::User {
        v1::User {
            id: ID.to_owned(),
            sid: "s-1-5-21-1-2-3-1105".to_owned(),
            upn: "Alice@Corp.Example".to_owned(),
            name: "Alice".to_owned(),
            groups: Some(v1::UserGroups { sids: vec!["S-1-5-21-1-2-3-513".to_owned(); 2] }),
            status: v1::UserStatus::Active.into(),
            learned_from: String::new(),
        }
    }

    fn read(users: Vec<v1::User>) -> Result<Vec<User>, Refusal> {
        super::users(v1::ImportUsersRequest { users })
    }

    #[test]
    fn a_user_is_read_in_full() {
        let group = Sid::parse("S-1-5-21-1-2-3-513").unwrap();
        let expected = User {
            id: ID.parse().unwrap(),
            source: UserSource::Imported,
            sid: Sid::parse("S-1-5-21-1-2-3-1105"),
            upn: Upn::parse("alice@corp.example"),
            name: DisplayName::parse("", "Alice").unwrap(),
            groups: Some(vec![group]),
            status: UserStatus::Active,
        };
        assert_eq!(read(vec![good()]).unwrap(), std::slice::from_ref(&expected));
        let least = v1::User { sid: String::new(), upn: String::new(), groups: None, ..good() };
        let expected = User { sid: None, upn: None, groups: None, ..expected };
        assert_eq!(read(vec![least]).unwrap(), [expected], "groups that are not given are unknown");
    }

    #[test]
    fn every_bad_field_of_a_user_is_named() {
        type Spoil = fn(&mut v1::User);
        let many = |count| Some(v1::UserGroups { sids: vec!["S-1-1-0".to_owned(); count] });
        assert!(read(vec![v1::User { groups: many(USER_GROUPS_MAX), ..good() }]).is_ok());
        let cases: [(Spoil, &str); 14] = [
            (|user| user.id.clear(), "id"),
            (|user| user.id = "me".to_owned(), "id"),
            (|user| user.id = "00000000-0000-0000-0000-000000000000".to_owned(), "id"),
            (|user| user.id = "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(), "id"),
            (|user| user.id = "9db1243c-15c2-86a2-b29f-5e28be47f1c5".to_owned(), "id"),
            (|user| user.sid = "S-1".to_owned(), "sid"),
            (|user| user.upn = "alice".to_owned(), "upn"),
            (|user| user.name.clear(), "name"),
            (|user| user.name = "a\nb".to_owned(), "name"),
            (|user| user.name = "ä".repeat(DisplayName::MAX_CHARS + 1), "name"),
            (|user| user.groups.as_mut().unwrap().sids[1].clear(), "groups.sids[1]"),
            (|user| user.status = 0, "status"),
            (|user| user.status = 9, "status"),
            (|user| user.learned_from = "adfs".to_owned(), "learned_from"),
        ];
        for (spoil, field) in cases {
            let mut user = good();
            spoil(&mut user);
            let refusal = read(vec![good(), user]).unwrap_err();
            let fields: Vec<String> = refusal.violations().into_iter().map(|violation| violation.field).collect();
            assert_eq!(fields, [format!("users[1].{field}")]);
        }
        let refusal = read(vec![v1::User { groups: many(USER_GROUPS_MAX + 1), ..good() }]).unwrap_err();
        assert_eq!(refusal.to_string(), "users[0].groups.sids must have at most 1100 values");
        for count in [0, IMPORT_MAX + 1] {
            let refusal = read(vec![good(); count]).unwrap_err();
            assert_eq!(refusal.to_string(), "users must have 1 to 1000 members", "{count}");
        }
    }
}
