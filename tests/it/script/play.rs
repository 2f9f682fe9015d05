//! Runs the script over REST where REST offers the call and the run is to use it, else over gRPC.

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{
    AbandonRequestRequest, ApproveRequestRequest, BindSmartcardRequest, CancelRequestRequest, CompleteRequestRequest,
    DenyRequestRequest, FailRequestRequest, GetRequestRequest, GetRequestsRequest, Request, RequestStatus,
    StartRequestRequest,
};
use serde_json::{Value, json};
use tonic::Status;
use tonic::transport::Channel;

use super::scenarios::{REFUSED, SCENARIOS, Scenario, ScenarioAction, ScenarioStep, credential_ids, items};
use crate::support::client::{DEV, Http, PAVLE, REQUESTS, creation, sent_by};
use crate::support::instance::Instance;

/// The documented path.
const SMARTCARDS: &str = "/CertificateManagement/api/v1.0/smartcards";

/// The answer-to-reset of bound cards.
const ATR: &str = "3b8d01";

/// Statuses with their names and numbers in the REST API.
const STATUSES: [(RequestStatus, &str, u8); 7] = [
    (RequestStatus::Pending, "Pending", 16),
    (RequestStatus::Approved, "Approved", 3),
    (RequestStatus::Executing, "Executing", 18),
    (RequestStatus::Completed, "Completed", 8),
    (RequestStatus::Denied, "Denied", 4),
    (RequestStatus::Failed, "Failed", 9),
    (RequestStatus::Canceled, "Canceled", 17),
];

/// The transport of creates, reads and lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Grpc,
    Rest,
}

/// Plays the script on one instance.
pub(super) struct Player {
    client: RequestServiceClient<Channel>,
    http: Http,
    via: Via,
}

/// A request at the end of the script as both transports show it, without ids and times.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    message: Request,
    view: Value,
}

impl Player {
    pub(super) fn new(instance: &Instance, via: Via) -> Self {
        Self { client: instance.client(), http: Http::public(instance), via }
    }

    /// Plays all scenarios and returns the request id of each.
    pub(super) async fn play(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        for scenario in &SCENARIOS {
            let id = self.create(scenario).await;
            self.check(scenario, &id, scenario.begins, 1).await;
            let (mut status, mut version) = (scenario.begins, 1);
            for step in scenario.steps {
                let answer = self.take(step, &id).await;
                match (answer, step.leads_to) {
                    (Ok(request), Ok(next)) => {
                        (status, version) = (next, version + 1);
                        assert_eq!((request.status(), request.version), (status, version), "{}", scenario.name);
                    }
                    (Err(error), Err(code)) => assert_eq!(error.code(), code, "{}: {error}", scenario.name),
                    (answer, expected) => panic!("{}: {answer:?} instead of {expected:?}", scenario.name),
                }
                self.check(scenario, &id, status, version).await;
            }
            ids.push(id);
        }
        self.try_what_is_refused().await;
        self.check_lists(&ids).await;
        ids
    }

    /// The requests as gRPC shows them.
    pub(super) async fn requests(&mut self, ids: &[String]) -> Vec<Request> {
        let mut requests = Vec::new();
        for id in ids {
            requests.push(read(&mut self.client, id).await);
        }
        requests
    }

    /// The requests as both transports show them, without the parts that differ between runs.
    pub(super) async fn ends(&mut self, ids: &[String]) -> Vec<End> {
        let mut ends = Vec::new();
        for id in ids {
            let message = without_ids_and_times(read(&mut self.client, id).await);
            let mut view = self.http.get(&format!("{REQUESTS}/{id}")).await.json();
            view["Uuid"] = Value::Null;
            if is_made_here(view["NewSmartcardUuid"].as_str().unwrap()) {
                view["NewSmartcardUuid"] = Value::Null;
            }
            view["Submitted"] = Value::Null;
            view["Completed"] = (view["Completed"] != "0001-01-01T00:00:00").into();
            ends.push(End { message, view });
        }
        ends
    }

    async fn create(&mut self, scenario: &Scenario) -> String {
        match self.via {
            Via::Rest => self.http.by(scenario.by).post(&[], &scenario.draft.body()).await.created(),
            Via::Grpc => {
                let created =
                    self.client.create_request(sent_by(scenario.by, creation(scenario.draft.message()))).await;
                created.unwrap().into_inner().request.unwrap().id
            }
        }
    }

    /// Reads a request, which must be in the state of the script.
    async fn check(&mut self, scenario: &Scenario, id: &str, status: RequestStatus, version: u32) {
        match self.via {
            Via::Rest => {
                let answer = self.http.get(&format!("{REQUESTS}/{id}")).await;
                assert_eq!(answer.json()["Status"], status_number(status), "{}: {answer:?}", scenario.name);
            }
            Via::Grpc => {
                let request = read(&mut self.client, id).await;
                assert_eq!((request.status(), request.version), (status, version), "{}", scenario.name);
            }
        }
    }

    async fn take(&mut self, step: &ScenarioStep, id: &str) -> Result<Request, Status> {
        match step.action {
            ScenarioAction::Bind(serial_number) if self.via == Via::Rest && step.leads_to.is_ok() => {
                let body = json!({ "requestid": id, "cardid": serial_number, "atr": ATR }).to_string();
                let headers = [("Content-Type", "application/json")];
                let answer = self.http.by(step.by).send("POST", SMARTCARDS, &headers, &body).await;
                assert_eq!(answer.status, 201, "{answer:?}");
                Ok(read(&mut self.client, id).await)
            }
            action => take(&mut self.client, step.by, action, id).await,
        }
    }

    async fn try_what_is_refused(&mut self) {
        for (why, draft, code, status) in &REFUSED {
            match self.via {
                Via::Rest => {
                    let answer = self.http.post(&[], &draft.body()).await;
                    assert_eq!(answer.status, *status, "{why}: {answer:?}");
                }
                Via::Grpc => {
                    let answer = self.client.create_request(creation(draft.message())).await;
                    assert_eq!(answer.map_err(|error| error.code()).err(), Some(*code), "{why}");
                }
            }
        }
    }

    /// Checks that lists show the requests of the script, in the order of creation.
    async fn check_lists(&mut self, ids: &[String]) {
        let scenarios: Vec<(&Scenario, &String)> = SCENARIOS.iter().zip(ids).collect();
        let expected = |is_meant: &dyn Fn(&Scenario) -> bool| -> Vec<String> {
            scenarios.iter().filter(|(scenario, _)| is_meant(scenario)).map(|(_, id)| (*id).clone()).collect()
        };
        assert_eq!(self.list("", DEV, GetRequestsRequest::default()).await, ids);
        for (status, name, _) in STATUSES {
            let filter = GetRequestsRequest { statuses: vec![status.into()], ..Default::default() };
            let listed = self.list(&format!("?status={name}"), DEV, filter).await;
            assert_eq!(listed, expected(&|scenario| scenario.ends() == status), "{name}");
        }
        for user in [DEV, PAVLE] {
            let (statuses, targets) = (vec![RequestStatus::Pending.into()], vec![user.to_owned()]);
            let filter = GetRequestsRequest { statuses, targets, ..Default::default() };
            let listed = self.list("?targetuser=current&status=Pending", user, filter).await;
            let is_meant = |scenario: &Scenario| scenario.ends() == RequestStatus::Pending && scenario.target() == user;
            assert_eq!(listed, expected(&is_meant), "for {user}");
        }
    }

    async fn list(&mut self, query: &str, user: &'static str, filter: GetRequestsRequest) -> Vec<String> {
        match self.via {
            Via::Rest => {
                let answer = self.http.by(user).get(&format!("{REQUESTS}{query}")).await;
                if answer.status == 204 {
                    return Vec::new();
                }
                assert_eq!(answer.status, 200, "{answer:?}");
                let listed = answer.json();
                listed.as_array().unwrap().iter().map(|view| view["Uuid"].as_str().unwrap().to_owned()).collect()
            }
            Via::Grpc => {
                let page = self.client.get_requests(sent_by(user, filter)).await.unwrap().into_inner();
                page.requests.into_iter().map(|request| request.id).collect()
            }
        }
    }
}

/// Takes a step of a request over gRPC.
pub(crate) async fn take(
    client: &mut RequestServiceClient<Channel>,
    by: &str,
    action: ScenarioAction,
    id: &str,
) -> Result<Request, Status> {
    let id = id.to_owned();
    let request = match action {
        ScenarioAction::Approve(delivered) => {
            let message = ApproveRequestRequest { id, data_items: items(delivered), ..Default::default() };
            client.approve_request(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Deny => {
            let message = DenyRequestRequest { id, comment: "no".to_owned(), ..Default::default() };
            client.deny_request(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Start => {
            let message = StartRequestRequest { id, ..Default::default() };
            client.start_request(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Bind(serial_number) => {
            let (serial_number, atr) = (serial_number.to_owned(), ATR.to_owned());
            let message = BindSmartcardRequest { id, serial_number, atr, ..Default::default() };
            client.bind_smartcard(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Complete(profile, smartcard) => {
            let new_credential = credential_ids(profile, smartcard);
            let message = CompleteRequestRequest { id, new_credential, ..Default::default() };
            client.complete_request(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Fail => {
            let message = FailRequestRequest { id, comment: "the printer burns".to_owned(), ..Default::default() };
            client.fail_request(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Cancel => {
            let message = CancelRequestRequest { id, ..Default::default() };
            client.cancel_request(sent_by(by, message)).await?.into_inner().request
        }
        ScenarioAction::Abandon => {
            let message = AbandonRequestRequest { id, ..Default::default() };
            client.abandon_request(sent_by(by, message)).await?.into_inner().request
        }
    };
    Ok(request.expect("every answer has its request"))
}

/// Reads a request that must exist.
pub(crate) async fn read(client: &mut RequestServiceClient<Channel>, id: &str) -> Request {
    let answer = client.get_request(GetRequestRequest { id: id.to_owned() }).await;
    answer.unwrap().into_inner().request.unwrap()
}

/// The number of a status in the REST API.
pub(crate) fn status_number(status: RequestStatus) -> u8 {
    STATUSES.iter().find(|(named, ..)| *named == status).map(|(_, _, number)| *number).expect("every status has one")
}

/// Whether the service generated an id: only its ids are UUIDv7.
fn is_made_here(id: &str) -> bool {
    id.parse::<uuid::Uuid>().is_ok_and(|id| id.get_version_num() == 7)
}

/// A request without the parts in which equivalent requests differ.
pub(crate) fn without_ids_and_times(mut request: Request) -> Request {
    request.id.clear();
    if let Some(new) = &mut request.new_credential
        && is_made_here(&new.smartcard)
    {
        new.smartcard.clear();
    }
    (request.submit_time, request.update_time) = (None, None);
    for approval in &mut request.approvals {
        approval.time = None;
    }
    if let Some(execution) = &mut request.execution {
        execution.time = None;
    }
    if let Some(conclusion) = &mut request.conclusion {
        conclusion.time = None;
    }
    request
}
