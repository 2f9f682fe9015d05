//! The use cases. Every transport calls these, and only these; each takes the call with its proven caller.

mod catalog;
mod error;
mod reader;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::{
    Action, Caller, Command, CorrelationId, Draft, IdempotencyKey, Idempotent, Origin, Page, ProfileTemplate, Query,
    Refusal, Request, RequestId, Sid, Subject, TemplateId, Timestamp, Version, create,
};
use crate::store::Store;

pub use catalog::Catalog;
pub use error::Error;
use reader::Reader;
pub use writer::{Writer, WriterSettings};

/// What surrounds every call, whatever its transport.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Names the call in logs and errors.
    pub correlation: CorrelationId,
    /// W3C trace context that the caller sent.
    pub traceparent: Option<String>,
}

/// The use cases over one store.
#[derive(Clone)]
pub struct Service {
    store: Arc<dyn Store>,
    reader: Reader,
    writer: Writer,
    catalog: Arc<Catalog>,
    clock: Clock,
    account: Sid,
}

impl Service {
    /// The use cases over a store, within a runtime of tokio. `account` is the security identifier of the service, the owner of every descriptor.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, writer: Writer, catalog: Arc<Catalog>, clock: Clock, account: Sid) -> Self {
        let reader = Reader::start(&store);
        Self { store, reader, writer, catalog, clock, account }
    }

    /// Creates a request.
    ///
    /// # Errors
    /// A refusal of the draft or of the key, or what [`Error`] says of the service.
    pub async fn create(&self, call: &Call, draft: Draft, key: Option<IdempotencyKey>) -> Result<Arc<Request>, Error> {
        let fingerprint = |key| Idempotent { key, fingerprint: fingerprint(&("create", &draft)) };
        let idempotent = key.map(fingerprint);
        let now = self.clock.now();
        let id = RequestId::new(uuid_v7(now));
        let request = self.request(call, &draft, id, now).await?;
        let command = Command {
            request: id,
            action: Action::Create(Arc::new(request)),
            caller: call.caller.clone(),
            now,
            expected: None,
            idempotent,
            traceparent: call.traceparent.clone(),
        };
        self.writer.submit(command, call.deadline).await
    }

    /// Takes a step with a request: anything but its creation.
    ///
    /// # Errors
    /// The refusal of the life cycle, or what [`Error`] says of the service.
    pub async fn act(
        &self,
        call: &Call,
        id: RequestId,
        action: Action,
        expected: Option<Version>,
        key: Option<IdempotencyKey>,
    ) -> Result<Arc<Request>, Error> {
        let idempotent = key.map(|key| Idempotent { key, fingerprint: fingerprint(&(id, &action, expected)) });
        let command = Command {
            request: id,
            action,
            caller: call.caller.clone(),
            now: self.clock.now(),
            expected,
            idempotent,
            traceparent: call.traceparent.clone(),
        };
        self.writer.submit(command, call.deadline).await
    }

    /// Reads a request. Everybody may read every request, as in the documented descriptors (`A;;RC;;;WD`).
    ///
    /// # Errors
    /// [`Refusal::RequestNotFound`], or what [`Error`] says of the service.
    pub async fn get(&self, _call: &Call, id: RequestId) -> Result<Arc<Request>, Error> {
        self.reader.get(id).await?.ok_or_else(|| Refusal::RequestNotFound(id).into())
    }

    /// Reads a page of a list, in order of submit time, then id.
    ///
    /// # Errors
    /// What [`Error`] says of the service.
    pub async fn list(&self, _call: &Call, query: &Query, page: Page) -> Result<Vec<Request>, Error> {
        Ok(self.store.find(query, page).await?)
    }

    /// The templates for which the caller may enroll, by name, then id.
    #[must_use]
    pub fn templates(&self, call: &Call) -> Vec<&ProfileTemplate> {
        let offered = |template: &&ProfileTemplate| template.offers_enrollment_to(&call.caller);
        let mut offered: Vec<&ProfileTemplate> = self.catalog.all().filter(offered).collect();
        offered.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        offered
    }

    /// A template for which the caller may enroll.
    ///
    /// # Errors
    /// [`Refusal::TemplateNotFound`], or [`Refusal::TemplateNotOffered`] if the caller may not enroll for it.
    pub fn template(&self, call: &Call, id: TemplateId) -> Result<&ProfileTemplate, Error> {
        let (template, _) = self.catalog.get(id).ok_or(Refusal::TemplateNotFound(id))?;
        if template.offers_enrollment_to(&call.caller) {
            Ok(template)
        } else {
            Err(Refusal::TemplateNotOffered { template: template.name.clone() }.into())
        }
    }

    async fn request(&self, call: &Call, draft: &Draft, id: RequestId, now: Timestamp) -> Result<Request, Error> {
        let subject = self.known_subject(draft).await?;
        let template = draft.template.or(subject.as_ref().map(|subject| subject.template));
        let Some(template) = template else {
            return Err(Refusal::invalid("profile_template", "must be given, or a known profile or smart card").into());
        };
        let (template, template_version) = self.catalog.get(template).ok_or(Refusal::TemplateNotFound(template))?;
        let origin = Origin {
            id,
            caller: &call.caller,
            now,
            template,
            template_version,
            subject: subject.as_ref(),
            service: &self.account,
        };
        Ok(create(draft, origin)?)
    }

    /// What is known of the profile or card that a draft names. Without a template the draft needs it.
    async fn known_subject(&self, draft: &Draft) -> Result<Option<Subject>, Error> {
        let smartcard = draft.old.smartcard.map(|id| (id.uuid(), Refusal::SmartcardNotFound(id)));
        let profile = draft.old.profile.map(|id| (id.uuid(), Refusal::ProfileNotFound(id)));
        let Some((id, unknown)) = smartcard.or(profile) else { return Ok(None) };
        let subject = self.store.subject(id).await?;
        if subject.is_none() && draft.template.is_none() {
            return Err(unknown.into());
        }
        Ok(subject)
    }
}

/// A new id, ordered by the time of the clock rather than of the machine.
fn uuid_v7(now: Timestamp) -> Uuid {
    let micros = now.micros().max(0).unsigned_abs();
    #[expect(clippy::cast_possible_truncation, reason = "less than a billion")]
    let nanos = (micros % 1_000_000 * 1_000) as u32;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos))
}

/// SHA-256 of what was asked, in a form that does not depend on the transport.
fn fingerprint(asked: &impl serde::Serialize) -> [u8; 32] {
    // Serialising to memory fails only for maps with odd keys, which no command has; a constant would then be compared.
    let bytes = serde_json::to_vec(asked).unwrap_or_default();
    Sha256::digest(bytes).into()
}
