//! The stored form of the state of a request and of the steps that led there.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::vocabulary::{StoredCancelReason, StoredFailReason};
use crate::domain::{Actor, Approval, Comment, Conclusion, Execution, State, Timestamp, UserId};

/// The state of a request; exactly the final states have a conclusion.
#[derive(Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum StoredState<'a> {
    Pending,
    Approved,
    Executing {
        execution: StoredExecution<'a>,
    },
    Completed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        execution: Option<StoredExecution<'a>>,
        conclusion: StoredStep<'a>,
    },
    Denied {
        conclusion: StoredStep<'a>,
    },
    Failed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        execution: Option<StoredExecution<'a>>,
        reason: StoredFailReason,
        conclusion: StoredStep<'a>,
    },
    Canceled {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        execution: Option<StoredExecution<'a>>,
        reason: StoredCancelReason,
        conclusion: StoredStep<'a>,
    },
}

/// An approval or a conclusion.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredStep<'a> {
    actor: StoredActor<'a>,
    at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    comment: Cow<'a, str>,
}

/// A started execution.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredExecution<'a> {
    actor: StoredActor<'a>,
    at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct StoredActor<'a> {
    user: Uuid,
    name: Cow<'a, str>,
}

impl<'a> From<&'a State> for StoredState<'a> {
    fn from(state: &'a State) -> Self {
        let started = |execution: &'a Option<Execution>| execution.as_ref().map(StoredExecution::from);
        match state {
            State::Pending => Self::Pending,
            State::Approved => Self::Approved,
            State::Executing { execution } => Self::Executing { execution: execution.into() },
            State::Completed { execution, conclusion } => {
                Self::Completed { execution: started(execution), conclusion: conclusion.into() }
            }
            State::Denied { conclusion } => Self::Denied { conclusion: conclusion.into() },
            State::Failed { execution, reason, conclusion } => {
                Self::Failed { execution: started(execution), reason: (*reason).into(), conclusion: conclusion.into() }
            }
            State::Canceled { execution, reason, conclusion } => Self::Canceled {
                execution: started(execution),
                reason: (*reason).into(),
                conclusion: conclusion.into(),
            },
        }
    }
}

impl From<StoredState<'_>> for State {
    fn from(stored: StoredState<'_>) -> Self {
        match stored {
            StoredState::Pending => Self::Pending,
            StoredState::Approved => Self::Approved,
            StoredState::Executing { execution } => Self::Executing { execution: execution.into() },
            StoredState::Completed { execution, conclusion } => {
                Self::Completed { execution: execution.map(Execution::from), conclusion: conclusion.into() }
            }
            StoredState::Denied { conclusion } => Self::Denied { conclusion: conclusion.into() },
            StoredState::Failed { execution, reason, conclusion } => Self::Failed {
                execution: execution.map(Execution::from),
                reason: reason.into(),
                conclusion: conclusion.into(),
            },
            StoredState::Canceled { execution, reason, conclusion } => Self::Canceled {
                execution: execution.map(Execution::from),
                reason: reason.into(),
                conclusion: conclusion.into(),
            },
        }
    }
}

impl<'a> From<&'a Approval> for StoredStep<'a> {
    fn from(Approval { actor, at, comment }: &'a Approval) -> Self {
        Self { actor: actor.into(), at: at.utc(), comment: comment.as_str().into() }
    }
}

impl From<StoredStep<'_>> for Approval {
    fn from(StoredStep { actor, at, comment }: StoredStep<'_>) -> Self {
        Self { actor: actor.into(), at: Timestamp::new(at), comment: Comment::unchecked(comment.into_owned()) }
    }
}

impl<'a> From<&'a Conclusion> for StoredStep<'a> {
    fn from(Conclusion { actor, at, comment }: &'a Conclusion) -> Self {
        Self { actor: actor.into(), at: at.utc(), comment: comment.as_str().into() }
    }
}

impl From<StoredStep<'_>> for Conclusion {
    fn from(StoredStep { actor, at, comment }: StoredStep<'_>) -> Self {
        Self { actor: actor.into(), at: Timestamp::new(at), comment: Comment::unchecked(comment.into_owned()) }
    }
}

impl<'a> From<&'a Execution> for StoredExecution<'a> {
    fn from(Execution { actor, at }: &'a Execution) -> Self {
        Self { actor: actor.into(), at: at.utc() }
    }
}

impl From<StoredExecution<'_>> for Execution {
    fn from(StoredExecution { actor, at }: StoredExecution<'_>) -> Self {
        Self { actor: actor.into(), at: Timestamp::new(at) }
    }
}

impl<'a> From<&'a Actor> for StoredActor<'a> {
    fn from(Actor { user, name }: &'a Actor) -> Self {
        Self { user: user.uuid(), name: name.as_str().into() }
    }
}

impl From<StoredActor<'_>> for Actor {
    fn from(StoredActor { user, name }: StoredActor<'_>) -> Self {
        Self { user: UserId::new(user), name: name.into_owned() }
    }
}
