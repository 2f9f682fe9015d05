//! Encodes users of the directory as messages of the contract.

use super::v1;
use crate::domain::{Sid, User, UserStatus};

/// Encodes a user.
#[must_use]
pub fn user(user: &User) -> v1::User {
    let User { id, source, sid, upn, name, groups, status } = user;
    let groups = groups.as_ref().map(|groups| v1::UserGroups { sids: groups.iter().map(Sid::to_string).collect() });
    v1::User {
        id: id.to_string(),
        sid: sid.as_ref().map(Sid::to_string).unwrap_or_default(),
        upn: upn.as_ref().map(ToString::to_string).unwrap_or_default(),
        name: name.as_str().to_owned(),
        groups,
        status: user_status(*status).into(),
        learned_from: source.entry().unwrap_or_default().to_owned(),
    }
}

const fn user_status(status: UserStatus) -> v1::UserStatus {
    match status {
        UserStatus::Active => v1::UserStatus::Active,
        UserStatus::Inactive => v1::UserStatus::Inactive,
    }
}
