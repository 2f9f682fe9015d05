//! Calls over gRPC with the generated tonic client.

use std::net::SocketAddr;
use std::sync::Arc;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use cmgate::contract::v1::{
    BatchCreateRequestsRequest, CreateRequestRequest, GetRequestRequest, GetRequestsRequest, RequestDraft, RequestType,
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use uuid::Uuid;

/// A client over gRPC.
pub(crate) type GrpcClient = RequestServiceClient<Channel>;

/// A value of `Authorization`.
pub(crate) type Authorization = MetadataValue<Ascii>;

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

/// The same over TLS.
pub(crate) async fn clients_over_tls(address: SocketAddr, tls: &Arc<ClientConfig>) -> Vec<GrpcClient> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let connector = TlsConnector::from(Arc::clone(tls));
        let connect = tower::service_fn(move |_| {
            let connector = connector.clone();
            async move {
                let socket = TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                let name = ServerName::try_from("localhost").unwrap();
                connector.connect(name, socket).await.map(TokioIo::new)
            }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        clients.push(RequestServiceClient::new(endpoint.connect_with_connector(connect).await.unwrap()));
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

/// Creates a request as a caller with this value of `Authorization`, and returns its id.
pub(crate) async fn create_as(
    client: &mut GrpcClient,
    authorization: Option<&Authorization>,
) -> Result<String, Status> {
    let message = CreateRequestRequest { draft: Some(draft()), ..CreateRequestRequest::default() };
    let answer = client.create_request(with(message, authorization)).await?.into_inner();
    Ok(answer.request.map(|request| request.id).unwrap_or_default())
}

/// Reads a request as such a caller.
pub(crate) async fn get_as(client: &mut GrpcClient, id: &str, authorization: &Authorization) -> Result<(), Status> {
    let message = GetRequestRequest { id: id.to_owned() };
    client.get_request(with(message, Some(authorization))).await.map(drop)
}

fn with<M>(message: M, authorization: Option<&Authorization>) -> Request<M> {
    let mut request = Request::new(message);
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.clone());
    }
    request
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
