//! The coalescing writer: commands that wait while a commit runs share the next one.
//!
//! A lane has a set of shards, takes all that is waiting, commits it as one batch and answers each caller after the
//! commit. There is no timer: an idle lane commits a lone command at once, a busy one gathers a batch by being busy.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Error;
use super::spread::{Crowd, Spread};
use crate::domain::{Command, Request, ShardCount};
use crate::feed::Feed;
use crate::store::{LoggedEvent, Reply, Store, StoreError};
use crate::telemetry::{error_chain, names};

/// Longest wait for a commit. A database that vanished without a word would otherwise hold its lane for a quarter of an hour.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(15);

/// How much the writer does at once.
#[derive(Clone, Copy, Debug)]
pub struct WriterSettings {
    /// Most lanes, each with a commit under way; 1 for a store that can only write one batch at a time.
    pub lanes: u16,
    /// Most commands in one batch.
    pub max_batch: usize,
    /// Most commands that may wait in a lane; more are refused.
    pub max_waiting: usize,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { lanes: 4, max_batch: 512, max_waiting: 4_096 }
    }
}

/// A handle to the writer's lanes. They end when the last handle is dropped, with everything answered.
#[derive(Clone, Debug)]
pub struct Writer {
    lanes: Arc<[mpsc::Sender<Submission>]>,
    spread: Arc<Spread>,
    shards: ShardCount,
    broken: CancellationToken,
}

type Answer = Result<Arc<Request>, Error>;

#[derive(Debug)]
struct Submission {
    command: Command,
    deadline: Option<Instant>,
    answer: oneshot::Sender<Answer>,
}

impl Writer {
    /// Starts the lanes.
    #[must_use]
    pub fn start(store: &Arc<dyn Store>, feed: &Arc<Feed>, settings: WriterSettings, tasks: &TaskTracker) -> Self {
        let broken = CancellationToken::new();
        let shards = store.topology().shards;
        let lanes = settings.lanes.min(shards.get());
        let spread = Arc::new(Spread::over(lanes.into()));
        let start_lane = |_| {
            let (sender, waiting) = mpsc::channel(settings.max_waiting);
            let lane = Lane { store: Arc::clone(store), feed: Arc::clone(feed), spread: Arc::clone(&spread), settings };
            let guard = broken.clone().drop_guard();
            tasks.spawn(async move {
                lane.run(waiting).await;
                guard.disarm();
            });
            sender
        };
        let lanes = (0..lanes).map(start_lane).collect();
        Self { lanes, spread, shards, broken }
    }

    /// Cancelled if a lane ends by a defect. Its shards cannot be written any more, so the process had better end.
    #[must_use]
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Has a command carried out; returns after its commit.
    ///
    /// # Errors
    /// The refusal of the life cycle, or what [`Error`] says of the service.
    pub async fn submit(&self, command: Command, deadline: Option<Instant>) -> Result<Arc<Request>, Error> {
        let (answer, answered) = oneshot::channel();
        let shard = self.shards.shard_of(command.request);
        let lane = || &self.lanes[self.spread.lane_of(shard)];
        match lane().try_send(Submission { command, deadline, answer }) {
            Err(TrySendError::Full(submission)) => {
                self.spread.widen();
                lane().try_send(submission)?;
            }
            result => result?,
        }
        // A lane answers everything it took, unless its task is torn down; then nobody knows how far it came.
        answered.await.unwrap_or_else(|_| Err(StoreError::NoAnswer(COMMIT_TIMEOUT).into()))
    }
}

struct Lane {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    spread: Arc<Spread>,
    settings: WriterSettings,
}

impl Lane {
    async fn run(self, mut arrivals: mpsc::Receiver<Submission>) {
        let WriterSettings { max_batch, max_waiting, .. } = self.settings;
        let mut waiting = VecDeque::new();
        let mut fresh = Vec::new();
        let mut crowd = Crowd::default();
        loop {
            if waiting.is_empty() && arrivals.recv_many(&mut fresh, max_batch).await == 0 {
                return;
            }
            // What waits for another batch counts, too: many commands on one request must not pile up here.
            while fresh.len() < max_batch
                && waiting.len() + fresh.len() < max_waiting
                && let Ok(submission) = arrivals.try_recv()
            {
                fresh.push(submission);
            }
            waiting.extend(fresh.drain(..));
            let batch = take_batch(&mut waiting, max_batch);
            if !batch.is_empty() {
                self.spread.note(&mut crowd, batch.len());
                self.carry_out(batch).await;
            }
        }
    }

    async fn carry_out(&self, batch: Vec<Submission>) {
        let (commands, callers): (Vec<Command>, Vec<_>) =
            batch.into_iter().map(|submission| (submission.command, submission.answer)).unzip();
        match self.commit(&commands).await {
            Ok(answers) => answer(callers, answers),
            // One member can make the database refuse the whole batch; alone, it harms nobody else.
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
    }

    /// Stops at the first sign that the database is away: then each would only wait in vain.
    async fn carry_out_singly(&self, commands: &[Command], callers: Vec<oneshot::Sender<Answer>>) {
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
        let committed = tokio::time::timeout(COMMIT_TIMEOUT, self.store.commit(commands)).await;
        let replies = committed.unwrap_or(Err(StoreError::NoAnswer(COMMIT_TIMEOUT)))?;
        metrics::histogram!(names::COMMIT_SECONDS).record(begun.elapsed());
        metrics::histogram!(names::BATCH_SIZE).record(commands.len() as f64);
        let (answers, events): (Vec<_>, Vec<_>) = replies.into_iter().map(split).unzip();
        self.feed.append(events.into_iter().flatten());
        Ok(answers)
    }
}

/// Takes what can be committed together: at most one command per request and per idempotency key, in order of arrival.
/// What nobody waits for any more is dropped, what is too late is answered.
fn take_batch(waiting: &mut VecDeque<Submission>, max_batch: usize) -> Vec<Submission> {
    let mut batch = Vec::new();
    let mut left = VecDeque::new();
    let mut requests = HashSet::new();
    let mut keys = HashSet::new();
    let now = Instant::now();
    while let Some(submission) = waiting.pop_front() {
        if submission.answer.is_closed() {
            continue;
        }
        if submission.deadline.is_some_and(|deadline| deadline <= now) {
            answer(vec![submission.answer], vec![Err(Error::DeadlineExceeded)]);
            continue;
        }
        let key = submission.command.idempotent.as_ref().map(|idempotent| idempotent.key.clone());
        let is_taken =
            requests.contains(&submission.command.request) || key.as_ref().is_some_and(|key| keys.contains(key));
        if is_taken || batch.len() == max_batch {
            // A later command on the same request must not overtake this one.
            requests.insert(submission.command.request);
            left.push_back(submission);
            continue;
        }
        requests.insert(submission.command.request);
        keys.extend(key);
        batch.push(submission);
    }
    *waiting = left;
    batch
}

fn split(reply: Reply) -> (Answer, Option<LoggedEvent>) {
    match reply {
        Ok(applied) => (Ok(applied.request), applied.logged),
        Err(refusal) => (Err(refusal.into()), None),
    }
}

fn failed(members: usize, error: StoreError) -> Vec<Answer> {
    let error = Arc::new(error);
    tracing::error!(error = error_chain(&*error), members, "batch not committed");
    (0..members).map(|_| Err(Error::from(Arc::clone(&error)))).collect()
}

fn answer(callers: Vec<oneshot::Sender<Answer>>, answers: Vec<Answer>) {
    for (caller, answer) in callers.into_iter().zip(answers) {
        // A caller that went away needs no answer.
        let _ = caller.send(answer);
    }
}
