//! Queries and pages of lists.

use uuid::Uuid;

use super::{CredentialStatus, RequestId, RequestType, Status, TemplateId, Timestamp, UserId};

/// Maximum number of requests per page.
pub const PAGE_SIZE_MAX: u32 = 1_000;

/// Maximum stored bytes per page: a response must stay below 4 MiB, the default limit of gRPC clients.
pub const PAGE_BYTES_MAX: usize = 1_500_000;

/// Filters of a list of requests. A request must match all of them; an empty filter matches every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Any of these statuses.
    pub statuses: Vec<Status>,
    /// Any of these types.
    pub kinds: Vec<RequestType>,
    /// Any of these targets.
    pub targets: Vec<UserId>,
    /// Any of these originators.
    pub originators: Vec<UserId>,
    /// Any of these templates.
    pub templates: Vec<TemplateId>,
    /// Submitted at or after this time.
    pub submitted_from: Option<Timestamp>,
    /// Submitted before this time.
    pub submitted_before: Option<Timestamp>,
}

/// A page of a list ordered by submit time, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Start after this place.
    pub after: Option<Cursor>,
    /// Maximum number of members.
    pub limit: u32,
    /// Maximum stored bytes; the first member always fits.
    pub max_bytes: usize,
}

/// A place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Submit time of the request at this place.
    pub submitted_at: Timestamp,
    /// Its id.
    pub id: RequestId,
}

/// Filters of a list of profiles and smart cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialQuery {
    /// The owner.
    pub owner: UserId,
    /// Any of these statuses; empty matches all.
    pub statuses: Vec<CredentialStatus>,
}

/// A page of a list of profiles and smart cards ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialPage {
    /// Start after this id.
    pub after: Option<Uuid>,
    /// Maximum number of members.
    pub limit: u32,
    /// Maximum stored bytes; the first member always fits.
    pub max_bytes: usize,
}

/// The members of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// Members in list order.
    pub members: Vec<T>,
    /// Whether more members follow.
    pub has_more: bool,
}
