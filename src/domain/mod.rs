//! What a request is and what may happen to it: types and pure functions.
//!
//! Nothing here reads a clock, a socket or a file; time and ids come in as arguments, and `tests/architecture` holds that.

mod caller;
mod card;
mod catalog;
mod command;
mod creation;
mod credential;
mod decide;
mod definition;
mod descriptor;
mod draft;
mod effect;
mod event;
mod field;
#[cfg(test)]
mod fixtures;
mod ids;
mod kind;
mod permission;
mod policy;
mod query;
mod refusal;
mod repetition;
mod request;
mod shard;
mod standing;
mod state;
mod subject;
mod template;
mod time;

pub use caller::{Actor, Caller, Principal};
pub use card::{Atr, Card, CardId};
pub use catalog::Catalog;
pub use command::{Action, Command, IdempotencyKey, Idempotent};
pub use creation::Creation;
pub use credential::Credential;
pub use decide::decide;
pub use definition::{DataItemDefinition, DataItemType, Pattern, Provider};
pub use descriptor::Sid;
pub use draft::{Draft, Origin, create, offered};
pub use effect::{MAX_CHANGED_SUBJECTS, Touched, import, touched, touched_by_import};
pub use event::{Event, EventType};
pub use field::{Comment, DataItem, Priority, merge_items};
pub use ids::{CorrelationId, ProfileId, RequestId, SmartcardId, TemplateId, UserId};
pub use kind::{AgentRule, CredentialEffect, RequestType};
pub use policy::{Distribution, OneTimePasswords, Policy, TemporaryCards};
pub use query::{Cursor, Listing, PAGE_BYTES_MAX, PAGE_SIZE_MAX, Page, Query, SubjectPage, SubjectQuery};
pub use refusal::{ErrorKind, FieldViolation, Refusal};
pub use request::{Approval, ETag, Execution, Request, TemplateRef, Version};
pub use shard::{Position, Shard, ShardCount};
pub use standing::Standing;
pub use state::{CancelReason, Conclusion, FailReason, State, Status};
pub use subject::{Item, Lineage, Subject, Subjects};
pub use template::{Medium, ProfileTemplate, SmartcardConfiguration};
pub use time::Timestamp;
