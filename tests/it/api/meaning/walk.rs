//! Generated steps through the life cycle, over the transports that offer them.

use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::sample::select;

use super::Both;
use crate::script::{ScenarioAction, take};
use crate::support::client::{DEV, JUDGE, REQUESTS};

/// One call on a request, by a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct GeneratedStep {
    by: &'static str,
    action: ScenarioAction,
}

const ACTIONS: [ScenarioAction; 7] = [
    ScenarioAction::Approve(&[]),
    ScenarioAction::Deny,
    ScenarioAction::Start,
    ScenarioAction::Complete("", ""),
    ScenarioAction::Fail,
    ScenarioAction::Cancel,
    ScenarioAction::Abandon,
];

pub(super) fn steps() -> impl Strategy<Value = Vec<GeneratedStep>> {
    let step =
        (select(vec![DEV, DEV, JUDGE]), select(ACTIONS.to_vec())).prop_map(|(by, action)| GeneratedStep { by, action });
    vec(step, 0..4)
}

impl GeneratedStep {
    /// Whether it changes the card or profile that a request is about.
    pub(super) fn changes_credentials(self) -> bool {
        matches!(self.action, ScenarioAction::Complete(..))
    }

    /// Takes the step over gRPC; returns whether it was accepted.
    pub(super) async fn over_grpc(self, both: &mut Both, id: &str) -> bool {
        take(&mut both.client, self.by, self.action, id).await.is_ok()
    }

    /// Takes the step over REST if REST offers it, else over gRPC.
    pub(super) async fn over_rest(self, both: &mut Both, id: &str) -> bool {
        let status = match self.action {
            ScenarioAction::Complete(..) => "Completed",
            ScenarioAction::Cancel => "Canceled",
            ScenarioAction::Abandon => "Abandoned",
            ScenarioAction::Approve(_)
            | ScenarioAction::Deny
            | ScenarioAction::Start
            | ScenarioAction::Bind(_)
            | ScenarioAction::Fail => {
                return self.over_grpc(both, id).await;
            }
        };
        let (path, body) = (format!("{REQUESTS}/{id}"), format!("{{\"status\":\"{status}\"}}"));
        let json = [("Content-Type", "application/json")];
        both.http.by(self.by).send("PUT", &path, &json, &body).await.status == 200
    }
}
