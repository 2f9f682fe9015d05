//! Generated steps through the life cycle, over the transports that offer them.

use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::sample::select;

use super::Both;
use crate::script::{Action, take};
use crate::support::client::{DEV, JUDGE, REQUESTS};

/// One call on a request, by a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    by: &'static str,
    action: Action,
}

const ACTIONS: [Action; 7] = [
    Action::Approve(&[]),
    Action::Deny,
    Action::Start,
    Action::Complete("", ""),
    Action::Fail,
    Action::Cancel,
    Action::Abandon,
];

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (select(vec![DEV, DEV, JUDGE]), select(ACTIONS.to_vec())).prop_map(|(by, action)| Step { by, action });
    vec(step, 0..4)
}

impl Step {
    /// Whether it changes the card or profile that a request is about.
    pub(super) fn changes_credentials(self) -> bool {
        matches!(self.action, Action::Complete(..))
    }

    /// Takes the step over gRPC; returns whether it was accepted.
    pub(super) async fn over_grpc(self, both: &mut Both, id: &str) -> bool {
        take(&mut both.client, self.by, self.action, id).await.is_ok()
    }

    /// Takes the step over REST if REST offers it, else over gRPC.
    pub(super) async fn over_rest(self, both: &mut Both, id: &str) -> bool {
        let status = match self.action {
            Action::Complete(..) => "Completed",
            Action::Cancel => "Canceled",
            Action::Abandon => "Abandoned",
            Action::Approve(_) | Action::Deny | Action::Start | Action::Bind(_) | Action::Fail => {
                return self.over_grpc(both, id).await;
            }
        };
        let (path, body) = (format!("{REQUESTS}/{id}"), format!("{{\"status\":\"{status}\"}}"));
        let json = [("Content-Type", "application/json")];
        both.http.by(self.by).send("PUT", &path, &json, &body).await.status == 200
    }
}
