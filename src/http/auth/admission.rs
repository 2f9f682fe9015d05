//! Admission of authenticated callers: the directory completes their identity, and refuses users who have left.

use std::sync::Arc;

use super::refusal::AuthRefusal;
use crate::domain::Caller;
use crate::service::{Directory, Error, NotAdmitted, log_failure};

/// Admits callers. Clones share their state.
#[derive(Clone, Debug)]
pub struct Admission(Directory);

/// Why a caller is not admitted.
#[derive(Debug)]
pub enum AdmissionError {
    /// The caller is refused.
    Refused(AuthRefusal),
    /// The directory does not answer; the log has the reason.
    Failed(Error),
}

impl Admission {
    /// Admits whom the directory does not refuse.
    #[must_use]
    pub const fn new(directory: Directory) -> Self {
        Self(directory)
    }

    /// The caller, completed by the directory.
    ///
    /// # Errors
    /// The user is inactive, or the directory is not available.
    pub async fn admit(&self, proven: Arc<Caller>) -> Result<Arc<Caller>, AdmissionError> {
        let (method, entry) = (proven.proof.method, proven.proof.entry.clone());
        self.0.admit(proven).await.map_err(|error| match error {
            NotAdmitted::Inactive(user) => AdmissionError::Refused(AuthRefusal::of_inactive(user, method, entry)),
            NotAdmitted::Failed(error) => {
                log_failure(&error);
                AdmissionError::Failed(error)
            }
        })
    }
}

impl From<AuthRefusal> for AdmissionError {
    fn from(refusal: AuthRefusal) -> Self {
        Self::Refused(refusal)
    }
}
