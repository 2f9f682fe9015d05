//! Lists: the filters of requests, and the answers of all lists, which are read and sent page by page.

use std::future::{Future, ready};
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
use crate::service::Violations;
use crate::service::{Call, Error, Service};

/// Most members that are in memory at a time, for one list.
const PAGE: u32 = 200;

/// Most bytes of them, as they are stored; one member is always read.
const PAGE_BYTES: usize = 512 << 10;

/// Bytes after which a piece of an answer ends. One data item can exceed it by 100 kB.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// Room that a list of more than one piece holds from before its status line to its end: for its largest page, which is either
/// 200 members of 3 KiB beside 512 KiB of text or one request of 990,000 bytes, and for pieces on their way to the client.
const LIST_BYTES: usize = 3 << 19;

/// Reads the filters of a list. `None` asks for the status that no request has.
///
/// # Errors
/// [`Refusal::Invalid`] naming the filters that cannot be read.
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
    if !violations.is_empty() {
        return Err(violations.refusal());
    }
    Ok(if is_possible { Some(query) } else { None })
}

/// A list that is read page by page.
pub(super) trait Pages: Send + Sync + 'static {
    /// A member of the list.
    type Member: Send + Sync;

    /// A place in the list.
    type Place: Send + Sync;

    /// The call that asks for the list.
    fn call(&self) -> &Call;

    /// Reads the page after a place.
    fn read(&self, after: Option<&Self::Place>) -> impl Future<Output = Result<Listing<Self::Member>, Error>> + Send;

    /// The place of a member.
    fn place(member: &Self::Member) -> Self::Place;

    /// Whether a member is shown.
    fn shows(&self, _member: &Self::Member) -> bool {
        true
    }

    /// Writes a member at the end of `out` from `part` on, up to about [`PIECE_BYTES`]. Returns the part to go on with, `None`
    /// at the end of the member.
    fn write(&self, out: &mut Vec<u8>, member: &Self::Member, part: usize) -> Option<usize>;
}

/// Answers with a list. A list of one piece has a length; a longer one is read and written while the client takes what came
/// before. An error there ends the connection before the list is whole, so that no caller takes it for one.
///
/// # Errors
/// What [`Error`] says of the service. [`Error::Overloaded`] comes from here alone: a list that has begun has room until its end.
pub(super) async fn answer(pages: impl Pages) -> Result<Response, HttpError> {
    let memory = pages.call().memory.clone();
    let mut list =
        List { pages, members: Vec::new().into_iter(), rest: None, place: None, has_more: true, has_begun: false };
    // Read before anything is sent, so that an error or an empty list still has its own status.
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

/// How far a list was read and written.
struct List<P: Pages> {
    pages: P,
    /// Members that were read and are not written.
    members: vec::IntoIter<P::Member>,
    /// A member that is written in part, and the part to go on with.
    rest: Option<(P::Member, usize)>,
    /// Place of the last member that was read.
    place: Option<P::Place>,
    /// Whether members follow that were not read.
    has_more: bool,
    /// Whether a member was written.
    has_begun: bool,
}

impl<P: Pages> List<P> {
    /// Writes the next piece; the last one is empty only if the list is.
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
            let Listing { members, has_more } = self.pages.read(self.place.as_ref()).await?;
            self.place = members.last().map(P::place);
            self.members = members.into_iter();
            self.has_more = has_more && self.place.is_some();
        }
    }

    /// Writes members that were read, up to a full piece.
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
            Err(error) => Err(broken_off(list.pages.call(), &error)),
        }
    })
}

fn broken_off(call: &Call, error: &Error) -> io::Error {
    tracing::error!(correlation = %call.correlation, error = %error_chain(error), "list broken off");
    io::Error::other("the list was broken off")
}

/// A list of requests.
pub(super) struct Requests {
    pub(super) service: Service,
    pub(super) call: Call,
    pub(super) query: Query,
    /// How many NULs end a descriptor.
    pub(super) nul_tail: u8,
}

impl Pages for Requests {
    type Member = Request;
    type Place = Cursor;

    fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&self, after: Option<&Cursor>) -> Result<Listing<Request>, Error> {
        let page = Page { after: after.copied(), limit: PAGE, max_bytes: PAGE_BYTES };
        self.service.list(&self.call, &self.query, page).await
    }

    fn place(request: &Request) -> Cursor {
        Cursor { submitted_at: request.submitted_at, id: request.id }
    }

    fn write(&self, out: &mut Vec<u8>, request: &Request, part: usize) -> Option<usize> {
        view::write_part(out, request, self.nul_tail, part, PIECE_BYTES)
    }
}

/// The profiles or the smart cards of the caller.
pub(super) struct Credentials {
    pub(super) service: Service,
    pub(super) call: Call,
    pub(super) statuses: Vec<CredentialStatus>,
    /// Cards, rather than the profiles that are on none.
    pub(super) are_smartcards: bool,
}

impl Pages for Credentials {
    type Member = Credential;
    type Place = Uuid;

    fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&self, after: Option<&Uuid>) -> Result<Listing<Credential>, Error> {
        let query = CredentialQuery { owner: self.call.caller.user, statuses: self.statuses.clone() };
        let page = CredentialPage { after: after.copied(), limit: PAGE, max_bytes: PAGE_BYTES };
        self.service.list_credentials(&self.call, &query, page).await
    }

    fn place(credential: &Credential) -> Uuid {
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
