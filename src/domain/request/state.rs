//! The state of a request. Each variant carries exactly its own data, so a half-filled request cannot exist.

use super::Status;
use crate::domain::{Actor, Comment, Timestamp};

/// The state of a request with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for approvals.
    Pending,
    /// Ready to be executed.
    Approved,
    /// Being executed.
    Executing {
        /// Who started it, and when.
        execution: Execution,
    },
    /// Executed successfully.
    Completed {
        /// The execution, if the request was started explicitly.
        execution: Option<Execution>,
        /// The final step.
        conclusion: Conclusion,
    },
    /// Approval was refused.
    Denied {
        /// The final step.
        conclusion: Conclusion,
    },
    /// Execution failed or was abandoned.
    Failed {
        /// The execution, if the request was started.
        execution: Option<Execution>,
        /// Why.
        reason: FailReason,
        /// The final step.
        conclusion: Conclusion,
    },
    /// Withdrawn.
    Canceled {
        /// The execution, if the request was started.
        execution: Option<Execution>,
        /// Why.
        reason: CancelReason,
        /// The final step.
        conclusion: Conclusion,
    },
}

/// A started execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Who started it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// The step that ended a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// Who took it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Comment of the actor.
    pub comment: Comment,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailReason {
    /// An error occurred during execution.
    Error,
    /// The executor or the originator abandoned it.
    Abandoned,
}

/// Why a request was canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// A person withdrew it.
    Withdrawn,
}

impl State {
    /// The state without its data.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Approved => Status::Approved,
            Self::Executing { .. } => Status::Executing,
            Self::Completed { .. } => Status::Completed,
            Self::Denied { .. } => Status::Denied,
            Self::Failed { .. } => Status::Failed,
            Self::Canceled { .. } => Status::Canceled,
        }
    }

    /// The execution, if the request was started explicitly.
    #[must_use]
    pub const fn execution(&self) -> Option<&Execution> {
        match self {
            Self::Pending | Self::Approved | Self::Denied { .. } => None,
            Self::Executing { execution } => Some(execution),
            Self::Completed { execution, .. } | Self::Failed { execution, .. } | Self::Canceled { execution, .. } => {
                execution.as_ref()
            }
        }
    }

    /// The step that ended the request; `None` while it is open.
    #[must_use]
    pub const fn conclusion(&self) -> Option<&Conclusion> {
        match self {
            Self::Pending | Self::Approved | Self::Executing { .. } => None,
            Self::Completed { conclusion, .. }
            | Self::Denied { conclusion }
            | Self::Failed { conclusion, .. }
            | Self::Canceled { conclusion, .. } => Some(conclusion),
        }
    }
}
