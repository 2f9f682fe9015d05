//! An issuer for tests: a signing key, and a server whose documents a test can replace.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{Response, StatusCode, Uri};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// An Ed25519 key with its id.
pub(crate) struct SigningKey {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    pub(crate) fn new(id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap() }
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": encode(self.pair.public_key())})
    }

    /// A signed token.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of_type(Some("JWT"), claims)
    }

    /// A signed token with another `typ`, or none.
    pub(crate) fn token_of_type(&self, typ: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"alg": "EdDSA", "kid": self.id});
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = encode(self.pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The text of a key set.
pub(crate) fn key_set(keys: &[&SigningKey]) -> String {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
}

/// A response of the server.
#[derive(Clone)]
pub(crate) enum Reply {
    Text(String),
    /// With a value of `Cache-Control`.
    Cached(String, &'static str),
    Status(StatusCode),
    Redirect(String),
    /// This many spaces.
    Spaces(usize),
    Endless,
    /// It ends in the middle.
    Cut,
    /// No response.
    Never,
}

/// A server.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    documents: Documents,
}

type Documents = Arc<Mutex<HashMap<&'static str, (Reply, usize)>>>;

impl Origin {
    pub(crate) async fn start() -> Self {
        let documents = Documents::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&documents));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, documents }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Replaces the document at a path.
    pub(crate) fn put(&self, path: &'static str, reply: Reply) {
        self.documents.lock().unwrap().entry(path).or_insert((Reply::Never, 0)).0 = reply;
    }

    /// How often the document at a path was read.
    pub(crate) fn reads(&self, path: &str) -> usize {
        self.documents.lock().unwrap().get(path).map_or(0, |(_, reads)| *reads)
    }
}

async fn answer(State(documents): State<Documents>, uri: Uri) -> Response<Body> {
    let reply = documents.lock().unwrap().get_mut(uri.path()).map(|(reply, reads)| {
        *reads += 1;
        reply.clone()
    });
    let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1024]));
    let response = Response::builder();
    match reply {
        None => response.status(StatusCode::NOT_FOUND).body(Body::empty()),
        Some(Reply::Text(text)) => response.body(Body::from(text)),
        Some(Reply::Cached(text, value)) => response.header(CACHE_CONTROL, value).body(Body::from(text)),
        Some(Reply::Status(status)) => response.status(status).body(Body::empty()),
        Some(Reply::Redirect(to)) => response.status(StatusCode::FOUND).header(LOCATION, to).body(Body::empty()),
        Some(Reply::Spaces(count)) => response.body(Body::from(vec![b' '; count])),
        Some(Reply::Endless) => response.body(Body::from_stream(stream::repeat_with(chunk))),
        Some(Reply::Cut) => {
            // The pause lets the first chunk leave.
            let cut = async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            };
            response.body(Body::from_stream(stream::iter([chunk()]).chain(stream::once(cut))))
        }
        Some(Reply::Never) => std::future::pending().await,
    }
    .unwrap()
}
