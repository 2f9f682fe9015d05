//! Lists: the filters of requests, and the answers with lists, which are read from the store and sent page by page.

use std::future::{Future, ready};
use std::sync::Arc;
use std::{io, vec};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use http::Uri;
use http::header::CONTENT_TYPE;
use uuid::Uuid;

use super::answer::no_content;
use super::codes;
use super::credential_view::{ProfileView, SmartcardView};
use super::error::{HttpError, JSON};
use super::query::Parameters;
use super::view;
use super::write::write_json;
use crate::domain::{
    Credential, CredentialPage, CredentialQuery, CredentialStatus, Cursor, Listing, Page, Query, Refusal, Request,
};
use crate::runtime::telemetry::error_chain;
use crate::service::{Call, Error, Service, Violations};

/// Maximum number of members in memory at a time, per list.
const PAGE: u32 = 200;

/// Maximum bytes of these members as stored; at least one member is read.
const PAGE_BYTES: usize = 512 << 10;

/// Size at which a piece of an answer ends. One data item can exceed it by 100 kB.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// Memory reserved for a list of more than one piece, from before its status line to its end: for its largest page, which is
/// either 200 members of 3 KiB plus 512 KiB of text or one request of 990,000 bytes, and for the pieces in flight.
const LIST_BYTES: usize = 3 << 19;

/// Reads the filters of a list of requests. `None` means that no request can match: the status is `None`.
///
/// # Errors
/// [`Refusal::Invalid`] naming the invalid filters.
pub(super) fn query(uri: &Uri, call: &Call) -> Result<Option<Query>, Refusal> {
    let mut violations = Violations::default();
    let parameters = Parameters::of(uri)?;
    let status = parameters.get("status", &mut violations);
    let mut query = Query::default();
    let mut is_possible = true;
    if !status.is_empty() {
        match codes::read_status(status) {
            Some(Some(status)) => query.statuses.push(status),
            Some(None) => is_possible = false,
            None => violations.add("status", format!("must be one of {}", codes::STATUS_NAMES)),
        }
    }
    if parameters.is_about_caller(&mut violations) {
        query.targets.push(call.caller.user);
    }
    violations.finish(Some(is_possible.then_some(query)))
}

/// A source of a list, read page by page.
pub(super) trait Pages: Send + Sync + 'static {
    /// A member of the list.
    type Member: Send + Sync;

    /// The key that orders the list; pages continue after a key.
    type Key: Send + Sync;

    /// The call that requested the list.
    fn call(&self) -> &Call;

    /// Reads the page after a key.
    fn read(&self, after: Option<&Self::Key>) -> impl Future<Output = Result<Listing<Self::Member>, Error>> + Send;

    /// The key of a member.
    fn key(member: &Self::Member) -> Self::Key;

    /// Whether a member is shown.
    fn shows(&self, _member: &Self::Member) -> bool {
        true
    }

    /// Appends a member to `out`, starting at `part`, until `out` has about [`PIECE_BYTES`]. Returns the part to continue with;
    /// `None` at the end of the member.
    fn write(&self, out: &mut Vec<u8>, member: &Self::Member, part: usize) -> Option<usize>;
}

/// Answers with a list. A list of one piece has a `Content-Length`; a longer one is streamed as the client reads it. An error
/// while streaming aborts the body, so no caller mistakes a truncated list for a complete one.
///
/// # Errors
/// Any [`Error`] of the service before the first byte. [`Error::Overloaded`] occurs only here: once a list has begun, its memory
/// is reserved until its end.
pub(super) async fn answer(pages: impl Pages) -> Result<Response, HttpError> {
    let memory = pages.call().memory.clone();
    let mut list =
        List { pages, members: Vec::new().into_iter(), rest: None, last_key: None, has_more: true, has_begun: false };
    // The first piece is read before anything is sent, so that an error or an empty list gets its own status.
    let first = list.next_piece().await?;
    let body = if list.has_ended() {
        memory.hold_anyway(first.len());
        if first.is_empty() {
            return Ok(no_content());
        }
        first.into()
    } else {
        memory.hold_to_the_end(LIST_BYTES)?;
        Body::from_stream(stream::once(ready(Ok(first.into()))).chain(rest(list)))
    };
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}

/// Progress of reading and writing a list.
struct List<P: Pages> {
    pages: P,
    /// Members that were read but not yet written.
    members: vec::IntoIter<P::Member>,
    /// A partly written member, and the part to continue with.
    rest: Option<(P::Member, usize)>,
    /// Key of the last member read.
    last_key: Option<P::Key>,
    /// Whether the store has further members.
    has_more: bool,
    /// Whether a member has been written.
    has_begun: bool,
}

impl<P: Pages> List<P> {
    /// Returns the next piece; the last one is empty only if the list is empty.
    async fn next_piece(&mut self) -> Result<Vec<u8>, Error> {
        let mut piece = Vec::new();
        loop {
            self.write_members(&mut piece);
            if self.has_ended() {
                if self.has_begun {
                    piece.push(b']');
                }
                return Ok(piece);
            }
            if !piece.is_empty() {
                return Ok(piece);
            }
            self.pages.call().memory.return_free_memory();
            let Listing { members, has_more } = self.pages.read(self.last_key.as_ref()).await?;
            self.last_key = members.last().map(P::key);
            self.members = members.into_iter();
            self.has_more = has_more && self.last_key.is_some();
        }
    }

    /// Writes members that were read until the piece is full.
    fn write_members(&mut self, piece: &mut Vec<u8>) {
        while piece.len() < PIECE_BYTES {
            let (member, part) = match self.rest.take() {
                Some(rest) => rest,
                None => match self.members.find(|member| self.pages.shows(member)) {
                    Some(member) => {
                        piece.push(if self.has_begun { b',' } else { b'[' });
                        self.has_begun = true;
                        (member, 0)
                    }
                    None => return,
                },
            };
            self.rest = self.pages.write(piece, &member, part).map(|part| (member, part));
        }
    }

    fn has_ended(&self) -> bool {
        self.rest.is_none() && self.members.len() == 0 && !self.has_more
    }
}

fn rest<P: Pages>(list: List<P>) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::try_unfold(list, |mut list| async move {
        if list.has_ended() {
            return Ok(None);
        }
        match list.next_piece().await {
            Ok(piece) => Ok(Some((Bytes::from(piece), list))),
            Err(error) => Err(aborted(list.pages.call(), &error)),
        }
    })
}

fn aborted(call: &Call, error: &Error) -> io::Error {
    tracing::error!(id = %call.correlation, error = %error_chain(error), "list aborted");
    io::Error::other("the list was aborted")
}

/// A list of requests.
pub(super) struct Requests {
    pub(super) service: Arc<Service>,
    pub(super) call: Call,
    pub(super) query: Query,
    /// Number of NULs at the end of a descriptor.
    pub(super) nul_tail: u8,
}

impl Pages for Requests {
    type Member = Request;
    type Key = Cursor;

    fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&self, after: Option<&Cursor>) -> Result<Listing<Request>, Error> {
        let page = Page { after: after.copied(), limit: PAGE, max_bytes: PAGE_BYTES };
        self.service.list(&self.call, &self.query, page).await
    }

    fn key(request: &Request) -> Cursor {
        Cursor { submitted_at: request.submitted_at, id: request.id }
    }

    fn write(&self, out: &mut Vec<u8>, request: &Request, part: usize) -> Option<usize> {
        view::write_part(out, request, self.nul_tail, part, PIECE_BYTES)
    }
}

/// The profiles or the smart cards of the caller.
pub(super) struct Credentials {
    pub(super) service: Arc<Service>,
    pub(super) call: Call,
    pub(super) statuses: Vec<CredentialStatus>,
    /// Lists smart cards; otherwise the profiles that are not on a card.
    pub(super) are_smartcards: bool,
}

impl Pages for Credentials {
    type Member = Credential;
    type Key = Uuid;

    fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&self, after: Option<&Uuid>) -> Result<Listing<Credential>, Error> {
        let query = CredentialQuery { owner: self.call.caller.user, statuses: self.statuses.clone() };
        let page = CredentialPage { after: after.copied(), limit: PAGE, max_bytes: PAGE_BYTES };
        self.service.list_credentials(&self.call, &query, page).await
    }

    fn key(credential: &Credential) -> Uuid {
        credential.id()
    }

    fn shows(&self, credential: &Credential) -> bool {
        credential.is_smartcard() == self.are_smartcards
            && (self.are_smartcards || credential.credential_ids().smartcard.is_none())
    }

    fn write(&self, out: &mut Vec<u8>, credential: &Credential, _part: usize) -> Option<usize> {
        if self.are_smartcards {
            write_json(out, &SmartcardView::of(credential));
        } else {
            write_json(out, &ProfileView::of(credential, &self.service.operations(&self.call, credential)));
        }
        None
    }
}
