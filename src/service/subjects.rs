//! Use cases about profiles and smart cards: reading them, saying what may be asked for, and importing them.

use uuid::Uuid;

use super::{Call, Error, Service, import_subjects};
use crate::domain::{
    CardId, Credential, Listing, ProfileId, Refusal, RequestType, SmartcardId, Subject, SubjectPage, SubjectQuery,
    offered,
};

/// What a profile or card takes in memory beside its comment.
const SUBJECT_BYTES: usize = 512;

impl Service {
    /// Reads a smart card. Everybody may read every profile and card, as every request that names them.
    ///
    /// # Errors
    /// [`Refusal::SubjectNotFound`], or what [`Error`] says of the service.
    pub async fn smartcard(&self, call: &Call, id: SmartcardId) -> Result<Subject, Error> {
        let found = self.subjects_of(call, Credential { profile: None, smartcard: Some(id) }).await?;
        let card = found.into_iter().find(Subject::is_smartcard);
        card.ok_or_else(|| Refusal::SubjectNotFound(id.uuid()).into())
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// [`Refusal::SubjectNotFound`], or what [`Error`] says of the service.
    pub async fn profile(&self, call: &Call, id: ProfileId) -> Result<Subject, Error> {
        let found = self.subjects_of(call, Credential { profile: Some(id), smartcard: None }).await?;
        let profile = found.into_iter().find(|subject| !subject.is_smartcard());
        profile.ok_or_else(|| Refusal::SubjectNotFound(id.uuid()).into())
    }

    /// Reads the smart card with this id on it: the one in use, else the one that was retired last.
    ///
    /// # Errors
    /// What [`Error`] says of the service.
    pub async fn card(&self, _call: &Call, card_id: &CardId) -> Result<Option<Subject>, Error> {
        Ok(self.store.card(card_id).await?)
    }

    /// Reads what is known of a profile and a smart card.
    ///
    /// # Errors
    /// What [`Error`] says of the service.
    pub async fn subjects_of(&self, _call: &Call, credential: Credential) -> Result<Vec<Subject>, Error> {
        let ids: Vec<Uuid> = credential.ids().collect();
        if ids.is_empty() { Ok(Vec::new()) } else { Ok(self.store.subjects(&ids).await?) }
    }

    /// Reads a page of the profiles and smart cards of a user, in order of their ids.
    ///
    /// # Errors
    /// What [`Error`] says of the service.
    pub async fn list_subjects(
        &self,
        call: &Call,
        query: &SubjectQuery,
        page: SubjectPage,
    ) -> Result<Listing<Subject>, Error> {
        let permit = self.lists.acquire().await.map_err(|_| Error::Stopping)?;
        let found = self.store.find_subjects(query, page).await?;
        drop(permit);
        let comments = found.members.iter().map(|subject| SUBJECT_BYTES + subject.comment.as_str().len());
        call.memory.hold(comments.sum::<usize>())?;
        Ok(found)
    }

    /// What the caller may ask for about a profile or card; nothing if its template is not in force any more.
    #[must_use]
    pub fn operations(&self, call: &Call, subject: &Subject) -> Vec<RequestType> {
        let template = self.catalog.get(subject.template.id);
        template.map(|(template, _)| offered(&call.caller, subject, template)).unwrap_or_default()
    }

    /// Adds profiles and smart cards that were issued elsewhere, or replaces what is known of them: all or none.
    ///
    /// # Errors
    /// [`Refusal::NotAdministrator`], the refusal of the first that cannot be taken, or what [`Error`] says of the service.
    pub async fn import(&self, call: &Call, subjects: &[Subject]) -> Result<(), Error> {
        if !self.authority.administrators.iter().any(|principal| call.caller.is(principal)) {
            return Err(Refusal::NotAdministrator.into());
        }
        Ok(import_subjects(&*self.store, subjects, self.clock.now()).await??)
    }
}
