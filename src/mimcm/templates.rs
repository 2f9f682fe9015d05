//! Handlers of the endpoints for profile templates. They read the catalog in memory, so they answer at once.

use axum::response::Response;
use http::StatusCode;

use super::answer::{answer_with, answer_with_list, no_content};
use super::error::HttpError;
use super::handlers::Facade;
use super::incoming::Incoming;
use super::query::Parameters;
use super::template_view::{CardView, PolicyView, TemplateView};
use crate::domain::{Medium, ProfileTemplate, Refusal, RequestType, TemplateId};
use crate::service::{Call, Error, Violations};

impl Facade {
    /// `GET /profiletemplates`
    pub(super) fn templates(self, Incoming { call, request, .. }: Incoming<()>) -> Result<Response, HttpError> {
        let mut violations = Violations::default();
        // With or without the filter, the list has the templates of the caller.
        Parameters::of(request.uri())?.is_about_caller(&mut violations);
        if !violations.is_empty() {
            return Err(violations.refusal().into());
        }
        let templates = self.service.templates(&call);
        let views: Vec<TemplateView<'_>> = templates.iter().map(TemplateView::of).collect();
        Ok(answer_with_list(&views))
    }

    /// `GET /profiletemplates/{id}`
    pub(super) fn template(self, Incoming { call, path: id, .. }: Incoming<TemplateId>) -> Result<Response, HttpError> {
        self.view_of_template(&call, id, |template| answer_with(StatusCode::OK, &TemplateView::of(template)))
    }

    /// `GET /profiletemplates/{id}/policies/{type}`
    pub(super) fn policy(
        self,
        Incoming { call, path: (id, kind), .. }: Incoming<(TemplateId, RequestType)>,
    ) -> Result<Response, HttpError> {
        self.view_of_template(&call, id, |template| {
            let policy = template.policies.get(&kind).map(|policy| PolicyView::of(kind, policy));
            policy.map_or_else(no_content, |policy| answer_with(StatusCode::OK, &policy))
        })
    }

    /// `GET /profiletemplates/{id}/configuration/smartcards`; 204 for a template of software profiles.
    pub(super) fn smartcard_configuration(
        self,
        Incoming { call, path: id, .. }: Incoming<TemplateId>,
    ) -> Result<Response, HttpError> {
        self.view_of_template(&call, id, |template| match template.medium {
            Medium::Smartcard => answer_with(StatusCode::OK, &CardView::of(&template.smartcard)),
            Medium::Software => no_content(),
        })
    }

    /// Answers with a view of one template; 204 if there is no such template.
    fn view_of_template(
        &self,
        call: &Call,
        id: TemplateId,
        view: impl FnOnce(&ProfileTemplate) -> Response,
    ) -> Result<Response, HttpError> {
        match self.service.template(call, id) {
            Ok(template) => Ok(view(&template)),
            Err(Error::Refused(Refusal::TemplateNotFound(_))) => Ok(no_content()),
            Err(error) => Err(error.into()),
        }
    }
}
