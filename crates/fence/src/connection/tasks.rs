//! The tasks of a connection: one reads answers, one writes requests. Either ends the connection for all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::frame;
use super::transport::Stream;
use crate::{Address, Clock, Failure};

/// Longest pause that a broker can ask for.
const MAX_THROTTLE: Duration = Duration::from_mins(1);

/// State of a connection that its tasks share with it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: Address,
    pub(super) pending: Mutex<VecDeque<(i32, oneshot::Sender<Bytes>)>>,
    /// Why the connection is closed.
    pub(super) closed: watch::Sender<Option<Arc<str>>>,
    pub(super) throttled_until: Mutex<Option<Instant>>,
}

impl Shared {
    /// Ends all waiting; the first reason stays.
    pub(super) fn close(&self, reason: &str) {
        self.closed.send_if_modified(|closed| {
            let is_first = closed.is_none();
            closed.get_or_insert_with(|| reason.into());
            is_first
        });
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn lost(&self) -> Failure {
        let reason = self.closed.borrow().clone().unwrap_or_else(|| "it was closed".into());
        Failure::Lost { address: self.address.clone(), reason }
    }

    pub(super) fn throttle(&self, millis: i32) {
        if let Ok(millis @ 1..) = u64::try_from(millis) {
            let until = Instant::now() + Duration::from_millis(millis).min(MAX_THROTTLE);
            let mut throttled = self.throttled_until.lock().unwrap_or_else(PoisonError::into_inner);
            *throttled = Some(throttled.map_or(until, |before| before.max(until)));
        }
    }
}

/// A request on its way to the socket.
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    /// Time of the boot-time clock from which on it must not be sent.
    pub(super) not_after: Option<Duration>,
}

pub(super) async fn read(mut stream: ReadHalf<Box<dyn Stream>>, shared: Arc<Shared>, limit: usize) {
    let reason = loop {
        match frame::read(&mut stream, limit).await {
            Ok(Some(frame)) => {
                let next = shared.pending.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                match next {
                    Some((expected, answer)) if frame::correlation(&frame) == Some(expected) => {
                        // The caller may have given up.
                        let _ = answer.send(frame);
                    }
                    Some(_) => break "a response has the correlation id of another request".to_owned(),
                    None => break "a response without a request".to_owned(),
                }
            }
            Ok(None) => break "the broker closed it".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    shared.close(&reason);
}

pub(super) async fn write(
    mut stream: WriteHalf<Box<dyn Stream>>,
    mut queue: mpsc::UnboundedReceiver<Frame>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
) {
    while let Some(frame) = queue.recv().await {
        // Here and not earlier: the process may have been stopped since the request was made.
        if frame.not_after.is_some_and(|limit| clock.since_boot() >= limit) {
            shared.close("the fence of a request was too old when it was sent");
            return;
        }
        let written = async {
            stream.write_all(&frame.bytes).await?;
            stream.flush().await
        };
        if let Err(error) = written.await {
            shared.close(&error.to_string());
            return;
        }
    }
}
