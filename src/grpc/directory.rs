//! `cmgate.v1.DirectoryService`: users of the directory over gRPC.

use async_trait::async_trait;
use tonic::codec::CompressionEncoding;

use super::errors::CallError;
use super::{Answer, answer, decode, page, page_token, refuse, split};
use crate::contract;
use crate::contract::v1;
use crate::contract::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use crate::domain::UserCursor;
use crate::service::Service;

/// Implements `cmgate.v1.DirectoryService` with the use cases.
#[derive(Clone)]
pub struct Users {
    service: Service,
}

impl Users {
    /// The tonic service, which refuses messages longer than `max_message_bytes`.
    #[must_use]
    pub fn server(service: Service, max_message_bytes: usize) -> DirectoryServiceServer<Self> {
        DirectoryServiceServer::new(Self { service })
            .max_decoding_message_size(max_message_bytes)
            .send_compressed(CompressionEncoding::Gzip)
    }
}

#[async_trait]
impl DirectoryService for Users {
    async fn get_user(&self, request: tonic::Request<v1::GetUserRequest>) -> Answer<v1::GetUserResponse> {
        let (call, message) = split(request)?;
        let name = decode::user_name(&message).map_err(|refusal| refuse(&call, refusal))?;
        match self.service.user(&call, name).await {
            Ok(user) => answer(v1::GetUserResponse { user: Some(contract::user(&user)) }),
            Err(error) => Err(CallError::from(error).status(&call)),
        }
    }

    async fn get_users(&self, request: tonic::Request<v1::GetUsersRequest>) -> Answer<v1::GetUsersResponse> {
        let (call, message) = split(request)?;
        let list = decode::user_list(&message).map_err(|refusal| refuse(&call, refusal))?;
        let found = self.service.list_users(&call, &list.query, &list.page).await;
        let found = found.map_err(|error| CallError::from(error).status(&call))?;
        let (users, has_more) =
            page::of(&call, &found, contract::user).map_err(|error| CallError::from(error).status(&call))?;
        let next = found.members[..users.len()].last().filter(|_| has_more);
        let next_page_token =
            next.map(|last| page_token::format_user(&UserCursor::of(last), &list.query)).unwrap_or_default();
        answer(v1::GetUsersResponse { users, next_page_token })
    }

    async fn import_users(&self, request: tonic::Request<v1::ImportUsersRequest>) -> Answer<v1::ImportUsersResponse> {
        let (call, message) = split(request)?;
        let users = decode::users(message).map_err(|refusal| refuse(&call, refusal))?;
        match self.service.import_users(&call, users).await {
            Ok(()) => answer(v1::ImportUsersResponse {}),
            Err(error) => Err(CallError::from(error).status(&call)),
        }
    }
}
