//! The status of a request: its state without the data.

/// The state without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// See [`State::Pending`](super::State::Pending).
    Pending,
    /// See [`State::Approved`](super::State::Approved).
    Approved,
    /// See [`State::Executing`](super::State::Executing).
    Executing,
    /// See [`State::Completed`](super::State::Completed).
    Completed,
    /// See [`State::Denied`](super::State::Denied).
    Denied,
    /// See [`State::Failed`](super::State::Failed).
    Failed,
    /// See [`State::Canceled`](super::State::Canceled).
    Canceled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Approved, Self::Executing, Self::Completed, Self::Denied, Self::Failed, Self::Canceled];

    /// Whether the request can no longer change.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Approved | Self::Executing => false,
            Self::Completed | Self::Denied | Self::Failed | Self::Canceled => true,
        }
    }

    /// Name in messages and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}
