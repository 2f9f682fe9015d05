//! Builds the router from its routes, and wraps the handlers: the caller must be known, and errors become answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::mem;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, Route, any, on};
use axum::{Extension, Router};
use http::{HeaderValue, Request};
use tower::{Layer, Service};

use super::caching::IfNoneMatch;
use super::error::HttpError;
use super::handlers::Facade;
use super::incoming::{AnyIds, FromPath, Incoming};
use super::path::{API, address};
use super::unsupported::Unsupported;
use crate::domain::ErrorKind;
use crate::service::Call;

/// The route of a call as metrics and log lines show it, such as `GET /requests/{id}`. The layer around a route finds it in the
/// extensions of the request; it is absent if no route has the path and the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLabel(pub &'static str);

/// A method and a path of the API, as [`endpoint!`] writes them.
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    pub(super) filter: MethodFilter,
    pub(super) path: &'static str,
    pub(super) label: &'static str,
}

/// An [`Endpoint`]. One that stands for another endpoint names it behind `as`, and metrics show that one.
macro_rules! endpoint {
    ($method:ident $path:literal) => {
        endpoint!($method $path as $path)
    };
    ($method:ident $path:literal as $shown:literal) => {
        $crate::mimcm::dispatch::Endpoint {
            method: stringify!($method),
            filter: axum::routing::MethodFilter::$method,
            path: $path,
            label: concat!(stringify!($method), " ", $shown),
        }
    };
}
pub(super) use endpoint;

/// A layer around a route: the bounds of axum, with an answer in every case.
pub trait RouteLayer: Layer<Route, Service: RouteService> + Clone + Send + Sync + 'static {}

impl<L: Layer<Route, Service: RouteService> + Clone + Send + Sync + 'static> RouteLayer for L {}

/// A route in a [`RouteLayer`].
pub trait RouteService:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> RouteService for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// The result of a handler.
pub(super) type Answer = Result<Response, HttpError>;

/// The routes, each wrapped in a layer.
pub(super) struct Routes<L> {
    layer: L,
    paths: BTreeMap<&'static str, PathRoutes>,
}

/// The methods of a path.
struct PathRoutes {
    methods: MethodRouter<Facade>,
    allowed: Vec<&'static str>,
    /// Answers the other methods; given the value of `Allow`.
    other_methods: fn(HeaderValue) -> MethodRouter<Facade>,
}

impl<L: RouteLayer> Routes<L> {
    /// No routes yet.
    pub(super) const fn new(layer: L) -> Self {
        Self { layer, paths: BTreeMap::new() }
    }

    /// Adds an endpoint.
    pub(super) fn on<P, H, F>(mut self, endpoint: Endpoint, handler: H) -> Self
    where
        P: FromPath,
        H: Fn(Facade, Incoming<P>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send,
    {
        let Endpoint { method, filter, path, label } = endpoint;
        let handler = move |State(facade): State<Facade>, request| answer(facade, request, handler.clone());
        let route = on(filter, handler).layer::<_, Infallible>(self.layer.clone()).layer(Extension(RouteLabel(label)));
        let routes = self.paths.entry(path).or_insert_with(|| PathRoutes {
            methods: MethodRouter::new(),
            allowed: Vec::new(),
            other_methods: other_methods::<P>,
        });
        routes.methods = mem::take(&mut routes.methods).merge(route);
        routes.allowed.push(method);
        self
    }

    /// Adds an endpoint that waits for nothing.
    pub(super) fn on_sync<P, H>(self, endpoint: Endpoint, handler: H) -> Self
    where
        P: FromPath,
        H: Fn(Facade, Incoming<P>) -> Answer + Clone + Send + Sync + 'static,
    {
        self.on(endpoint, move |facade, incoming| ready(handler(facade, incoming)))
    }

    /// Adds an endpoint that the service does not support.
    pub(super) fn unsupported(self, endpoint: Endpoint, unsupported: Unsupported) -> Self {
        let handler = move |_, _: Incoming<AnyIds>| Err(HttpError::Unsupported(unsupported));
        self.on_sync(endpoint, handler)
    }

    /// The router of these routes.
    pub(super) fn into_router(self, facade: Facade) -> Router {
        let Self { layer, paths } = self;
        let mut router = Router::new().fallback(unknown_address).layer(layer.clone());
        for (path, PathRoutes { methods, allowed, other_methods }) in paths {
            // The names of methods are valid header values.
            let allowed = HeaderValue::try_from(allowed.join(", ")).unwrap_or(HeaderValue::from_static(""));
            router = router.route(&format!("{API}{path}"), methods.merge(other_methods(allowed).layer(layer.clone())));
        }
        router.with_state(facade)
    }

    /// The methods and paths, for tests.
    #[cfg(test)]
    pub(super) fn endpoints(&self) -> Vec<String> {
        let endpoints = |(path, routes): (&&str, &PathRoutes)| {
            routes.allowed.iter().map(|method| format!("{method} {path}")).collect::<Vec<_>>()
        };
        self.paths.iter().flat_map(endpoints).collect()
    }
}

/// Calls a handler, and turns its errors into answers. A call without a [`Call`] in its extensions is not authenticated.
async fn answer<P, H, F>(facade: Facade, mut request: Request<Body>, handler: H) -> Response
where
    P: FromPath,
    H: Fn(Facade, Incoming<P>) -> F,
    F: Future<Output = Answer>,
{
    let Some(call) = request.extensions_mut().remove::<Call>() else {
        let message = "authorization has been denied for this request".to_owned();
        return HttpError::Refused(ErrorKind::Unauthenticated, message).respond(None);
    };
    let (correlation, facts) = (call.correlation.clone(), Arc::clone(&call.facts));
    let if_none_match = IfNoneMatch::of(&request);
    let (mut parts, body) = request.into_parts();
    let values = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = values.ok().and_then(|values| P::from_path(&mut values.iter().map(|(_, value)| value)));
    let request = Request::from_parts(parts, body);
    let answered = match path {
        Some(path) => handler(facade, Incoming { call, path, request }).await,
        None => Err(HttpError::UnknownAddress(address(&request))),
    };
    match answered {
        Ok(response) => if_none_match.apply(response),
        Err(error) => {
            facts.note_reason(error.reason());
            error.respond(Some(&correlation))
        }
    }
}

/// Answers 404.
async fn unknown_address(facade: State<Facade>, request: Request<Body>) -> Response {
    let handler = |_, Incoming { request, .. }: Incoming<()>| ready(Err(HttpError::UnknownAddress(address(&request))));
    answer(facade.0, request, handler).await
}

/// Answers 405 to every method that no route takes; 404 if the values of the path are malformed. This includes HEAD, which axum
/// would route to the handler of GET.
fn other_methods<P: FromPath>(allowed: HeaderValue) -> MethodRouter<Facade> {
    let handler = move |_, Incoming { request, .. }: Incoming<P>| {
        ready(Err(HttpError::WrongMethod(request.method().clone(), allowed.clone())))
    };
    let handler = move |State(facade): State<Facade>, request| answer(facade, request, handler.clone());
    // `any` keeps axum from adding an `Allow` of its own to a 401.
    any(handler.clone()).head(handler)
}
