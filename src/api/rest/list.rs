//! Lists of requests: their filters, and their answer, which is read and sent page by page.

use std::io;

use axum::body::{Body, Bytes};
use futures::stream::{self, Stream};
use http::Uri;

use super::body::Violations;
use super::handlers::Facade;
use super::numbers;
use super::query::Parameters;
use super::view::{View, write_json};
use crate::domain::{Cursor, Page, Query, Refusal, Request};
use crate::service::{Call, Error, Service};
use crate::telemetry::error_chain;

/// Requests that are in memory at a time, for one list.
const PAGE: u32 = 500;

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

/// Reads the first page of a list.
///
/// # Errors
/// What [`Error`] says of the service.
pub(super) async fn first_page(service: &Service, call: &Call, query: &Query) -> Result<Vec<Request>, Error> {
    service.list(call, query, Page { after: None, limit: PAGE }).await
}

/// The body of a list that begins with this page. An error in a later page ends the connection before the list is whole,
/// so that no caller takes it for one.
pub(super) fn body(facade: Facade, call: Call, query: Query, first: Vec<Request>) -> Body {
    if is_last(&first) {
        let mut whole = vec![b'['];
        facade.write_page(&mut whole, &first);
        whole.push(b']');
        return whole.into();
    }
    Body::from_stream(pages(facade, call, query, first))
}

/// What of a list is sent next.
enum Next {
    First(Vec<Request>),
    After(Cursor),
    Nothing,
}

fn pages(
    facade: Facade,
    call: Call,
    query: Query,
    first: Vec<Request>,
) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::try_unfold((Next::First(first), facade, call, query), |(next, facade, call, query)| async move {
        let (begin, page) = match next {
            Next::First(page) => (b'[', page),
            Next::After(cursor) => {
                let page = facade.service.list(&call, &query, Page { after: Some(cursor), limit: PAGE }).await;
                (b',', page.map_err(|error| broken_off(&call, &error))?)
            }
            Next::Nothing => return Ok(None),
        };
        let mut chunk = Vec::new();
        if !page.is_empty() {
            chunk.push(begin);
            facade.write_page(&mut chunk, &page);
        }
        let next = match page.last() {
            Some(last) if !is_last(&page) => Next::After(Cursor { submitted_at: last.submitted_at, id: last.id }),
            _ => {
                chunk.push(b']');
                Next::Nothing
            }
        };
        Ok(Some((Bytes::from(chunk), (next, facade, call, query))))
    })
}

impl Facade {
    fn write_page(&self, out: &mut Vec<u8>, page: &[Request]) {
        for (index, request) in page.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_json(out, &View::of(request, self.settings.descriptor_nul_tail));
        }
    }
}

const fn is_last(page: &[Request]) -> bool {
    page.len() < PAGE as usize
}

fn broken_off(call: &Call, error: &Error) -> io::Error {
    tracing::error!(correlation = %call.correlation, error = %error_chain(error), "list broken off");
    io::Error::other("the list was broken off")
}
