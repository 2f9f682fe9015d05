//! Calls over gRPC with the generated tonic client.

use std::net::SocketAddr;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{
    BatchCreateRequestsRequest, CreateRequestRequest, GetRequestRequest, GetRequestsRequest, RequestDraft, RequestType,
};
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// A client over gRPC.
pub(crate) type GrpcClient = RequestServiceClient<Channel>;

/// Template whose requests need no approval.
pub(crate) const TEMPLATE: &str = "a039b4d0-5ce8-4eff-8651-181c6576fda3";

/// Connections shared by all callers of a load.
const CONNECTIONS: usize = 8;

/// Opens connections to a server; callers clone the clients.
pub(crate) async fn clients(address: SocketAddr) -> Vec<GrpcClient> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        clients.push(RequestServiceClient::new(endpoint.connect().await.unwrap()));
    }
    clients
}

fn draft() -> RequestDraft {
    RequestDraft {
        r#type: RequestType::Enroll.into(),
        profile_template: TEMPLATE.to_owned(),
        comment: "measured".to_owned(),
        ..RequestDraft::default()
    }
}

/// Creates a request and returns its id, which is empty if the handler is.
pub(crate) async fn create(client: &mut GrpcClient) -> String {
    create_under(client, String::new()).await
}

/// Creates a request under a new idempotency key.
pub(crate) async fn create_keyed(client: &mut GrpcClient) {
    create_under(client, Uuid::new_v4().to_string()).await;
}

async fn create_under(client: &mut GrpcClient, idempotency_key: String) -> String {
    let message = CreateRequestRequest { draft: Some(draft()), idempotency_key };
    let answer = client.create_request(message).await.unwrap().into_inner();
    answer.request.map(|request| request.id).unwrap_or_default()
}

/// Creates requests in one call.
pub(crate) async fn create_batch(client: &mut GrpcClient, members: usize) {
    let member = CreateRequestRequest { draft: Some(draft()), ..CreateRequestRequest::default() };
    let message = BatchCreateRequestsRequest { requests: vec![member; members] };
    let answer = client.batch_create_requests(message).await.unwrap().into_inner();
    assert_eq!(answer.results.len(), members);
}

/// Reads a request.
pub(crate) async fn get(client: &mut GrpcClient, id: &str) {
    let answer = client.get_request(GetRequestRequest { id: id.to_owned() }).await.unwrap().into_inner();
    assert_eq!(answer.request.unwrap().id, id);
}

/// Reads a page of a list and returns the token of the next page.
pub(crate) async fn page(client: &mut GrpcClient, message: GetRequestsRequest) -> String {
    let answer = client.get_requests(message.clone()).await.unwrap().into_inner();
    assert_eq!(answer.requests.len().cast_signed(), message.page_size as isize);
    answer.next_page_token
}
