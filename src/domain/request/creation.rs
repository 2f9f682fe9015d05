//! Creation of a request from a draft, under the templates in force.

use std::sync::Arc;

use crate::domain::{
    Caller, Catalog, Credentials, Draft, Origin, Refusal, Request, RequestId, Sid, Timestamp, UserId, create,
};

/// A draft with the templates in force. The credential it names is looked up when the creation is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The choices of the creator.
    pub draft: Draft,
    /// The user whom the draft names as its target, or why the directory refuses the target. The refusal applies when the creation is
    /// decided: an earlier call under the same idempotency key may have succeeded.
    pub target: Result<Option<UserId>, Refusal>,
    /// The templates in force.
    pub catalog: Arc<Catalog>,
    /// Account of the service, the owner of every descriptor.
    pub service: Sid,
}

impl Creation {
    /// Builds the request. Its template is the one named in the draft, else that of the profile or card it concerns.
    ///
    /// # Errors
    /// The [`Refusal`] for the caller; see [`create`] for those of the draft.
    pub fn request(
        &self,
        id: RequestId,
        caller: &Caller,
        now: Timestamp,
        known: &Credentials,
    ) -> Result<Request, Refusal> {
        let target = self.target.clone()?;
        let credential = known.of(self.draft.old);
        let named = self.draft.template.or(credential.map(|credential| credential.template.id));
        let named = named.ok_or_else(|| self.without_template())?;
        let (template, template_version) = self.catalog.get(named).ok_or(Refusal::TemplateNotFound(named))?;
        let service = &self.service;
        create(&self.draft, Origin { id, caller, now, template, template_version, credential, target, service })
    }

    /// Explains a missing template: the named card or profile is unknown, or the draft names neither.
    fn without_template(&self) -> Refusal {
        let old = self.draft.old;
        old.smartcard
            .map(Refusal::SmartcardNotFound)
            .or_else(|| old.profile.map(Refusal::ProfileNotFound))
            .unwrap_or_else(|| Refusal::invalid("profile_template", "must be given, or a known profile or smart card"))
    }
}
