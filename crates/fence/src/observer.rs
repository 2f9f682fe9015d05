//! What a client tells whoever counts its requests.

use std::fmt::Debug;
use std::time::Duration;

use crate::Address;

/// Gets every request of the clients of a cluster, for metrics. Called on the tasks of the client, so it must not block.
pub trait Observer: Debug + Send + Sync + 'static {
    /// A request has ended.
    fn ended(&self, request: &Request<'_>);
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The broker, under the name that it is connected to.
    pub broker: &'a Address,
    /// The request, such as `Produce`.
    pub api: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Its size with the length in front.
    pub sent_bytes: usize,
    /// Size of the answer; 0 without one.
    pub received_bytes: usize,
    /// Time from the call to the answer, that in the queue of the connection included.
    pub took: Duration,
}

/// How a request ended. What an answer says about the topic is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker answered.
    Answered,
    /// The broker answered with bytes that do not follow the protocol.
    Malformed,
    /// The connection was lost.
    Lost,
    /// The broker did not answer in time.
    TimedOut,
}

impl Outcome {
    /// Its name as the label of a metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Malformed => "malformed",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
        }
    }
}
