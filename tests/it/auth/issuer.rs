//! An issuer of tokens: a discovery document and a key set that a test can replace or break.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use axum::routing::get;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::signer::SigningKey;

/// The path of the key set.
pub(super) const KEYS: &str = "/keys";

/// How the server answers requests for the key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    /// With status 500.
    Failing,
    /// With a redirect to a good key set.
    Redirecting,
    /// With 10 MB.
    Huge,
    /// With a body that does not end.
    Endless,
    /// With a good key set, but the discovery document describes another issuer.
    Impersonating,
}

/// A running issuer.
pub(super) struct Issuer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    address: SocketAddr,
    keys: Vec<Value>,
    mood: Mood,
    /// How often the key set was read.
    reads: usize,
}

type Context = State<Arc<Mutex<Shared>>>;

impl Issuer {
    /// Starts an issuer with these keys.
    pub(super) async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { address, keys: Vec::new(), mood: Mood::Good, reads: 0 };
        let issuer = Self { address, shared: Arc::new(Mutex::new(shared)) };
        issuer.publish(keys);
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route(KEYS, get(key_set))
            .route("/elsewhere", get(good_key_set))
            .with_state(Arc::clone(&issuer.shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// The URL of a path; without one, the issuer itself (`iss`).
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Replaces the key set.
    pub(super) fn publish(&self, keys: &[&SigningKey]) {
        self.publish_jwks(keys.iter().map(|key| key.jwk()).collect());
    }

    /// Replaces the key set by keys that a signer would not publish.
    pub(super) fn publish_jwks(&self, keys: Vec<Value>) {
        self.shared.lock().unwrap().keys = keys;
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        self.shared.lock().unwrap().mood = mood;
    }

    /// How often the key set was read.
    pub(super) fn reads(&self) -> usize {
        self.shared.lock().unwrap().reads
    }
}

async fn discovery(State(shared): Context) -> String {
    let shared = shared.lock().unwrap();
    let base = format!("http://{}", shared.address);
    let issuer = if shared.mood == Mood::Impersonating { "https://other.test" } else { &base };
    json!({"issuer": issuer, "jwks_uri": format!("{base}{KEYS}")}).to_string()
}

async fn key_set(State(shared): Context) -> Response<Body> {
    let mood = {
        let mut shared = shared.lock().unwrap();
        shared.reads += 1;
        shared.mood
    };
    let chunk = || Ok::<_, io::Error>(Bytes::from_static(&[b' '; 4_096]));
    let response = Response::builder();
    match mood {
        Mood::Good | Mood::Impersonating => response.body(good_key_set(State(shared)).await.into()),
        Mood::Failing => response.status(StatusCode::INTERNAL_SERVER_ERROR).body(Body::empty()),
        Mood::Redirecting => {
            response.status(StatusCode::FOUND).header(header::LOCATION, "/elsewhere").body(Body::empty())
        }
        Mood::Huge => response.body(vec![b' '; 10 << 20].into()),
        Mood::Endless => response.body(Body::from_stream(stream::repeat_with(chunk))),
    }
    .unwrap()
}

async fn good_key_set(State(shared): Context) -> String {
    json!({"keys": shared.lock().unwrap().keys}).to_string()
}
