//! The domain: requests, credentials and templates, and the rules of their life cycle.
//!
//! Types and pure functions only. Time and ids are arguments; `tests/architecture` checks that nothing here does I/O.

mod authorize;
mod caller;
mod command;
mod comment;
mod credential;
mod decide;
#[cfg(test)]
mod fixtures;
mod idempotency_key;
mod ids;
mod parse;
mod priority;
mod query;
mod refusal;
mod repetition;
mod request;
mod shard;
mod sid;
mod template;
mod timestamp;
mod trace;
mod user;

pub use caller::{Actor, Caller, Groups, Principal, Proof, ProofMethod};
pub use command::{Action, Command, Idempotent};
pub use comment::Comment;
use comment::text_within;
pub use credential::{
    Atr, Credential, CredentialIds, CredentialStatus, Credentials, Item, Lineage, LockSet, MAX_CHANGED_CREDENTIALS,
    PhysicalCard, SerialNumber, import, import_lock_set, lock_set,
};
pub use decide::decide;
pub use idempotency_key::IdempotencyKey;
pub use ids::{ProfileId, RequestId, SmartcardId, TemplateId, UserId};
pub use priority::Priority;
pub use query::{CredentialPage, CredentialQuery, Cursor, Listing, PAGE_BYTES_MAX, PAGE_SIZE_MAX, Page, Query};
pub use refusal::{ErrorKind, FieldViolation, Refusal};
pub use request::{
    AgentRule, Approval, CancelReason, Conclusion, Creation, CredentialEffect, DataItem, Draft, ETag, Event, EventType,
    Execution, FailReason, Origin, Request, RequestType, State, Status, Version, create, merge_items, offered,
};
pub use shard::{Position, Shard, ShardCount};
pub use sid::Sid;
pub use template::{
    Catalog, DataItemDefinition, DataItemType, Distribution, Medium, OneTimePasswords, Pattern, Policy,
    ProfileTemplate, Provider, SmartcardConfiguration, TemplateRef, TemporaryCards,
};
pub use timestamp::Timestamp;
pub use trace::{CorrelationId, NotACorrelationId, Trace};
pub use user::{
    DisplayName, KnownUser, LearnedUsers, Recognition, USER_GROUPS_MAX, Upn, User, UserChanges, UserCursor, UserKeys,
    UserName, UserPage, UserQuery, UserSource, UserStatus, import_users, learn_user, recognize,
};
