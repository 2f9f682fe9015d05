//! The routes of the API: its methods and paths, and the handler of each.

use super::dispatch::{RouteLayer, Routes, endpoint};
use super::handlers::{Facade, description};
use super::incoming::Incoming;
use super::unsupported::Unsupported;

/// All routes. Paths are relative to [`API`](super::path::API) and in canonical form.
pub(super) fn routes<L: RouteLayer>(layer: L) -> Routes<L> {
    Routes::new(layer)
        .on(endpoint!(GET "/requests"), Facade::list)
        .on(endpoint!(POST "/requests"), Facade::create)
        .on(endpoint!(GET "/requests/{id}"), Facade::get)
        .on(endpoint!(PUT "/requests/{id}"), Facade::change)
        .on(endpoint!(GET "/requests/{id}/profiles"), Facade::profiles_of)
        .on(endpoint!(GET "/requests/{id}/smartcards/{id}"), Facade::smartcard_of)
        .on(endpoint!(PUT "/requests/{id}/smartcards/{id}"), Facade::change_smartcard)
        .on(endpoint!(GET "/smartcards"), Facade::smartcards)
        .on(endpoint!(POST "/smartcards"), Facade::bind)
        .on(endpoint!(GET "/smartcards/{id}"), Facade::smartcard)
        .on(endpoint!(GET "/smartcards/{id}/operations"), Facade::smartcard_operations)
        .on(endpoint!(GET "/profiles"), Facade::profiles)
        .on(endpoint!(GET "/profiles/{id}"), Facade::profile)
        .on(endpoint!(GET "/profiles/{id}/operations"), Facade::profile_operations)
        .on_sync(endpoint!(GET "/profiletemplates"), Facade::templates)
        .on_sync(endpoint!(GET "/profiletemplates/{id}"), Facade::template)
        .on_sync(endpoint!(GET "/profiletemplates/{id}/policies/{type}"), Facade::policy)
        .on_sync(
            endpoint!(GET "/profiletemplates/{id}/policy/workflow/{type}" as "/profiletemplates/{id}/policies/{type}"),
            Facade::policy,
        )
        .on_sync(endpoint!(GET "/profiletemplates/{id}/configuration/smartcards"), Facade::smartcard_configuration)
        .on_sync(endpoint!(GET "/openapi.json"), |_, _: Incoming<()>| Ok(description()))
        .unsupported(
            endpoint!(GET "/requests/{id}/certificaterequestgenerationoptions"),
            Unsupported::GenerationOptions,
        )
        .unsupported(endpoint!(POST "/requests/{id}/certificatedata"), Unsupported::CertificateData)
        .unsupported(endpoint!(GET "/requests/{id}/smartcards/{id}/diversifiedkey"), Unsupported::DiversifiedKey)
        .unsupported(
            endpoint!(GET "/requests/{id}/smartcards/{id}/authenticationresponse"),
            Unsupported::AuthenticationResponse,
        )
        .unsupported(endpoint!(GET "/requests/{id}/smartcards/{id}/serverproposedpin"), Unsupported::ServerProposedPin)
        .unsupported(
            endpoint!(GET "/smartcards/{id}/serverproposedpin" as "/requests/{id}/smartcards/{id}/serverproposedpin"),
            Unsupported::ServerProposedPin,
        )
        .unsupported(endpoint!(GET "/certificates"), Unsupported::Certificates)
        .unsupported(endpoint!(GET "/smartcards/{id}/certificates"), Unsupported::Certificates)
        .unsupported(endpoint!(GET "/profiles/{id}/certificates"), Unsupported::Certificates)
}
