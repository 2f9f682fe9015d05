//! What a list shows, and in which pages.

use uuid::Uuid;

use super::{RequestId, RequestType, Standing, Status, TemplateId, Timestamp, UserId};

/// Most requests on one page.
pub const PAGE_SIZE_MAX: u32 = 1_000;

/// Most bytes on one page, as they are stored: an answer has to stay below the 4 MiB that gRPC clients accept by default.
pub const PAGE_BYTES_MAX: usize = 2_500_000;

/// Which requests a list shows: those that meet every filter; an empty filter is met by all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Any of these statuses.
    pub statuses: Vec<Status>,
    /// Any of these types.
    pub kinds: Vec<RequestType>,
    /// For any of these users.
    pub targets: Vec<UserId>,
    /// Created by any of these users.
    pub originators: Vec<UserId>,
    /// About any of these templates.
    pub templates: Vec<TemplateId>,
    /// Submitted then or later.
    pub submitted_from: Option<Timestamp>,
    /// Submitted earlier than that.
    pub submitted_before: Option<Timestamp>,
}

/// A page of a list in order of submit time, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only what comes after this place.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u32,
    /// At most so many bytes as they are stored; one member always fits.
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

/// Which profiles and smart cards of a user a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectQuery {
    /// Who holds them.
    pub owner: UserId,
    /// Only those that stand in one of these places; all if empty.
    pub standings: Vec<Standing>,
}

/// A page of a list of profiles and smart cards, in order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectPage {
    /// Only what comes after this id.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
    /// At most so many bytes as they are stored; one member always fits.
    pub max_bytes: usize,
}

/// What was read of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// In the order of the list.
    pub members: Vec<T>,
    /// Whether the list goes on after these.
    pub has_more: bool,
}
