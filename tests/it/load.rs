//! Load: clients that carry requests through their lives, repeat what failed under the same key, and remember what was
//! acknowledged.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{
    AbandonRequestRequest, CancelRequestRequest, CompleteRequestRequest, CreateRequestRequest, FailRequestRequest,
    Request, RequestDraft, RequestType, StartRequestRequest,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::audit::Acknowledged;
use crate::instance::channel;

/// Template of which requests are approved at once.
pub(crate) const TEMPLATE: &str = "a039b4d0-5ce8-4eff-8651-181c6576fda3";

/// Pause before a call that failed is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The instances that clients may call; they come and go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Mutex<Vec<SocketAddr>>>);

impl Addresses {
    pub(crate) fn set(&self, addresses: Vec<SocketAddr>) {
        *self.0.lock().unwrap() = addresses;
    }

    fn pick(&self) -> Option<SocketAddr> {
        let addresses = self.0.lock().unwrap();
        // The low bits of a fresh random number.
        let at = Uuid::new_v4().as_u128() as usize;
        (!addresses.is_empty()).then(|| addresses[at % addresses.len()])
    }
}

/// Clients at work.
pub(crate) struct Load {
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    stop: CancellationToken,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts so many clients.
    pub(crate) fn start(clients: usize, addresses: &Addresses) -> Self {
        let mut load = Self { acknowledged: Arc::default(), stop: CancellationToken::new(), clients: JoinSet::new() };
        for _ in 0..clients {
            let mut client = Client {
                addresses: addresses.clone(),
                connection: None,
                acknowledged: Arc::clone(&load.acknowledged),
                stop: load.stop.clone(),
            };
            load.clients.spawn(async move { client.work().await });
        }
        load
    }

    /// How many changes were acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more changes were acknowledged: the load is really going on.
    pub(crate) async fn progress(&self, more: usize) {
        let wanted = self.count() + more;
        while self.count() < wanted {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Stops the clients and tells what was acknowledged.
    pub(crate) async fn stop(mut self) -> Vec<Acknowledged> {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}

struct Client {
    addresses: Addresses,
    connection: Option<RequestServiceClient<Channel>>,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    stop: CancellationToken,
}

/// One step of a life.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create,
    Start,
    Complete,
    Fail,
    Cancel,
    Abandon,
}

/// Lives that requests have under load.
const LIVES: [&[Step]; 5] = [
    &[Step::Create, Step::Start, Step::Complete],
    &[Step::Create, Step::Complete],
    &[Step::Create, Step::Start, Step::Fail],
    &[Step::Create, Step::Cancel],
    &[Step::Create, Step::Start, Step::Abandon],
];

/// A call as it is made, and made again under the same key.
struct Ask {
    step: Step,
    /// The request; empty before it is created.
    id: String,
    key: String,
}

impl Client {
    async fn work(&mut self) {
        for life in LIVES.into_iter().cycle() {
            let mut id = String::new();
            for (step, version) in life.iter().zip(1..) {
                let ask = Ask { step: *step, id: id.clone(), key: Uuid::new_v4().to_string() };
                let Some(request) = self.repeat(&ask).await else { return };
                assert!(id.is_empty() || request.id == id, "another request was answered");
                assert_eq!(request.version, version, "{step:?}");
                id = request.id;
            }
        }
    }

    /// Repeats a call until it is answered; `None` once the clients are to stop.
    async fn repeat(&mut self, ask: &Ask) -> Option<Request> {
        while !self.stop.is_cancelled() {
            if self.connection.is_none() {
                self.connection = self.addresses.pick().map(|address| RequestServiceClient::new(channel(address)));
            }
            let Some(connection) = &mut self.connection else {
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            };
            match call(connection, ask).await {
                Ok(request) => {
                    let request = request.expect("every answer has its request");
                    let id = request.id.parse().expect("ids are UUIDs");
                    let acknowledged = Acknowledged { request: id, version: request.version };
                    self.acknowledged.lock().unwrap().push(acknowledged);
                    return Some(request);
                }
                Err(status) => {
                    assert!(may_pass(status.code()), "{:?} was refused: {status:?}", ask.step);
                    self.connection = None;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
        None
    }
}

async fn call(client: &mut RequestServiceClient<Channel>, ask: &Ask) -> Result<Option<Request>, Status> {
    let (id, request_id) = (ask.id.clone(), ask.key.clone());
    let comment = format!("{:?} under load", ask.step);
    Ok(match ask.step {
        Step::Create => {
            let draft = RequestDraft {
                r#type: RequestType::Enroll.into(),
                profile_template: TEMPLATE.to_owned(),
                comment,
                ..Default::default()
            };
            client.create_request(CreateRequestRequest { draft: Some(draft), request_id }).await?.into_inner().request
        }
        Step::Start => {
            let call = StartRequestRequest { id, request_id, comment, ..Default::default() };
            client.start_request(call).await?.into_inner().request
        }
        Step::Complete => {
            let call = CompleteRequestRequest { id, request_id, comment, ..Default::default() };
            client.complete_request(call).await?.into_inner().request
        }
        Step::Fail => {
            let call = FailRequestRequest { id, request_id, comment, ..Default::default() };
            client.fail_request(call).await?.into_inner().request
        }
        Step::Cancel => {
            let call = CancelRequestRequest { id, request_id, comment, ..Default::default() };
            client.cancel_request(call).await?.into_inner().request
        }
        Step::Abandon => {
            let call = AbandonRequestRequest { id, request_id, comment, ..Default::default() };
            client.abandon_request(call).await?.into_inner().request
        }
    })
}

/// What a client meets while servers are killed. Anything else is a defect.
fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted | Code::Unknown
    )
}
