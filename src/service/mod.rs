//! The use cases. Every transport calls these, and only these; each takes the call with its proven caller.

mod batch;
mod budget;
mod catalog;
mod concurrency;
mod credentials;
mod error;
mod error_table;
mod fingerprint;
mod reader;
mod size;
mod violations;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::domain::{
    Action, Atr, Caller, Catalog, Command, Comment, CorrelationId, Creation, Credential, CredentialStatus, Draft,
    IdempotencyKey, Idempotent, Listing, Page, PhysicalCard, Principal, ProfileTemplate, Query, Refusal, Request,
    RequestId, SerialNumber, Sid, SmartcardId, TemplateId, Timestamp, Version,
};
use crate::runtime::clock::Clock;
use crate::store::Store;

pub use batch::{Applied, Reply, commit, import_credentials};
pub use budget::{Budget, OverBudget, Reservation};
pub use catalog::load_catalog;
pub use error::Error;
pub use error_table::{Row, Severity, log_failure, row, severity_of_code, severity_of_status};
use reader::Reader;
pub use violations::Violations;
pub use writer::{Writer, WriterSettings, Written};

/// Most lists that are read at a time. Each can have a page in memory several times over, as it is received and as it is read.
const LISTS_AT_ONCE: usize = 6;

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
    /// What the call holds in memory.
    pub memory: Reservation,
}

/// The use cases over one store.
#[derive(Clone)]
pub struct Service {
    store: Arc<dyn Store>,
    reader: Reader,
    writer: Writer,
    catalog: Arc<Catalog>,
    clock: Clock,
    authority: Authority,
    /// Lists that are read at a time.
    lists: Arc<Semaphore>,
}

/// On whose authority the service acts.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Security identifier of the service, the owner of every descriptor.
    pub account: Sid,
    /// Who may import profiles and cards; nobody, if there are none.
    pub administrators: Vec<Principal>,
}

impl Service {
    /// The use cases over a store, within a runtime of tokio.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        writer: Writer,
        catalog: Arc<Catalog>,
        clock: Clock,
        authority: Authority,
    ) -> Self {
        let reader = Reader::start(&store);
        let lists = Arc::new(Semaphore::new(LISTS_AT_ONCE));
        Self { store, reader, writer, catalog, clock, authority, lists }
    }

    /// Creates a request.
    ///
    /// # Errors
    /// A refusal of the draft or of the key, or what [`Error`] says of the service.
    pub async fn create(&self, call: &Call, draft: Draft, key: Option<IdempotencyKey>) -> Result<Arc<Request>, Error> {
        let idempotent = key.map(|key| Idempotent { key, fingerprint: fingerprint::of_creation(&draft) });
        let now = self.clock.now();
        let id = RequestId::new(uuid_v7(now));
        let (catalog, service) = (Arc::clone(&self.catalog), self.authority.account.clone());
        let command = Command {
            request: id,
            action: Action::Create(Box::new(Creation { draft, catalog, service })),
            caller: call.caller.clone(),
            now,
            expected: None,
            idempotent,
            traceparent: call.traceparent.clone(),
        };
        Ok(self.write(call, command).await?.request)
    }

    async fn write(&self, call: &Call, command: Command) -> Result<Written, Error> {
        let written = self.writer.submit(command, call.deadline, call.memory.clone()).await?;
        // The answer has a copy.
        call.memory.hold_anyway(size::of_request(&written.request));
        Ok(written)
    }

    /// A step that binds a smart card to a request, with an id for a card that is new here.
    #[must_use]
    pub fn binding(&self, serial_number: SerialNumber, atr: Atr, comment: Comment) -> Action {
        let id = SmartcardId::new(uuid_v7(self.clock.now()));
        Action::BindSmartcard { card: PhysicalCard { serial_number, atr }, id, comment }
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
        Ok(self.step(call, id, action, expected, key).await?.request)
    }

    /// Changes the status of a smart card of a request, and gives the card as it is then; a retry under the same key hears the same.
    ///
    /// # Errors
    /// The refusal of the life cycle, or what [`Error`] says of the service.
    pub async fn change_smartcard(
        &self,
        call: &Call,
        (id, smartcard): (RequestId, SmartcardId),
        status: CredentialStatus,
        expected: Option<Version>,
        key: Option<IdempotencyKey>,
    ) -> Result<Credential, Error> {
        let action = Action::ChangeSmartcard { smartcard, status, comment: Comment::default() };
        let written = self.step(call, id, action, expected, key).await?;
        written.smartcard.ok_or_else(|| Refusal::CredentialNotFound(smartcard.uuid()).into())
    }

    async fn step(
        &self,
        call: &Call,
        id: RequestId,
        action: Action,
        expected: Option<Version>,
        key: Option<IdempotencyKey>,
    ) -> Result<Written, Error> {
        let idempotent = key.map(|key| Idempotent { key, fingerprint: fingerprint::of_step(id, &action, expected) });
        let command = Command {
            request: id,
            action,
            caller: call.caller.clone(),
            now: self.clock.now(),
            expected,
            idempotent,
            traceparent: call.traceparent.clone(),
        };
        self.write(call, command).await
    }

    /// Reads a request. Everybody may read every request, as in the documented descriptors (`A;;RC;;;WD`).
    ///
    /// # Errors
    /// [`Refusal::RequestNotFound`], or what [`Error`] says of the service.
    pub async fn get(&self, call: &Call, id: RequestId) -> Result<Arc<Request>, Error> {
        let request = self.reader.get(id).await?.ok_or(Refusal::RequestNotFound(id))?;
        call.memory.hold(size::of_request(&request))?;
        Ok(request)
    }

    /// Reads a page of a list, in order of submit time, then id. The call holds the page once; copies are for the transport to hold.
    ///
    /// # Errors
    /// What [`Error`] says of the service.
    pub async fn list(&self, call: &Call, query: &Query, page: Page) -> Result<Listing<Request>, Error> {
        let permit = self.lists.acquire().await.map_err(|_| Error::Stopping)?;
        let found = self.store.find(query, page).await?;
        drop(permit);
        call.memory.hold(found.members.iter().map(size::of_request).sum::<usize>())?;
        Ok(found)
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
}

/// A new id, ordered by the time of the clock rather than of the machine.
fn uuid_v7(now: Timestamp) -> Uuid {
    let micros = now.micros().max(0).unsigned_abs();
    #[expect(clippy::cast_possible_truncation, reason = "less than a billion")]
    let nanos = (micros % 1_000_000 * 1_000) as u32;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos))
}
