//! The subject service of the contract: profiles and smart cards over gRPC.

use async_trait::async_trait;

use super::decode::SubjectName;
use super::errors::CallError;
use super::{Answer, answer, decode, page, page_token, refuse, split};
use crate::contract;
use crate::contract::v1;
use crate::contract::v1::subject_service_server::{SubjectService, SubjectServiceServer};
use crate::domain::{Refusal, Subject};
use crate::service::{Call, Error, Service};

/// The subject service, over the use cases.
#[derive(Clone)]
pub struct Known {
    service: Service,
}

impl Known {
    /// The subject service as the server takes it, refusing messages of more than `max_message_bytes`.
    #[must_use]
    pub fn server(service: Service, max_message_bytes: usize) -> SubjectServiceServer<Self> {
        SubjectServiceServer::new(Self { service }).max_decoding_message_size(max_message_bytes)
    }

    async fn named(&self, call: &Call, name: SubjectName) -> Result<Subject, Error> {
        match name {
            SubjectName::Profile(id) => self.service.profile(call, id).await,
            SubjectName::Smartcard(id) => self.service.smartcard(call, id).await,
            SubjectName::Card(card_id) => {
                let found = self.service.card(call, &card_id).await?;
                found.ok_or_else(|| Refusal::CardNotFound(card_id).into())
            }
        }
    }
}

#[async_trait]
impl SubjectService for Known {
    async fn get_subject(&self, request: tonic::Request<v1::GetSubjectRequest>) -> Answer<v1::GetSubjectResponse> {
        let (call, message) = split(request)?;
        let name = decode::subject_name(&message).map_err(|refusal| refuse(&call, refusal))?;
        match self.named(&call, name).await {
            Ok(subject) => answer(v1::GetSubjectResponse { subject: Some(contract::subject(&subject)) }),
            Err(error) => Err(CallError::from(error).status(call.correlation)),
        }
    }

    async fn get_subjects(&self, request: tonic::Request<v1::GetSubjectsRequest>) -> Answer<v1::GetSubjectsResponse> {
        let (call, message) = split(request)?;
        let list = decode::subject_list(call.caller.user, &message).map_err(|refusal| refuse(&call, refusal))?;
        let found = self.service.list_subjects(&call, &list.query, list.page).await;
        let found = found.map_err(|error| CallError::from(error).status(call.correlation))?;
        let (subjects, has_more) = page::of(&call, &found, contract::subject)
            .map_err(|error| CallError::from(error).status(call.correlation))?;
        let next = found.members[..subjects.len()].last().filter(|_| has_more);
        let next_page_token = next.map(|last| page_token::format_id(last.id(), &list.query)).unwrap_or_default();
        answer(v1::GetSubjectsResponse { subjects, next_page_token })
    }

    async fn import_subjects(
        &self,
        request: tonic::Request<v1::ImportSubjectsRequest>,
    ) -> Answer<v1::ImportSubjectsResponse> {
        let (call, message) = split(request)?;
        let subjects = decode::subjects(message).map_err(|refusal| refuse(&call, refusal))?;
        match self.service.import(&call, &subjects).await {
            Ok(()) => answer(v1::ImportSubjectsResponse {}),
            Err(error) => Err(CallError::from(error).status(call.correlation)),
        }
    }
}
