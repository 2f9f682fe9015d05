//! Lists: the filters of requests, and the answers of all lists, which are read and sent page by page.

use std::future::{Future, ready};
use std::io;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use http::Uri;
use http::header::CONTENT_TYPE;

use super::body::Violations;
use super::error::{Failure, JSON};
use super::handlers::{Facade, no_content};
use super::numbers;
use super::query::Parameters;
use super::subject_view::{ProfileView, SmartcardView};
use super::view::{View, write_json};
use crate::domain::{Cursor, Listing, Page, Query, Refusal, Request, Standing, Subject, SubjectPage, SubjectQuery};
use crate::service::{Call, Error};
use crate::telemetry::error_chain;

/// Most requests that are in memory at a time, for one list.
const PAGE: u32 = 500;

/// Most bytes of them, as they are stored; one request is always read.
const PAGE_BYTES: usize = 512 << 10;

/// How long the next page of a list waits for room in memory, and between two attempts.
const ROOM_TIMEOUT: Duration = Duration::from_secs(30);
const ROOM_PAUSE: Duration = Duration::from_millis(100);

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
        match numbers::read_status(status) {
            Some(Some(status)) => query.statuses.push(status),
            Some(None) => is_possible = false,
            None => violations.add("status", format!("must be one of {}", numbers::STATUS_NAMES)),
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
    /// What it lists.
    type Member: Send + Sync;

    /// The call that asks for it.
    fn call(&self) -> &Call;

    /// Reads the page after a member.
    fn read(&self, after: Option<&Self::Member>) -> impl Future<Output = Result<Listing<Self::Member>, Error>> + Send;

    /// Whether a member is shown.
    fn shows(&self, _member: &Self::Member) -> bool {
        true
    }

    /// Writes a member at the end of `out`.
    fn write(&self, out: &mut Vec<u8>, member: &Self::Member);
}

/// Answers with a list. What follows the first page is read while the client takes what came before. An error there ends the
/// connection before the list is whole, so that no caller takes it for one.
///
/// # Errors
/// What [`Error`] says of the service.
pub(super) async fn answer(pages: impl Pages) -> Result<Response, Failure> {
    // Read before anything is sent, so that an error or an empty list still has its own status.
    let mut list = List { pages, last: None, begun: false, ended: false };
    let mut first = Vec::new();
    while !list.begun && !list.ended {
        list.read_on(&mut first).await?;
    }
    let body = match (list.begun, list.ended) {
        (false, _) => return Ok(no_content()),
        (true, true) => first.into(),
        (true, false) => Body::from_stream(stream::once(ready(Ok(first.into()))).chain(rest(list))),
    };
    Ok(([(CONTENT_TYPE, JSON)], body).into_response())
}

/// How far a list was read.
struct List<P: Pages> {
    pages: P,
    last: Option<P::Member>,
    /// Whether a member was written.
    begun: bool,
    ended: bool,
}

impl<P: Pages> List<P> {
    /// Reads a page and writes it at the end of `out`.
    async fn read_on(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let Listing { mut members, has_more } = self.pages.read(self.last.as_ref()).await?;
        for member in members.iter().filter(|member| self.pages.shows(member)) {
            out.push(if self.begun { b',' } else { b'[' });
            self.begun = true;
            self.pages.write(out, member);
        }
        // As JSON they can be much larger.
        self.pages.call().memory.hold_anyway(out.len());
        self.ended = !has_more;
        self.last = members.pop();
        if self.ended && self.begun {
            out.push(b']');
        }
        Ok(())
    }
}

fn rest<P: Pages>(list: List<P>) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::try_unfold(list, |mut list| async move {
        if list.ended {
            return Ok(None);
        }
        let mut chunk = Vec::new();
        let begun = Instant::now();
        loop {
            match list.read_on(&mut chunk).await {
                Ok(()) => return Ok(Some((Bytes::from(chunk), list))),
                // The pages before may have been smaller.
                Err(Error::Overloaded) if begun.elapsed() < ROOM_TIMEOUT => tokio::time::sleep(ROOM_PAUSE).await,
                Err(error) => return Err(broken_off(list.pages.call(), &error)),
            }
        }
    })
}

fn broken_off(call: &Call, error: &Error) -> io::Error {
    tracing::error!(correlation = %call.correlation, error = %error_chain(error), "list broken off");
    io::Error::other("the list was broken off")
}

/// A list of requests.
pub(super) struct Requests {
    pub(super) facade: Facade,
    pub(super) call: Call,
    pub(super) query: Query,
}

impl Pages for Requests {
    type Member = Request;

    fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&self, after: Option<&Request>) -> Result<Listing<Request>, Error> {
        let after = after.map(|last| Cursor { submitted_at: last.submitted_at, id: last.id });
        let page = Page { after, limit: PAGE, max_bytes: PAGE_BYTES };
        self.facade.service.list(&self.call, &self.query, page).await
    }

    fn write(&self, out: &mut Vec<u8>, request: &Request) {
        write_json(out, &View::of(request, self.facade.settings.descriptor_nul_tail));
    }
}

/// The profiles or the smart cards of the caller.
pub(super) struct Subjects {
    pub(super) facade: Facade,
    pub(super) call: Call,
    pub(super) standings: Vec<Standing>,
    /// Cards, rather than the profiles that are on none.
    pub(super) are_smartcards: bool,
}

impl Pages for Subjects {
    type Member = Subject;

    fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&self, after: Option<&Subject>) -> Result<Listing<Subject>, Error> {
        let query = SubjectQuery { owner: self.call.caller.user, standings: self.standings.clone() };
        let page = SubjectPage { after: after.map(Subject::id), limit: PAGE, max_bytes: PAGE_BYTES };
        self.facade.service.list_subjects(&self.call, &query, page).await
    }

    fn shows(&self, subject: &Subject) -> bool {
        subject.is_smartcard() == self.are_smartcards
            && (self.are_smartcards || subject.credential().smartcard.is_none())
    }

    fn write(&self, out: &mut Vec<u8>, subject: &Subject) {
        if self.are_smartcards {
            write_json(out, &SmartcardView::of(subject));
        } else {
            write_json(out, &ProfileView::of(subject, &self.facade.service.operations(&self.call, subject)));
        }
    }
}
