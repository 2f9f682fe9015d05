//! The coalescing writer: commands that wait while a commit runs share the next one.
//!
//! A worker serves a set of shards: it commits the waiting commands as one batch and then answers each caller. There is no timer:
//! an idle worker commits a lone command at once; under load, batches form while the previous commit is in flight.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::batch::{Applied, Reply, commit};
use super::budget::Reservation;
use super::concurrency::{AverageBatch, Concurrency};
use super::pending::{Pending, PendingCount};
use super::{Error, size};
use crate::domain::{Action, Command, Credential, Request, ShardCount};
use crate::feed::Feed;
use crate::runtime::telemetry::{error_chain, names};
use crate::store::{LoggedEvent, Store, StoreError};

/// Longest wait for a commit. A database host that vanishes silently would otherwise block the worker for a quarter of an hour.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum bytes that a batch writes to the database, unless a single command exceeds them.
const BATCH_BYTES: usize = 4 << 20;

/// Maximum such bytes of all batches in flight, in units of [`COMMIT_UNIT`]. Each byte is in memory several times on its way to
/// the database.
const COMMIT_UNITS: u32 = 2 * 4_096;
const COMMIT_UNIT: usize = 1 << 10;

/// Bounds of the writer.
#[derive(Clone, Copy, Debug)]
pub struct WriterSettings {
    /// Maximum workers, each with one commit in flight; 1 for a store that can only write one batch at a time.
    pub workers: u16,
    /// Maximum commands per batch.
    pub max_batch: usize,
    /// Maximum commands that wait per worker; further ones are refused.
    pub max_waiting: usize,
}

/// A handle to the writer's workers. They answer everything and end once the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    workers: Arc<[mpsc::Sender<Submission>]>,
    concurrency: Arc<Concurrency>,
    shards: ShardCount,
    pending: PendingCount,
    broken: CancellationToken,
}

type Answer = Result<Written, Error>;

/// The result of a command: of this call, or of the one that first used its idempotency key.
#[derive(Clone, Debug)]
pub struct Written {
    /// The request after the change.
    pub request: Arc<Request>,
    /// The smart card that the command names, after the change.
    pub smartcard: Option<Credential>,
}

#[derive(Debug)]
struct Submission {
    command: Command,
    waiting: Waiting,
}

/// The caller that waits for a command, and the resources that the command holds.
#[derive(Debug)]
struct Waiting {
    deadline: Option<Instant>,
    answer: oneshot::Sender<Answer>,
    /// Bytes that the command writes to the database.
    bytes: usize,
    /// Held until the command has left memory, even if its caller is gone by then.
    memory: Reservation,
    /// Counts the command in the metrics.
    _pending: Pending,
}

impl Writer {
    /// Starts the workers, at most one per shard. They run on `tasks` until the last clone of the writer is dropped.
    #[must_use]
    pub fn start(store: &Arc<dyn Store>, feed: &Arc<Feed>, settings: WriterSettings, tasks: &TaskTracker) -> Self {
        let broken = CancellationToken::new();
        let shards = store.topology().shards;
        let workers = settings.workers.min(shards.get());
        let concurrency = Arc::new(Concurrency::new(workers.into()));
        let commits = Arc::new(Semaphore::new(COMMIT_UNITS as usize));
        let start_worker = |_| {
            let (sender, waiting) = mpsc::channel(settings.max_waiting);
            let worker = Worker {
                store: Arc::clone(store),
                feed: Arc::clone(feed),
                concurrency: Arc::clone(&concurrency),
                commits: Arc::clone(&commits),
                settings,
            };
            let guard = broken.clone().drop_guard();
            tasks.spawn(async move {
                worker.run(waiting).await;
                guard.disarm();
            });
            sender
        };
        let workers = (0..workers).map(start_worker).collect();
        Self { workers, concurrency, shards, pending: PendingCount::begin(), broken }
    }

    /// Cancelled if a worker ends by a defect. Its shards accept no more writes, so the process should end.
    #[must_use]
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Runs a command and returns after its commit. The memory of the command stays reserved until then.
    ///
    /// # Errors
    /// The refusal of the life cycle, or a failure of the service; see [`Error`].
    pub async fn submit(
        &self,
        command: Command,
        deadline: Option<Instant>,
        memory: Reservation,
    ) -> Result<Written, Error> {
        let (answer, answered) = oneshot::channel();
        let bytes = size::of_command(&command);
        let waiting = Waiting { deadline, answer, bytes, memory, _pending: self.pending.add(bytes) };
        let shard = self.shards.shard_of(command.request);
        let worker = || &self.workers[self.concurrency.worker_of(shard)];
        match worker().try_send(Submission { command, waiting }) {
            Err(TrySendError::Full(submission)) => {
                self.concurrency.scale_up();
                worker().try_send(submission)?;
            }
            result => result?,
        }
        // A worker answers every command that it accepted, unless its task is aborted; then the outcome is unknown.
        answered.await.unwrap_or_else(|_| Err(StoreError::NoAnswer(COMMIT_TIMEOUT).into()))
    }
}

struct Worker {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    concurrency: Arc<Concurrency>,
    commits: Arc<Semaphore>,
    settings: WriterSettings,
}

impl Worker {
    async fn run(self, mut arrivals: mpsc::Receiver<Submission>) {
        let WriterSettings { max_batch, max_waiting, .. } = self.settings;
        let mut waiting = VecDeque::new();
        let mut fresh = Vec::new();
        let mut average = AverageBatch::default();
        let mut limit = max_batch;
        loop {
            if waiting.is_empty() && arrivals.recv_many(&mut fresh, max_batch).await == 0 {
                return;
            }
            // Commands left for later batches count, too: many commands on one request must not pile up here.
            while fresh.len() < max_batch
                && waiting.len() + fresh.len() < max_waiting
                && let Ok(submission) = arrivals.try_recv()
            {
                fresh.push(submission);
            }
            waiting.extend(fresh.drain(..));
            let batch = take_batch(&mut waiting, limit, BATCH_BYTES);
            if !batch.is_empty() {
                let members = batch.len();
                self.concurrency.record(&mut average, members);
                let left = self.carry_out(batch).await;
                limit = if left.is_empty() { max_batch.min(2 * limit) } else { members - left.len() };
                for submission in left.into_iter().rev() {
                    waiting.push_front(submission);
                }
            }
        }
    }

    /// Commits a batch and answers its callers. Returns the members that did not fit into the transaction with those before them.
    async fn carry_out(&self, batch: Vec<Submission>) -> Vec<Submission> {
        let bytes: usize = batch.iter().map(|submission| submission.waiting.bytes).sum();
        let units = u32::try_from(bytes / COMMIT_UNIT).unwrap_or(COMMIT_UNITS).clamp(1, COMMIT_UNITS);
        // Fails only if the semaphore is closed, which never happens.
        let _permit = self.commits.acquire_many(units).await;
        let (mut commands, mut callers): (Vec<Command>, Vec<Waiting>) =
            batch.into_iter().map(|submission| (submission.command, submission.waiting)).unzip();
        match self.commit(&commands).await {
            Ok(answers) => {
                let left = commands.drain(answers.len()..).zip(callers.drain(answers.len()..));
                let left = left.map(|(command, waiting)| Submission { command, waiting }).collect();
                answer(callers, answers);
                return left;
            }
            // One member can make the database refuse the whole batch; on its own, it fails alone.
            Err(error) if commands.len() > 1 && !error.is_transient() => {
                let members = commands.len();
                tracing::warn!(
                    error = error_chain(&error),
                    members,
                    "batch refused, committing its members one by one"
                );
                self.carry_out_singly(&commands, callers).await;
            }
            Err(error) => {
                let answers = failed(commands.len(), error);
                answer(callers, answers);
            }
        }
        Vec::new()
    }

    /// Stops at the first transient error: further commits would most likely fail the same way, each after a wait.
    async fn carry_out_singly(&self, commands: &[Command], callers: Vec<Waiting>) {
        let mut callers = callers.into_iter();
        for (done, command) in commands.chunks(1).enumerate() {
            match self.commit(command).await {
                Ok(answers) => answer(callers.by_ref().take(1).collect(), answers),
                Err(error) if error.is_transient() => {
                    return answer(callers.collect(), failed(commands.len() - done, error));
                }
                Err(error) => answer(callers.by_ref().take(1).collect(), failed(1, error)),
            }
        }
    }

    async fn commit(&self, commands: &[Command]) -> Result<Vec<Answer>, StoreError> {
        let begun = Instant::now();
        let committed = tokio::time::timeout(COMMIT_TIMEOUT, commit(&*self.store, commands)).await;
        let replies = committed.unwrap_or(Err(StoreError::NoAnswer(COMMIT_TIMEOUT)))?;
        metrics::histogram!(names::COMMIT_SECONDS).record(begun.elapsed());
        metrics::histogram!(names::BATCH_SIZE).record(commands.len() as f64);
        let (answers, events): (Vec<_>, Vec<_>) = replies.into_iter().map(split).unzip();
        self.feed.append(events.into_iter().flatten());
        Ok(answers)
    }
}

/// Selects commands that can share a transaction: in order of arrival, at most one per request and per idempotency key, and at
/// most `max_bytes` in all. The first is always selected; one that does not fit waits for the next batch, and smaller ones may
/// pass it. Commands whose caller is gone are dropped; commands past their deadline are answered.
fn take_batch(waiting: &mut VecDeque<Submission>, max_batch: usize, max_bytes: usize) -> Vec<Submission> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut left = VecDeque::new();
    let mut requests = HashSet::new();
    let mut keys = HashSet::new();
    let now = Instant::now();
    while let Some(submission) = waiting.pop_front() {
        if submission.waiting.answer.is_closed() {
            continue;
        }
        if submission.waiting.deadline.is_some_and(|deadline| deadline <= now) {
            answer(vec![submission.waiting], vec![Err(Error::DeadlineExceeded)]);
            continue;
        }
        if submission.must_wait_for_answers() {
            answer(vec![submission.waiting], vec![Err(Error::Overloaded)]);
            continue;
        }
        let key = submission.command.idempotent.as_ref().map(|idempotent| idempotent.key.clone());
        let is_taken =
            requests.contains(&submission.command.request) || key.as_ref().is_some_and(|key| keys.contains(key));
        let fits = batch.is_empty() || bytes + submission.waiting.bytes <= max_bytes;
        if is_taken || !fits || batch.len() >= max_batch {
            // A later command on the same request must not overtake this one.
            requests.insert(submission.command.request);
            left.push_back(submission);
            continue;
        }
        requests.insert(submission.command.request);
        keys.extend(key);
        bytes += submission.waiting.bytes;
        batch.push(submission);
    }
    *waiting = left;
    batch
}

impl Submission {
    /// Whether to refuse the command for now: its answer may be large, and answers that clients have not read yet fill memory.
    fn must_wait_for_answers(&self) -> bool {
        let is_small = matches!(self.command.action, Action::Create(_)) && !self.waiting.memory.is_large();
        self.waiting.memory.is_overdrawn() && !is_small
    }
}

fn split(reply: Reply) -> (Answer, Option<LoggedEvent>) {
    match reply {
        Ok(Applied { request, smartcard, logged }) => (Ok(Written { request, smartcard }), logged),
        Err(refusal) => (Err(refusal.into()), None),
    }
}

fn failed(members: usize, error: StoreError) -> Vec<Answer> {
    let error = Arc::new(error);
    metrics::counter!(names::COMMITS_FAILED, "reason" => Error::from(Arc::clone(&error)).reason()).increment(1);
    tracing::error!(error = error_chain(&*error), members, "batch not committed");
    (0..members).map(|_| Err(Error::from(Arc::clone(&error)))).collect()
}

fn answer(callers: Vec<Waiting>, answers: Vec<Answer>) {
    for (caller, answer) in callers.into_iter().zip(answers) {
        // The caller may be gone.
        let _ = caller.answer.send(answer);
    }
}
