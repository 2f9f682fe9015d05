//! One connection to a broker: requests are answered in order, every answer has a deadline, and a lost connection is noticed at once.

mod api;
mod frame;
mod tasks;
mod transport;
mod versions;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use api::Api;
use tasks::{Frame, Shared, read, write};
pub(crate) use transport::tls;
use versions::Versions;

use crate::error::check;
use crate::observer::{Observer, Outcome, Request};
use crate::{Address, ClusterSettings, Failure, sasl};

/// Most requests without an answer.
const MAX_PENDING: usize = 64;

/// What every connection of a cluster shares.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) settings: Arc<ClusterSettings>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    address: Address,
    profile: Profile,
    client_id: StrBytes,
    shared: Arc<Shared>,
    frames: mpsc::UnboundedSender<Frame>,
    tasks: [JoinHandle<()>; 2],
    versions: Versions,
    correlation: i32,
    /// When to authenticate again.
    renew_at: Option<Instant>,
}

/// A request whose answer is awaited.
#[must_use]
pub(crate) struct Pending<R: Api> {
    answer: oneshot::Receiver<Bytes>,
    version: i16,
    begun: Instant,
    limit: Duration,
    sent_bytes: usize,
    observer: Option<Arc<dyn Observer>>,
    shared: Arc<Shared>,
    request: std::marker::PhantomData<fn() -> R>,
}

impl<R: Api> Pending<R> {
    /// The answer. A missed deadline closes the connection, since what follows can't be trusted to be in time.
    pub(crate) async fn response(mut self) -> Result<R::Response, Failure> {
        let frame = self.frame().await?;
        let received_bytes = frame.len();
        let decoded = frame::decode::<R>(frame, self.version);
        self.note(if decoded.is_ok() { Outcome::Answered } else { Outcome::Malformed }, received_bytes);
        let response = decoded.inspect_err(|_| self.shared.close("a malformed response"))?;
        self.shared.throttle(R::throttle_millis(&response));
        Ok(response)
    }

    /// The bytes of the answer.
    async fn frame(&mut self) -> Result<Bytes, Failure> {
        match tokio::time::timeout_at(self.begun + self.limit, &mut self.answer).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(_)) => {
                self.note(Outcome::Lost, 0);
                Err(self.shared.lost())
            }
            Err(_) => {
                self.note(Outcome::TimedOut, 0);
                self.shared.close("a request timed out");
                Err(Failure::TimedOut { address: self.shared.address.clone(), api: R::NAME, limit: self.limit })
            }
        }
    }

    fn note(&self, outcome: Outcome, received_bytes: usize) {
        if let Some(observer) = &self.observer {
            observer.ended(&Request {
                broker: &self.shared.address,
                api: R::NAME,
                outcome,
                sent_bytes: self.sent_bytes,
                received_bytes,
                took: self.begun.elapsed(),
            });
        }
    }
}

impl Connection {
    /// Connects, negotiates versions and authenticates.
    pub(crate) async fn open(profile: &Profile, address: &Address) -> Result<Self, Failure> {
        let limit = profile.settings.connect_timeout;
        let opened = tokio::time::timeout(limit, Self::open_without_limit(profile, address)).await;
        opened.unwrap_or_else(|_| Err(Failure::TimedOut { address: address.clone(), api: "the connection", limit }))
    }

    async fn open_without_limit(profile: &Profile, address: &Address) -> Result<Self, Failure> {
        let stream = transport::connect(address, profile.tls.as_ref()).await;
        let stream = stream.map_err(|source| Failure::Connect { address: address.clone(), source })?;
        let (reader, writer) = tokio::io::split(stream);
        let shared = Arc::new(Shared {
            address: address.clone(),
            pending: Mutex::default(),
            closed: watch::Sender::new(None),
            throttled_until: Mutex::default(),
        });
        let (frames, queue) = mpsc::unbounded_channel();
        let clock = Arc::clone(&profile.settings.clock);
        let tasks = [
            tokio::spawn(read(reader, Arc::clone(&shared), profile.settings.max_response_bytes)),
            tokio::spawn(write(writer, queue, Arc::clone(&shared), clock)),
        ];
        let mut connection = Self {
            address: address.clone(),
            profile: profile.clone(),
            client_id: StrBytes::from_string(profile.settings.client_id.clone()),
            shared,
            frames,
            tasks,
            versions: Versions::default(),
            correlation: 0,
            renew_at: None,
        };
        connection.negotiate().await?;
        connection.authenticate().await?;
        Ok(connection)
    }

    /// Asks for the versions of the broker: first in our newest version, then in the newest one that its refusal names.
    async fn negotiate(&mut self) -> Result<(), Failure> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("cmgate"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut pending = self.submit_version(&request, ApiVersionsRequest::NEWEST, None)?;
        let answer = pending.frame().await?;
        pending.note(Outcome::Answered, answer.len());
        // A broker that does not know the version answers in version 0 (KIP-511).
        let code = answer.get(4..6).and_then(|code| code.try_into().ok()).map(i16::from_be_bytes);
        let is_unknown = code == Some(ResponseError::UnsupportedVersion.code());
        let mut response =
            frame::decode::<ApiVersionsRequest>(answer, if is_unknown { 0 } else { ApiVersionsRequest::NEWEST })?;
        if is_unknown {
            let named = Versions::of(&response).of_api::<ApiVersionsRequest>(&self.address).unwrap_or(0);
            let request = if named < 3 { ApiVersionsRequest::default() } else { request };
            response = self.submit_version(&request, named, None)?.response().await?;
        }
        check(ApiVersionsRequest::NAME, response.error_code)?;
        self.versions = Versions::of(&response);
        Ok(())
    }

    /// Proves who the client is, also again before the broker would end the session (KIP-368). No request may be in flight.
    pub(crate) async fn authenticate(&mut self) -> Result<(), Failure> {
        let Some(mechanism) = self.profile.settings.sasl.clone() else { return Ok(()) };
        let name = mechanism.mechanism();
        let address = self.address.clone();
        let refused = |reason: String| Failure::Authentication { address: address.clone(), mechanism: name, reason };
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(name));
        let answer = self.submit(&handshake)?.response().await?;
        if answer.error_code != 0 {
            let offered: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
            return Err(refused(format!("the broker offers {offered:?}")));
        }
        let begun = Instant::now();
        let mut exchange = sasl::Exchange::begin(&mechanism).await.map_err(&refused)?;
        let mut message = exchange.first();
        loop {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(message);
            let answer = self.submit(&request)?.response().await?;
            if let Some(error) = ResponseError::try_from_code(answer.error_code) {
                let said = answer.error_message.map_or_else(|| error.to_string(), |said| said.to_string());
                return Err(refused(said));
            }
            match exchange.next(&answer.auth_bytes).map_err(&refused)? {
                sasl::Step::Send(next) => message = next,
                sasl::Step::Done => {
                    self.renew_at = sasl::renew_after(answer.session_lifetime_ms).map(|after| begun + after);
                    return Ok(());
                }
            }
        }
    }

    /// When the connection must authenticate again, if ever.
    pub(crate) fn renew_at(&self) -> Option<Instant> {
        self.renew_at
    }

    /// Until when the broker wants the client to pause.
    pub(crate) fn throttled_until(&self) -> Option<Instant> {
        *self.shared.throttled_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request when the broker permits, and waits for its answer.
    pub(crate) async fn call<R: Api>(&mut self, request: &R) -> Result<R::Response, Failure> {
        if self.renew_at.is_some_and(|at| at <= Instant::now()) {
            self.authenticate().await?;
        }
        if let Some(until) = self.throttled_until() {
            tokio::time::sleep_until(until).await;
        }
        self.submit(request)?.response().await
    }

    /// The version in which the broker gets a request.
    pub(crate) fn version<R: Api>(&self) -> Result<i16, Failure> {
        self.versions.of_api::<R>(&self.address)
    }

    /// Queues a request behind those that were submitted before.
    pub(crate) fn submit<R: Api>(&mut self, request: &R) -> Result<Pending<R>, Failure> {
        self.submit_before(request, None)
    }

    /// Queues a request that must not be sent once the boot-time clock shows `not_after`.
    pub(crate) fn submit_before<R: Api>(
        &mut self,
        request: &R,
        not_after: Option<Duration>,
    ) -> Result<Pending<R>, Failure> {
        let version = self.version::<R>()?;
        self.submit_version(request, version, not_after)
    }

    fn submit_version<R: Api>(
        &mut self,
        request: &R,
        version: i16,
        not_after: Option<Duration>,
    ) -> Result<Pending<R>, Failure> {
        self.correlation = self.correlation.wrapping_add(1);
        let bytes = frame::encode(request, version, self.correlation, &self.client_id)?;
        let (sender, answer) = oneshot::channel();
        {
            let mut pending = self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
            // Checked under the lock that `close` takes, so that no request waits on a closed connection.
            if self.shared.closed.borrow().is_some() || pending.len() >= MAX_PENDING {
                drop(pending);
                return Err(self.shared.lost());
            }
            pending.push_back((self.correlation, sender));
        }
        let limit = self.profile.settings.request_timeout;
        let sent_bytes = bytes.len();
        // If the writer is gone, it has closed the connection, and the answer never comes.
        let _ = self.frames.send(Frame { bytes, not_after });
        Ok(Pending {
            answer,
            version,
            begun: Instant::now(),
            limit,
            sent_bytes,
            observer: self.profile.settings.observer.clone(),
            shared: Arc::clone(&self.shared),
            request: std::marker::PhantomData,
        })
    }

    /// Waits until the connection is lost, whoever ends it.
    pub(crate) fn lost(&self) -> impl Future<Output = Failure> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        let mut closed = shared.closed.subscribe();
        async move {
            // The sender lives in `shared`.
            let _ = closed.wait_for(Option::is_some).await;
            shared.lost()
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.close("it was closed by this client");
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
