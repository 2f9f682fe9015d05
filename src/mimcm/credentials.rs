//! Handlers of the endpoints for smart cards and profiles.

use axum::response::Response;
use http::StatusCode;

use super::answer::{answer_with, answer_with_list, created, no_content, no_content_if_not_found};
use super::binding::{self, Binding};
use super::credential_view::{ProfileView, SmartcardView};
use super::error::HttpError;
use super::handlers::{Facade, Received};
use super::incoming::Incoming;
use super::query::Parameters;
use super::{codes, list};
use crate::domain::{Comment, Credential, CredentialIds, ProfileId, RequestId, SerialNumber, SmartcardId};
use crate::service::{Call, Violations};

impl Facade {
    /// `POST /smartcards`: binds a card to a request.
    pub(super) async fn bind(self, Incoming { call, request, .. }: Incoming<()>) -> Result<Response, HttpError> {
        let Received { body, key, violations, .. } = self.receive(&call, request).await?;
        let Binding { request, serial_number, atr } = binding::binding(&body, violations)?;
        let action = self.service.binding(serial_number, atr, Comment::default());
        match self.service.act(&call, request, action, None, key).await {
            Ok(request) => Ok(request
                .new
                .smartcard
                .map_or_else(no_content, |card| created(&format!("api/v1.0/smartcards/{card}")))),
            Err(error) => no_content_if_not_found(error),
        }
    }

    /// `GET /smartcards?cardid=`: one card; without the parameter, the cards of the caller.
    pub(super) async fn smartcards(self, Incoming { call, request, .. }: Incoming<()>) -> Result<Response, HttpError> {
        let mut violations = Violations::default();
        let parameters = Parameters::of(request.uri())?;
        let serial_number = parameters.get("cardid", &mut violations);
        let is_given = !serial_number.is_empty();
        let serial_number = if is_given { violations.keep(SerialNumber::parse("cardid", serial_number)) } else { None };
        if !violations.is_empty() {
            return Err(violations.refusal().into());
        }
        if let Some(serial_number) = serial_number {
            let card = self.service.card(&serial_number).await?;
            return Ok(card.map_or_else(no_content, |card| answer_with(StatusCode::OK, &SmartcardView::of(&card))));
        }
        list::answer(list::Credentials { service: self.service, call, statuses: Vec::new(), are_smartcards: true })
            .await
    }

    /// `GET /smartcards/{id}`
    pub(super) async fn smartcard(
        self,
        Incoming { path: id, .. }: Incoming<SmartcardId>,
    ) -> Result<Response, HttpError> {
        self.answer_with_smartcard(id).await
    }

    async fn answer_with_smartcard(&self, id: SmartcardId) -> Result<Response, HttpError> {
        match self.service.smartcard(id).await {
            Ok(card) => Ok(answer_with(StatusCode::OK, &SmartcardView::of(&card))),
            Err(error) => no_content_if_not_found(error),
        }
    }

    /// `GET /requests/{id}/smartcards/{id}`
    pub(super) async fn smartcard_of(
        self,
        Incoming { call, path: (request, id), .. }: Incoming<(RequestId, SmartcardId)>,
    ) -> Result<Response, HttpError> {
        match self.service.get(&call, request).await {
            Ok(request) if [request.old.smartcard, request.new.smartcard].contains(&Some(id)) => {
                self.answer_with_smartcard(id).await
            }
            Ok(_) => Ok(no_content()),
            Err(error) => no_content_if_not_found(error),
        }
    }

    /// `PUT /requests/{id}/smartcards/{id}`: sets the status of the card and answers with the card.
    pub(super) async fn change_smartcard(
        self,
        Incoming { call, path, request }: Incoming<(RequestId, SmartcardId)>,
    ) -> Result<Response, HttpError> {
        let mut received = self.receive(&call, request).await?;
        let expected = received.expected();
        let status = binding::credential_status(&received.body, received.violations)?;
        let version = expected.version()?;
        match self.service.change_smartcard(&call, path, status, version, received.key).await {
            Ok(card) => Ok(answer_with(StatusCode::OK, &SmartcardView::of(&card))),
            Err(error) => no_content_if_not_found(error),
        }
    }

    /// `GET /profiles`: the software profiles of the caller.
    pub(super) async fn profiles(self, Incoming { call, request, .. }: Incoming<()>) -> Result<Response, HttpError> {
        let mut violations = Violations::default();
        let parameters = Parameters::of(request.uri())?;
        let status = codes::read_profile_status(parameters.get("status", &mut violations));
        if status.is_none() {
            violations.add("status", format!("must be one of {}", codes::PROFILE_STATUS_NAMES));
        }
        if !violations.is_empty() {
            return Err(violations.refusal().into());
        }
        let statuses = match status {
            Some(codes::ProfileStatus::Any) => Vec::new(),
            Some(codes::ProfileStatus::Is(status)) => vec![status],
            // No profile has the status of a request.
            Some(codes::ProfileStatus::OfRequests) | None => return Ok(no_content()),
        };
        list::answer(list::Credentials { service: self.service, call, statuses, are_smartcards: false }).await
    }

    /// `GET /profiles/{id}`
    pub(super) async fn profile(
        self,
        Incoming { call, path: id, .. }: Incoming<ProfileId>,
    ) -> Result<Response, HttpError> {
        match self.service.profile(id).await {
            Ok(profile) => {
                let operations = self.service.operations(&call, &profile);
                Ok(answer_with(StatusCode::OK, &ProfileView::of(&profile, &operations)))
            }
            Err(error) => no_content_if_not_found(error),
        }
    }

    /// `GET /requests/{id}/profiles`: the new profile of the request, then the old one.
    pub(super) async fn profiles_of(
        self,
        Incoming { call, path: id, .. }: Incoming<RequestId>,
    ) -> Result<Response, HttpError> {
        let request = match self.service.get(&call, id).await {
            Ok(request) => request,
            Err(error) => return no_content_if_not_found(error),
        };
        let mut profiles = Vec::new();
        let old = request.old.profile.filter(|old| request.new.profile != Some(*old));
        for profile in [request.new.profile, old].into_iter().flatten() {
            let known = self.service.credentials_of(CredentialIds { profile: Some(profile), smartcard: None }).await?;
            profiles.extend(known);
        }
        Ok(self.list_profiles(&call, &profiles))
    }

    /// `GET /smartcards/{id}/operations`: the types of request that the caller may create for the card.
    pub(super) async fn smartcard_operations(
        self,
        Incoming { call, path: id, .. }: Incoming<SmartcardId>,
    ) -> Result<Response, HttpError> {
        self.operations(&call, CredentialIds { smartcard: Some(id), profile: None }).await
    }

    /// `GET /profiles/{id}/operations`: the types of request that the caller may create for the profile.
    pub(super) async fn profile_operations(
        self,
        Incoming { call, path: id, .. }: Incoming<ProfileId>,
    ) -> Result<Response, HttpError> {
        self.operations(&call, CredentialIds { profile: Some(id), smartcard: None }).await
    }

    async fn operations(&self, call: &Call, credential: CredentialIds) -> Result<Response, HttpError> {
        let known = self.service.credentials_of(credential).await?;
        let known = known.into_iter().find(|known| known.is_smartcard() == credential.smartcard.is_some());
        let operations = known.map(|known| codes::operations(&self.service.operations(call, &known)));
        Ok(answer_with_list(&operations.unwrap_or_default()))
    }

    fn list_profiles(&self, call: &Call, profiles: &[Credential]) -> Response {
        let view = |profile| ProfileView::of(profile, &self.service.operations(call, profile));
        let views: Vec<ProfileView<'_>> = profiles.iter().map(view).collect();
        answer_with_list(&views)
    }
}
