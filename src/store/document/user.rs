//! The stored form of a user of the directory.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::vocabulary::StoredUserStatus;
use super::{Document, FormVersion, Malformed};
use crate::domain::{DisplayName, Sid, Upn, User, UserId, UserSource};

#[derive(Serialize, Deserialize)]
struct StoredUser<'a> {
    v: FormVersion<1>,
    id: Uuid,
    /// Entry that a learned user is known from; absent if the user was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learned_from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upn: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    /// Absent if they are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Cow<'a, str>>>,
    status: StoredUserStatus,
}

impl Document for User {
    fn encode(&self) -> serde_json::Result<String> {
        serde_json::to_string(&StoredUser::from(self))
    }

    fn decode(text: &str) -> Result<Self, Malformed> {
        serde_json::from_str::<StoredUser<'_>>(text)?.try_into()
    }
}

impl<'a> From<&'a User> for StoredUser<'a> {
    fn from(User { id, source, sid, upn, name, groups, status }: &'a User) -> Self {
        Self {
            v: FormVersion,
            id: id.uuid(),
            learned_from: source.entry().map(Cow::Borrowed),
            sid: sid.as_ref().map(|sid| sid.as_str().into()),
            upn: upn.as_ref().map(|upn| upn.as_str().into()),
            name: name.as_str().into(),
            groups: groups.as_ref().map(|groups| groups.iter().map(|group| group.as_str().into()).collect()),
            status: (*status).into(),
        }
    }
}

impl TryFrom<StoredUser<'_>> for User {
    type Error = Malformed;

    fn try_from(stored: StoredUser<'_>) -> Result<Self, Malformed> {
        let sid = |text: Cow<'_, str>| Sid::try_from(text.into_owned());
        let upn =
            |text: Cow<'_, str>| Upn::parse(&text).ok_or_else(|| format!("{text:?} is not a user principal name"));
        let groups = stored.groups.map(|groups| groups.into_iter().map(sid).collect::<Result<_, _>>()).transpose()?;
        Ok(Self {
            id: UserId::new(stored.id),
            source: stored.learned_from.map_or(UserSource::Imported, |entry| UserSource::Learned(Arc::from(&*entry))),
            sid: stored.sid.map(sid).transpose()?,
            upn: stored.upn.map(upn).transpose()?,
            name: DisplayName::unchecked(stored.name.into_owned()),
            groups,
            status: stored.status.into(),
        })
    }
}
