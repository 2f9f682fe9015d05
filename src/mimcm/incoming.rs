//! A call that was routed to an endpoint, with the values of its path.

use axum::body::Body;
use http::Request;
use uuid::Uuid;

use super::{codes, guid};
use crate::domain::{ProfileId, RequestId, RequestType, SmartcardId, TemplateId};
use crate::service::Call;

/// What a handler gets.
pub(super) struct Incoming<P> {
    pub(super) call: Call,
    /// The values of `{id}` and `{type}` in the route, in its order.
    pub(super) path: P,
    pub(super) request: Request<Body>,
}

/// The values of a path. A route whose path has other values than its handler reads answers 404 to every call.
pub(super) trait FromPath: Send + Sized + 'static {
    /// Reads the values in the order of the path; `None` if one is malformed, so that no resource exists at the path.
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self>;
}

impl FromPath for () {
    fn from_path<'a>(_values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Some(())
    }
}

impl FromPath for Uuid {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        guid::read(values.next()?)
    }
}

impl FromPath for RequestId {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Uuid::from_path(values).map(Self::new)
    }
}

impl FromPath for TemplateId {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Uuid::from_path(values).map(Self::new)
    }
}

impl FromPath for ProfileId {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Uuid::from_path(values).map(Self::new)
    }
}

impl FromPath for SmartcardId {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Uuid::from_path(values).map(Self::new)
    }
}

impl FromPath for RequestType {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        codes::read_type(values.next()?)
    }
}

impl<A: FromPath, B: FromPath> FromPath for (A, B) {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Some((A::from_path(values)?, B::from_path(values)?))
    }
}

/// Any number of ids that the handler does not need.
pub(super) struct AnyIds;

impl FromPath for AnyIds {
    fn from_path<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        values.all(|id| guid::read(id).is_some()).then_some(Self)
    }
}
