//! The target of a new request: whom its name means, and whether the user has left.

use std::time::Instant;

use super::Directory;
use crate::domain::{Caller, CredentialIds, Draft, Recognition, Refusal, UserId, UserKeys, UserName};
use crate::service::{Error, Service};

impl Service {
    /// The user whom a draft names as its target, or why the directory refuses the target. A user who has left may be the target only of
    /// requests that take something away, also if the draft names the target by a profile or card.
    ///
    /// # Errors
    /// The directory or the database is not available.
    pub(in crate::service) async fn target(
        &self,
        caller: &Caller,
        draft: &Draft,
    ) -> Result<Result<Option<UserId>, Refusal>, Error> {
        let entry = caller.proof.entry.as_deref();
        match &draft.target {
            Some(UserName::Id(id)) => Ok(self.if_active(caller, "target", *id, draft).await?.map(Some)),
            Some(name @ (UserName::Sid(_) | UserName::Upn(_))) => {
                match self.directory.find(name.clone(), entry).await? {
                    Some(user) => {
                        let checked = self.if_active(caller, name.target_field(), user.id, draft).await?;
                        Ok(checked.map(Some))
                    }
                    None => Ok(Err(Refusal::TargetNotFound(name.clone()))),
                }
            }
            None => match self.owner(draft).await? {
                Some(owner) => Ok(self.if_active(caller, "target", owner, draft).await?.map(|_| None)),
                None => Ok(Ok(None)),
            },
        }
    }

    /// The owner of the profile or card of a draft that names no target, if the type of request excludes users who have left. Owners
    /// never change.
    async fn owner(&self, draft: &Draft) -> Result<Option<UserId>, Error> {
        if draft.kind.is_for_leavers() || draft.old == CredentialIds::NONE {
            return Ok(None);
        }
        let known = self.credentials_of(draft.old).await?;
        Ok(known.first().map(|credential| credential.owner))
    }

    async fn if_active(
        &self,
        caller: &Caller,
        field: &'static str,
        user: UserId,
        draft: &Draft,
    ) -> Result<Result<UserId, Refusal>, Error> {
        let kind = draft.kind;
        // The directory has admitted the caller.
        if kind.is_for_leavers() || user == caller.user || !self.directory.is_inactive(user).await? {
            return Ok(Ok(user));
        }
        Ok(Err(Refusal::TargetInactive { field, user, kind }))
    }
}

impl Directory {
    /// Whether the user with this id has left.
    async fn is_inactive(&self, user: UserId) -> Result<bool, Error> {
        let keys = UserKeys { id: Some(user), ..UserKeys::default() };
        let recognition = self.recognize(keys, Instant::now()).await?;
        Ok(matches!(&*recognition, Recognition::Inactive(_)))
    }
}
