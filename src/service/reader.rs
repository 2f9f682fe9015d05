//! The coalescing reader: reads by id that wait while a query runs share the next one.
//!
//! A query for one row costs the database about as much as the call that needs it; a query for a hundred rows hardly more.
//! As in the writer there is no timer: a lone read runs at once.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Error;
use crate::domain::{Listing, Request, RequestId};
use crate::runtime::telemetry::error_chain;
use crate::store::{Store, StoreError};

/// Maximum concurrent queries. A worker is used only while those before it have a full batch waiting: large batches are cheap.
const WORKERS: usize = 4;

/// Maximum requests per query. If requests are large, a query asks for about as many as one answer holds, because the database
/// prepares all the rows that a query names.
const MAX_BATCH: usize = 256;

/// Maximum reads that wait per worker; further ones are refused.
const MAX_WAITING: usize = 16_384;

type Answer = Result<Option<Arc<Request>>, Error>;

/// A handle to the reader's workers. They answer everything and end once the last handle is dropped.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    workers: Arc<[mpsc::Sender<Read>]>,
}

#[derive(Debug)]
struct Read {
    id: RequestId,
    answer: oneshot::Sender<Answer>,
}

impl Reader {
    /// Starts the workers.
    pub(super) fn start(store: &Arc<dyn Store>) -> Self {
        let start_worker = |_| {
            let (sender, waiting) = mpsc::channel(MAX_WAITING);
            tokio::spawn(run(Arc::clone(store), waiting));
            sender
        };
        Self { workers: (0..WORKERS).map(start_worker).collect() }
    }

    /// Reads a request; `None` if there is none.
    pub(super) async fn get(&self, id: RequestId) -> Answer {
        let (answer, answered) = oneshot::channel();
        let has_room = |worker: &&mpsc::Sender<Read>| worker.max_capacity() - worker.capacity() < MAX_BATCH;
        let worker = self.workers.iter().find(has_room).or(self.workers.last()).ok_or(Error::Stopping)?;
        worker.try_send(Read { id, answer })?;
        answered.await.unwrap_or(Err(Error::Stopping))
    }
}

async fn run(store: Arc<dyn Store>, mut arrivals: mpsc::Receiver<Read>) {
    let mut batch = Vec::new();
    let mut limit = MAX_BATCH;
    while !batch.is_empty() || arrivals.recv_many(&mut batch, MAX_BATCH).await > 0 {
        batch.retain(|read| !read.answer.is_closed());
        if let Err(error) = read(&*store, &mut batch, &mut limit).await {
            if error.is_transient() || batch.len() == 1 {
                fail(&mut batch, error);
                continue;
            }
            // One unreadable row fails the whole query; on its own, it fails alone.
            for one in batch.drain(..) {
                let mut one = vec![one];
                if let Err(error) = read(&*store, &mut one, &mut limit).await {
                    fail(&mut one, error);
                }
            }
        }
    }
}

/// Reads up to `limit` requests and answers their callers; requests that were too large to be read together stay in the batch. On
/// an error nobody has been answered yet.
async fn read(store: &dyn Store, batch: &mut Vec<Read>, limit: &mut usize) -> Result<(), StoreError> {
    let ids: Vec<RequestId> = batch.iter().take(*limit).map(|read| read.id).collect();
    let Listing { members, has_more } = store.get(&ids).await?;
    *limit = if has_more { members.len().max(1) } else { (*limit * 2).min(MAX_BATCH) };
    let found: HashMap<RequestId, Arc<Request>> =
        members.into_iter().map(|request| (request.id, Arc::new(request))).collect();
    let later = batch.split_off(ids.len());
    for read in mem::replace(batch, later) {
        match found.get(&read.id) {
            None if has_more => batch.push(read),
            // The caller may be gone; the same applies in `fail`.
            request => drop(read.answer.send(Ok(request.cloned()))),
        }
    }
    Ok(())
}

fn fail(batch: &mut Vec<Read>, error: StoreError) {
    let error = Arc::new(error);
    tracing::error!(error = error_chain(&*error), members = batch.len(), "requests not read");
    for read in batch.drain(..) {
        let _ = read.answer.send(Err(Error::from(Arc::clone(&error))));
    }
}
