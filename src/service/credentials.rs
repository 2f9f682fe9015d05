//! Use cases of profiles and smart cards: reading, available operations and imports.

use uuid::Uuid;

use super::{Call, Error, Service, import_credentials};
use crate::domain::{
    Credential, CredentialIds, CredentialPage, CredentialQuery, Listing, ProfileId, Refusal, RequestType, SerialNumber,
    SmartcardId, offered,
};

/// Memory of a profile or card besides its comment, in bytes.
const CREDENTIAL_BYTES: usize = 512;

impl Service {
    /// Reads a smart card. Every caller may read every profile and card, as with requests.
    ///
    /// # Errors
    /// [`Refusal::CredentialNotFound`], or a failure of the service; see [`Error`].
    pub async fn smartcard(&self, id: SmartcardId) -> Result<Credential, Error> {
        let found = self.credentials_of(CredentialIds { profile: None, smartcard: Some(id) }).await?;
        let card = found.into_iter().find(Credential::is_smartcard);
        card.ok_or_else(|| Refusal::CredentialNotFound(id.uuid()).into())
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// [`Refusal::CredentialNotFound`], or a failure of the service; see [`Error`].
    pub async fn profile(&self, id: ProfileId) -> Result<Credential, Error> {
        let found = self.credentials_of(CredentialIds { profile: Some(id), smartcard: None }).await?;
        let profile = found.into_iter().find(|credential| !credential.is_smartcard());
        profile.ok_or_else(|| Refusal::CredentialNotFound(id.uuid()).into())
    }

    /// Reads the smart card with this serial number: the one in use, otherwise the one that was retired last.
    ///
    /// # Errors
    /// A failure of the service; see [`Error`].
    pub async fn card(&self, serial_number: &SerialNumber) -> Result<Option<Credential>, Error> {
        Ok(self.store.card(serial_number).await?)
    }

    /// Reads a profile and a smart card by their ids; unknown ones are left out.
    ///
    /// # Errors
    /// A failure of the service; see [`Error`].
    pub async fn credentials_of(&self, credential_ids: CredentialIds) -> Result<Vec<Credential>, Error> {
        let ids: Vec<Uuid> = credential_ids.ids().collect();
        if ids.is_empty() { Ok(Vec::new()) } else { Ok(self.store.credentials(&ids).await?) }
    }

    /// Reads a page of the profiles and smart cards of a user, ordered by id.
    ///
    /// # Errors
    /// A failure of the service; see [`Error`].
    pub async fn list_credentials(
        &self,
        call: &Call,
        query: &CredentialQuery,
        page: CredentialPage,
    ) -> Result<Listing<Credential>, Error> {
        let permit = self.lists.acquire().await.map_err(|_| Error::Stopping)?;
        let found = self.store.find_credentials(query, page).await?;
        drop(permit);
        let comments = found.members.iter().map(|credential| CREDENTIAL_BYTES + credential.comment.as_str().len());
        call.memory.hold(comments.sum::<usize>())?;
        Ok(found)
    }

    /// The request types that the caller may create for a profile or card; none if its template is no longer in force.
    #[must_use]
    pub fn operations(&self, call: &Call, credential: &Credential) -> Vec<RequestType> {
        let catalog = self.catalog.get();
        let template = catalog.get(credential.template.id);
        template.map(|(template, _)| offered(&call.caller, credential, template)).unwrap_or_default()
    }

    /// Adds or replaces profiles and smart cards that were issued elsewhere: all or none.
    ///
    /// # Errors
    /// [`Refusal::NotAdministrator`], the refusal of the first one that cannot be imported, or a failure of the service; see
    /// [`Error`].
    pub async fn import(&self, call: &Call, credentials: &[Credential]) -> Result<(), Error> {
        if !self.is_administrator(call) {
            return Err(Refusal::NotAdministrator.into());
        }
        Ok(import_credentials(&*self.store, credentials, self.clock.now()).await??)
    }
}
