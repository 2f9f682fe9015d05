//! Every kind of error has its code and its details, and none reveals its internal cause.

use std::sync::Arc;

use axum::body::Body;
use http::Response;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use super::{CallError, DOMAIN, rewrite_library_errors};
use crate::domain::{
    CorrelationId, ErrorKind, FieldViolation, IdempotencyKey, Refusal, RequestId, Status as State, TemplateId, UserId,
    Version,
};
use crate::service::{CallFacts, Error, row};
use crate::store::StoreError;

const SECRET: &str = "password authentication failed";

fn correlation() -> CorrelationId {
    CorrelationId::of_uuid(Uuid::from_u128(9))
}

fn id() -> RequestId {
    RequestId::new(Uuid::from_u128(7))
}

fn store_error() -> Arc<StoreError> {
    Arc::new(StoreError::Unavailable(sqlx::Error::Protocol(SECRET.to_owned())))
}

/// One error of each kind that a use case can return.
fn errors() -> Vec<Error> {
    let key = IdempotencyKey::parse("key", UserId::new(Uuid::from_u128(1)), "k").unwrap();
    vec![
        Refusal::invalid("target", "is wrong").into(),
        Refusal::OwnRequest { action: "approve" }.into(),
        Refusal::RequestNotFound(id()).into(),
        Refusal::IllegalTransition { action: "deny", status: State::Denied }.into(),
        Refusal::VersionMismatch { expected: Version::FIRST, actual: Version::new(2) }.into(),
        Refusal::KeyReused(key).into(),
        Error::Overloaded,
        Error::DeadlineExceeded,
        Error::Stopping,
        Error::Unavailable(store_error()),
        Error::OutcomeUnknown(store_error()),
        Error::Internal(store_error()),
    ]
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, DOMAIN);
    assert_eq!(info.metadata["correlation_id"], correlation().to_string());
    info.reason
}

#[test]
fn every_error_of_a_use_case_has_its_code_and_its_reason() {
    for error in errors() {
        let (kind, expected) = (error.kind(), error.reason());
        let status = CallError::about(id(), error).to_status(&correlation());
        assert_eq!(status.code(), row(kind).code, "{expected}");
        assert_eq!(reason(&status), expected);
        let details = status.get_error_details();
        assert_eq!(details.bad_request().is_some(), kind == ErrorKind::Invalid, "{expected}");
        assert_eq!(details.precondition_failure().is_some(), kind == ErrorKind::Conflict, "{expected}");
        let retry_after = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(retry_after, row(kind).retry_after, "{expected}");
    }
}

#[test]
fn a_batch_member_gets_the_same_error_as_a_call() {
    for (alone, member) in errors().into_iter().zip(errors()) {
        let status = CallError::from(alone).to_status(&correlation());
        let member = CallError::from(member).member();
        assert_eq!(Code::from_i32(member.code), status.code());
        assert_eq!(member.message, status.message());
        assert_eq!(member.reason, reason(&status));
    }
}

#[test]
fn errors_do_not_reveal_internal_causes() {
    for error in errors() {
        let response: Response<()> = CallError::from(error).to_status(&correlation()).into_http();
        assert!(!format!("{response:?}").contains(SECRET));
        let status = Status::from_header_map(response.headers()).unwrap();
        assert!(!String::from_utf8_lossy(status.details()).contains(SECRET));
    }
}

#[test]
fn fields_are_named_by_their_complete_path() {
    let path = "requests[3].draft.";
    let error = Refusal::invalid("old_credential", "must be absent").into();
    let member = CallError::within(path.to_owned(), error).member();
    assert_eq!(member.field_violations[0].field, "requests[3].draft.old_credential");
    assert_eq!(member.message, "requests[3].draft.old_credential must be absent");

    let error = Refusal::TemplateNotFound(TemplateId::new(Uuid::from_u128(3))).into();
    let status = CallError::within("draft.".to_owned(), error).to_status(&correlation());
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "draft.profile_template");
    assert_eq!(reason(&status), "PROFILE_TEMPLATE_NOT_FOUND");
}

#[test]
fn an_error_with_many_invalid_fields_fits_into_the_headers() {
    let wrong = |index| FieldViolation { field: format!("data_items[{index}].name"), problem: "ä{".repeat(2_000) };
    let error = Refusal::Invalid((0..200).map(wrong).collect()).into();
    let response: Response<()> = CallError::within("draft.".to_owned(), error).to_status(&correlation()).into_http();
    let bytes: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(bytes < 8 << 10, "{bytes}");
    let status = Status::from_header_map(response.headers()).unwrap();
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "draft.data_items[0].name");
    assert!(violations.last().unwrap().description.ends_with("more invalid fields are not listed"));
}

#[test]
fn errors_of_the_library_take_the_form_of_all_others() {
    for (bare, code, expected) in [
        (Status::internal("failed to decode"), Code::InvalidArgument, "MALFORMED_MESSAGE"),
        (Status::out_of_range("too large"), Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
        (Status::unimplemented(""), Code::Unimplemented, "UNIMPLEMENTED"),
    ] {
        let mut response: Response<Body> = bare.into_http();
        rewrite_library_errors(&mut response, &correlation(), &CallFacts::default());
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        assert!(!status.message().is_empty());
    }
}

#[test]
fn complete_answers_are_left_unchanged() {
    let own: Response<Body> = CallError::from(Error::Internal(store_error())).to_status(&correlation()).into_http();
    for response in [own, Status::not_found("no such service").into_http(), Response::new(Body::empty())] {
        let before = response.headers().clone();
        let mut response = response;
        rewrite_library_errors(&mut response, &correlation(), &CallFacts::default());
        assert_eq!(*response.headers(), before);
    }
}
