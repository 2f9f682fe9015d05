//! Where a request stands. Each state carries exactly what is known in it, so that no half-filled request can exist.

use super::Status;
use crate::domain::{Actor, Comment, Timestamp};

/// The state of a request, with what belongs to it.
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
    /// Done.
    Completed {
        /// The execution, if it was started as a step of its own.
        execution: Option<Execution>,
        /// The final step.
        conclusion: Conclusion,
    },
    /// Approval was refused.
    Denied {
        /// The final step.
        conclusion: Conclusion,
    },
    /// Did not succeed.
    Failed {
        /// The execution, if it was started.
        execution: Option<Execution>,
        /// Why.
        reason: FailReason,
        /// The final step.
        conclusion: Conclusion,
    },
    /// Taken back.
    Canceled {
        /// The execution, if it was started.
        execution: Option<Execution>,
        /// Why.
        reason: CancelReason,
        /// The final step.
        conclusion: Conclusion,
    },
}

/// An execution that was started.
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
    /// What was said with it.
    pub comment: Comment,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailReason {
    /// Execution met an error.
    Error,
    /// Its executor or originator gave it up.
    Abandoned,
}

/// Why a request was canceled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// A person took it back.
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

    /// The execution, if it was started as a step of its own.
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

    /// The step that ended the request, if it has ended.
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
