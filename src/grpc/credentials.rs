//! `cmgate.v1.CredentialService`: profiles and smart cards over gRPC.

use async_trait::async_trait;
use tonic::codec::CompressionEncoding;

use super::decode::CredentialName;
use super::errors::CallError;
use super::{Answer, answer, decode, page, page_token, refuse, split};
use crate::contract;
use crate::contract::v1;
use crate::contract::v1::credential_service_server::{CredentialService, CredentialServiceServer};
use crate::domain::{Credential, Refusal};
use crate::service::{Error, Service};

/// Implements `cmgate.v1.CredentialService` with the use cases.
#[derive(Clone)]
pub struct Credentials {
    service: Service,
}

impl Credentials {
    /// The tonic service, which refuses messages longer than `max_message_bytes`.
    #[must_use]
    pub fn server(service: Service, max_message_bytes: usize) -> CredentialServiceServer<Self> {
        CredentialServiceServer::new(Self { service })
            .max_decoding_message_size(max_message_bytes)
            .send_compressed(CompressionEncoding::Gzip)
    }

    async fn named(&self, name: CredentialName) -> Result<Credential, Error> {
        match name {
            CredentialName::Profile(id) => self.service.profile(id).await,
            CredentialName::Smartcard(id) => self.service.smartcard(id).await,
            CredentialName::SerialNumber(serial_number) => {
                let found = self.service.card(&serial_number).await?;
                found.ok_or_else(|| Refusal::SerialNumberNotFound(serial_number).into())
            }
        }
    }
}

#[async_trait]
impl CredentialService for Credentials {
    async fn get_credential(
        &self,
        request: tonic::Request<v1::GetCredentialRequest>,
    ) -> Answer<v1::GetCredentialResponse> {
        let (call, message) = split(request)?;
        let name = decode::credential_name(&message).map_err(|refusal| refuse(&call, refusal))?;
        match self.named(name).await {
            Ok(credential) => answer(v1::GetCredentialResponse { credential: Some(contract::credential(&credential)) }),
            Err(error) => Err(CallError::from(error).status(&call)),
        }
    }

    async fn get_credentials(
        &self,
        request: tonic::Request<v1::GetCredentialsRequest>,
    ) -> Answer<v1::GetCredentialsResponse> {
        let (call, message) = split(request)?;
        let list = decode::credential_list(call.caller.user, &message).map_err(|refusal| refuse(&call, refusal))?;
        let found = self.service.list_credentials(&call, &list.query, list.page).await;
        let found = found.map_err(|error| CallError::from(error).status(&call))?;
        let (credentials, has_more) =
            page::of(&call, &found, contract::credential).map_err(|error| CallError::from(error).status(&call))?;
        let next = found.members[..credentials.len()].last().filter(|_| has_more);
        let next_page_token = next.map(|last| page_token::format_id(last.id(), &list.query)).unwrap_or_default();
        answer(v1::GetCredentialsResponse { credentials, next_page_token })
    }

    async fn import_credentials(
        &self,
        request: tonic::Request<v1::ImportCredentialsRequest>,
    ) -> Answer<v1::ImportCredentialsResponse> {
        let (call, message) = split(request)?;
        let credentials = decode::credentials(message).map_err(|refusal| refuse(&call, refusal))?;
        match self.service.import(&call, &credentials).await {
            Ok(()) => answer(v1::ImportCredentialsResponse {}),
            Err(error) => Err(CallError::from(error).status(&call)),
        }
    }
}
