//! Steps through the life cycle, over either transport where it has them.

use cmgate::contract::v1::{
    AbandonRequestRequest, ApproveRequestRequest, CancelRequestRequest, CompleteRequestRequest, DenyRequestRequest,
    FailRequestRequest, StartRequestRequest,
};
use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::sample::select;

use super::Both;
use crate::client::{DEV, JUDGE, REQUESTS, sent_by};

/// One call on a request, by a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    by: &'static str,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Approve,
    Deny,
    Start,
    Complete,
    Fail,
    Cancel,
    Abandon,
}

const ACTIONS: [Action; 7] =
    [Action::Approve, Action::Deny, Action::Start, Action::Complete, Action::Fail, Action::Cancel, Action::Abandon];

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (select(vec![DEV, DEV, JUDGE]), select(ACTIONS.to_vec())).prop_map(|(by, action)| Step { by, action });
    vec(step, 0..4)
}

impl Step {
    /// Whether it changes the card or profile that a request is about.
    pub(super) fn changes_subjects(self) -> bool {
        self.action == Action::Complete
    }

    /// Takes it over gRPC; tells whether it was taken.
    pub(super) async fn over_grpc(self, both: &mut Both, id: &str) -> bool {
        let (client, id) = (&mut both.client, id.to_owned());
        match self.action {
            Action::Approve => {
                let message = ApproveRequestRequest { id, ..Default::default() };
                client.approve_request(sent_by(self.by, message)).await.is_ok()
            }
            Action::Deny => {
                let message = DenyRequestRequest { id, ..Default::default() };
                client.deny_request(sent_by(self.by, message)).await.is_ok()
            }
            Action::Start => {
                let message = StartRequestRequest { id, ..Default::default() };
                client.start_request(sent_by(self.by, message)).await.is_ok()
            }
            Action::Complete => {
                let message = CompleteRequestRequest { id, ..Default::default() };
                client.complete_request(sent_by(self.by, message)).await.is_ok()
            }
            Action::Fail => {
                let message = FailRequestRequest { id, comment: "broken".to_owned(), ..Default::default() };
                client.fail_request(sent_by(self.by, message)).await.is_ok()
            }
            Action::Cancel => {
                let message = CancelRequestRequest { id, ..Default::default() };
                client.cancel_request(sent_by(self.by, message)).await.is_ok()
            }
            Action::Abandon => {
                let message = AbandonRequestRequest { id, ..Default::default() };
                client.abandon_request(sent_by(self.by, message)).await.is_ok()
            }
        }
    }

    /// Takes it over REST if it can be said there, else over gRPC.
    pub(super) async fn over_rest(self, both: &mut Both, id: &str) -> bool {
        let status = match self.action {
            Action::Complete => "Completed",
            Action::Cancel => "Canceled",
            Action::Abandon => "Abandoned",
            Action::Approve | Action::Deny | Action::Start | Action::Fail => return self.over_grpc(both, id).await,
        };
        let (path, body) = (format!("{REQUESTS}/{id}"), format!("{{\"status\":\"{status}\"}}"));
        let json = [("Content-Type", "application/json")];
        both.http.by(self.by).send("PUT", &path, &json, &body).await.status == 200
    }
}
