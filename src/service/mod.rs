//! The use cases. Transports call nothing else; every use case receives the call with its authenticated caller.

mod batch;
mod budget;
mod catalog;
mod concurrency;
mod credentials;
mod directory;
mod error;
mod error_table;
mod facts;
mod fingerprint;
mod limits;
mod pending;
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
    RequestId, SerialNumber, Sid, SmartcardId, TemplateId, Timestamp, Trace, Version,
};
use crate::runtime::clock::Clock;
use crate::store::Store;

pub use batch::{Applied, Reply, commit, import_credentials};
pub use budget::{Budget, OverBudget, Reservation};
pub use catalog::{CurrentCatalog, load_catalog};
pub use directory::{Directory, NotAdmitted};
pub use error::Error;
pub use error_table::{Row, Severity, log_failure, row, severity_of_code, severity_of_status};
pub use facts::CallFacts;
pub use limits::{CallerLimit, CallerLimitSettings, CallerLimits, Exceeded, InFlight, Rate};
use reader::Reader;
pub use violations::Violations;
pub use writer::{Writer, WriterSettings, Written};

/// Maximum concurrent list queries. Each can hold a page in memory several times, as received and as decoded.
const LISTS_AT_ONCE: usize = 6;

/// The context of a call, independent of its transport.
#[derive(Clone, Debug)]
pub struct Call {
    /// The authenticated caller, whose permissions every use case checks.
    pub caller: Arc<Caller>,
    /// Deadline of the caller.
    pub deadline: Option<Instant>,
    /// Identifies the call in logs and errors.
    pub correlation: CorrelationId,
    /// Ids that the caller sent.
    pub trace: Trace,
    /// What the log says about the call.
    pub facts: Arc<CallFacts>,
    /// Memory that is reserved for the call.
    pub memory: Reservation,
}

/// The use cases over one store.
#[derive(Clone)]
pub struct Service {
    store: Arc<dyn Store>,
    reader: Reader,
    writer: Writer,
    directory: Directory,
    catalog: CurrentCatalog,
    clock: Clock,
    authority: Authority,
    /// Limits concurrent list queries.
    lists: Arc<Semaphore>,
}

/// The account of the service and its administrators.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Security identifier of the service; it owns every descriptor.
    pub account: Sid,
    /// Callers that may import profiles, cards and users. If empty, nobody may.
    pub administrators: Vec<Principal>,
}

impl Service {
    /// Creates the use cases over a store. Must be called within a Tokio runtime.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        writer: Writer,
        catalog: Arc<Catalog>,
        clock: Clock,
        authority: Authority,
    ) -> Self {
        let reader = Reader::start(&store);
        let directory = Directory::start(&store);
        let lists = Arc::new(Semaphore::new(LISTS_AT_ONCE));
        let catalog = CurrentCatalog::new(catalog);
        Self { store, reader, writer, directory, catalog, clock, authority, lists }
    }

    /// The directory of users, which admits callers.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The catalog in force, which can be replaced.
    #[must_use]
    pub const fn catalog(&self) -> &CurrentCatalog {
        &self.catalog
    }

    fn is_administrator(&self, call: &Call) -> bool {
        self.authority.administrators.iter().any(|principal| call.caller.is(principal))
    }

    /// Creates a request.
    ///
    /// # Errors
    /// A refusal of the draft or of the key, or a failure of the service; see [`Error`].
    pub async fn create(&self, call: &Call, draft: Draft, key: Option<IdempotencyKey>) -> Result<Arc<Request>, Error> {
        let idempotent = key.map(|key| Idempotent { key, fingerprint: fingerprint::of_creation(&draft) });
        let target = self.target(&call.caller, &draft).await?;
        let now = self.clock.now();
        let id = RequestId::new(uuid_v7(now));
        let (catalog, service) = (self.catalog.get(), self.authority.account.clone());
        let command = Command {
            request: id,
            action: Action::Create(Box::new(Creation { draft, target, catalog, service })),
            caller: Arc::clone(&call.caller),
            now,
            expected: None,
            idempotent,
            trace: call.trace.clone(),
        };
        Ok(self.write(call, command).await?.request)
    }

    async fn write(&self, call: &Call, command: Command) -> Result<Written, Error> {
        if command.idempotent.is_some() {
            call.facts.note_key();
        }
        let written = self.writer.submit(command, call.deadline, call.memory.clone()).await?;
        call.facts.note_request(written.request.id);
        // The answer holds a copy of the request.
        call.memory.hold_anyway(size::of_request(&written.request));
        Ok(written)
    }

    /// The action that binds a smart card to a request, with a new id in case the card is not known yet.
    #[must_use]
    pub fn binding(&self, serial_number: SerialNumber, atr: Atr, comment: Comment) -> Action {
        let id = SmartcardId::new(uuid_v7(self.clock.now()));
        Action::BindSmartcard { card: PhysicalCard { serial_number, atr }, id, comment }
    }

    /// Applies an action other than a creation to a request.
    ///
    /// # Errors
    /// The refusal of the life cycle, or a failure of the service; see [`Error`].
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

    /// Changes the status of a smart card of a request and returns the card after the change; a retry under the same key returns
    /// the same card.
    ///
    /// # Errors
    /// The refusal of the life cycle, or a failure of the service; see [`Error`].
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
        call.facts.note_request(id);
        let idempotent = key.map(|key| Idempotent { key, fingerprint: fingerprint::of_step(id, &action, expected) });
        let command = Command {
            request: id,
            action,
            caller: Arc::clone(&call.caller),
            now: self.clock.now(),
            expected,
            idempotent,
            trace: call.trace.clone(),
        };
        self.write(call, command).await
    }

    /// Reads a request. Every caller may read every request, as in the documented descriptors (`A;;RC;;;WD`).
    ///
    /// # Errors
    /// [`Refusal::RequestNotFound`], or a failure of the service; see [`Error`].
    pub async fn get(&self, call: &Call, id: RequestId) -> Result<Arc<Request>, Error> {
        call.facts.note_request(id);
        let request = self.reader.get(id).await?.ok_or(Refusal::RequestNotFound(id))?;
        call.memory.hold(size::of_request(&request))?;
        Ok(request)
    }

    /// Reads a page of requests in order of submit time, then id. Reserves memory for one copy of the page; the transport
    /// reserves what further copies need.
    ///
    /// # Errors
    /// A failure of the service; see [`Error`].
    pub async fn list(&self, call: &Call, query: &Query, page: Page) -> Result<Listing<Request>, Error> {
        let permit = self.lists.acquire().await.map_err(|_| Error::Stopping)?;
        let found = self.store.find(query, page).await?;
        drop(permit);
        call.memory.hold(found.members.iter().map(size::of_request).sum::<usize>())?;
        Ok(found)
    }

    /// The templates for which the caller may enroll, ordered by name, then id.
    #[must_use]
    pub fn templates(&self, call: &Call) -> Vec<ProfileTemplate> {
        let offered = |template: &&ProfileTemplate| template.offers_enrollment_to(&call.caller);
        let mut offered: Vec<ProfileTemplate> = self.catalog.get().all().filter(offered).cloned().collect();
        offered.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        offered
    }

    /// A template for which the caller may enroll.
    ///
    /// # Errors
    /// [`Refusal::TemplateNotFound`], or [`Refusal::TemplateNotOffered`] if the caller may not enroll for it.
    pub fn template(&self, call: &Call, id: TemplateId) -> Result<ProfileTemplate, Error> {
        let catalog = self.catalog.get();
        let (template, _) = catalog.get(id).ok_or(Refusal::TemplateNotFound(id))?;
        if template.offers_enrollment_to(&call.caller) {
            Ok(template.clone())
        } else {
            Err(Refusal::TemplateNotOffered { template: template.name.clone() }.into())
        }
    }
}

/// A new UUIDv7 with the time of the service's clock, which a test can set.
fn uuid_v7(now: Timestamp) -> Uuid {
    let micros = now.micros().max(0).unsigned_abs();
    #[expect(clippy::cast_possible_truncation, reason = "less than a billion")]
    let nanos = (micros % 1_000_000 * 1_000) as u32;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos))
}
