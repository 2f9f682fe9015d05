//! Admission of authenticated callers: the directory completes their identity, and refuses users who have left.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::Caller;
use crate::runtime::telemetry::{LineLimit, names};
use crate::service::{Directory, NotAdmitted, log_failure};

/// The check that refuses inactive users: a label of metrics and a field of the log.
const CHECK: &str = "user_inactive";
/// Minimum time between two log lines.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Admits callers. Clones share their state.
#[derive(Clone, Debug)]
pub struct Admission {
    directory: Directory,
    lines: Arc<LineLimit>,
}

impl Admission {
    /// Admits whom the directory does not refuse.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self { directory, lines: Arc::new(LineLimit::new(1, LINE_INTERVAL)) }
    }

    /// The caller, completed by the directory.
    ///
    /// # Errors
    /// The user is inactive, or the directory is not available; the operator learns of both.
    pub async fn admit(&self, proven: Arc<Caller>) -> Result<Arc<Caller>, NotAdmitted> {
        let entry = proven.proof.entry.clone();
        let admitted = self.directory.admit(proven).await;
        match &admitted {
            Ok(_) => {}
            Err(NotAdmitted::Failed(error)) => log_failure(error),
            Err(inactive @ NotAdmitted::Inactive(user)) => {
                metrics::counter!(names::CALLS_NOT_AUTHENTICATED, "check" => CHECK).increment(1);
                if let Some(suppressed) = self.lines.admit() {
                    let entry = entry.as_deref();
                    tracing::info!(check = CHECK, entry, %user, suppressed, "the caller is not admitted: {inactive}");
                }
            }
        }
        admitted
    }
}
