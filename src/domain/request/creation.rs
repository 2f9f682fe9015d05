//! The creation of a request: what its creator decided, judged by what is in force and what is known at that moment.

use std::sync::Arc;

use crate::domain::{Caller, Catalog, Draft, Origin, Refusal, Request, RequestId, Sid, Subjects, Timestamp, create};

/// A draft with what is in force where it arrived. What is known of its subject is looked up when it is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// What the creator decided.
    pub draft: Draft,
    /// The templates in force.
    pub catalog: Arc<Catalog>,
    /// Account of the service, the owner of every descriptor.
    pub service: Sid,
}

impl Creation {
    /// Makes the request. Its template is the one that the draft names, else that of the profile or card that it is about.
    ///
    /// # Errors
    /// The [`Refusal`] that the caller gets; see [`create`] for those of the draft.
    pub fn request(
        &self,
        id: RequestId,
        caller: &Caller,
        now: Timestamp,
        known: &Subjects,
    ) -> Result<Request, Refusal> {
        let subject = known.of(self.draft.old);
        let named = self.draft.template.or(subject.map(|subject| subject.template.id));
        let named = named.ok_or_else(|| self.without_template())?;
        let (template, template_version) = self.catalog.get(named).ok_or(Refusal::TemplateNotFound(named))?;
        let service = &self.service;
        create(&self.draft, Origin { id, caller, now, template, template_version, subject, service })
    }

    /// Why there is no template: what could have told it is not known, or nothing could.
    fn without_template(&self) -> Refusal {
        let old = self.draft.old;
        old.smartcard
            .map(Refusal::SmartcardNotFound)
            .or_else(|| old.profile.map(Refusal::ProfileNotFound))
            .unwrap_or_else(|| Refusal::invalid("profile_template", "must be given, or a known profile or smart card"))
    }
}
