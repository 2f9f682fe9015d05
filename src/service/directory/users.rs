//! Use cases of the directory: reading, listing and importing users.

use crate::domain::{
    KnownUser, LearnedUsers, Listing, Refusal, User, UserChanges, UserKeys, UserName, UserPage, UserQuery, import_users,
};
use crate::service::{Call, Error, Service};
use crate::store::ChangeUsers;

/// Memory of a user besides its texts, in bytes.
const USER_BYTES: usize = 512;
/// Memory of a group of a user besides its text, in bytes.
const GROUP_BYTES: usize = 40;

impl Service {
    /// Reads a user. A caller sees imported users, and those learned from the entry of its own proof.
    ///
    /// # Errors
    /// [`Refusal::UserNotFound`], or a failure of the service; see [`Error`].
    pub async fn user(&self, call: &Call, name: UserName) -> Result<User, Error> {
        let found = self.directory.find(name.clone(), call.caller.proof.entry.as_deref()).await?;
        found.ok_or_else(|| Refusal::UserNotFound(name).into())
    }

    /// Reads a page of users in order of name, id and source. An administrator sees the users learned from every entry, other callers
    /// those of their own.
    ///
    /// # Errors
    /// A failure of the service; see [`Error`].
    pub async fn list_users(&self, call: &Call, query: &UserQuery, page: &UserPage) -> Result<Listing<User>, Error> {
        let learned = if self.is_administrator(call) {
            LearnedUsers::All
        } else {
            call.caller.proof.entry.clone().map_or(LearnedUsers::None, LearnedUsers::Of)
        };
        let permit = self.lists.acquire().await.map_err(|_| Error::Stopping)?;
        let found = self.store.find_users(query, &learned, page).await?;
        drop(permit);
        call.memory.hold(found.members.iter().map(size).sum::<usize>())?;
        Ok(found)
    }

    /// Adds or replaces users: all or none. The change applies to the calls of this process at once, to those of others within a minute.
    ///
    /// # Errors
    /// [`Refusal::NotAdministrator`], the refusal of the first user that cannot be imported, or a failure of the service; see [`Error`].
    pub async fn import_users(&self, call: &Call, users: Vec<User>) -> Result<(), Error> {
        if !self.is_administrator(call) {
            return Err(Refusal::NotAdministrator.into());
        }
        let outcome = self.store.change_users(&Import(users)).await;
        // Also after a failure, whose outcome may be unknown.
        self.directory.forget();
        Ok(outcome??)
    }
}

struct Import(Vec<User>);

impl ChangeUsers for Import {
    fn keys(&self) -> Vec<UserKeys> {
        self.0.iter().map(UserKeys::of_user).collect()
    }

    fn decide(&self, stored: &[KnownUser]) -> Result<UserChanges, Refusal> {
        import_users(self.0.clone(), stored)
    }
}

fn size(user: &User) -> usize {
    let groups: usize = user.groups.iter().flatten().map(|group| GROUP_BYTES + group.as_str().len()).sum();
    let upn = user.upn.as_ref().map_or(0, |upn| upn.as_str().len());
    USER_BYTES + user.name.as_str().len() + upn + groups
}
