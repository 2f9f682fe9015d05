//! A broker for the tests of conditions that a real one meets rarely: one node, logs in memory, and switches for what goes wrong.

mod log;
mod serve;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use kafka_protocol::messages::ApiKey;
pub(crate) use log::Log;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::clock::tests::TestClock;
use crate::{Address, Cluster, ClusterSettings, Lane, Producer, ProducerId};

/// When the markers of a transaction get into the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Markers {
    /// Before the answer to `EndTxn`.
    #[default]
    AtOnce,
    /// After so many fetches, behind whatever got into the log meanwhile.
    AfterFetches(u32),
    /// Everywhere but in this partition.
    NotIn(i32),
}

/// What the broker knows, and how it misbehaves.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) logs: BTreeMap<i32, Log>,
    /// What the next `InitProducerId` hands out.
    pub(crate) next: Producer,
    pub(crate) markers: Markers,
    /// Markers that are not in the logs yet.
    pub(crate) outstanding: Vec<(Producer, Vec<i32>)>,
    /// Partitions of the transaction that is open.
    pub(crate) added: Vec<i32>,
    /// Record of a zombie that gets into partition 0 right before the marker.
    pub(crate) overtaking: Option<(Producer, u64)>,
    /// Whether lower epochs are refused.
    pub(crate) fences: bool,
    /// Error of the next answers to a request.
    errors: BTreeMap<i16, Vec<i16>>,
    /// Difference of acknowledged offsets to the real ones.
    pub(crate) shift: i64,
    /// Partition that is missing in answers to `Produce`.
    pub(crate) omitted: Option<i32>,
    pub(crate) throttle_millis: i32,
    /// Requests that get no answer.
    pub(crate) silent: Vec<ApiKey>,
    /// Newest version of `ApiVersions`.
    pub(crate) api_versions: i16,
    /// Leader that metadata names.
    pub(crate) leader: i32,
    pub(crate) session_lifetime_millis: i64,
    /// Added to correlation ids.
    pub(crate) correlation_shift: i32,
    /// Answers to `Produce` wait for permission.
    pub(crate) holds_produce: bool,
    /// Every request, in order of arrival.
    pub(crate) seen: Vec<(ApiKey, i16)>,
    /// Partitions of every `Produce`.
    pub(crate) produced: Vec<Vec<i32>>,
    port: u16,
}

impl State {
    /// Sets the errors of the next answers to a request.
    pub(crate) fn fail(&mut self, key: ApiKey, codes: Vec<i16>) {
        self.errors.insert(key as i16, codes);
    }
}

/// A running broker. Its connections end with it.
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    pub(crate) released: Arc<Notify>,
    /// Ends every connection.
    pub(crate) cut: Arc<Notify>,
    pub(crate) address: Address,
    pub(crate) clock: Arc<TestClock>,
}

impl Fake {
    /// Starts a broker with a topic of so many partitions.
    pub(crate) async fn start(partitions: i32) -> Self {
        Self::start_with(partitions, None).await
    }

    pub(crate) async fn start_with(partitions: i32, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            logs: (0..partitions).map(|partition| (partition, Log::default())).collect(),
            next: Producer { id: ProducerId::new(1_000), epoch: 0 },
            markers: Markers::AtOnce,
            outstanding: Vec::new(),
            added: Vec::new(),
            overtaking: None,
            fences: true,
            errors: BTreeMap::new(),
            shift: 0,
            omitted: None,
            throttle_millis: 0,
            silent: Vec::new(),
            api_versions: 3,
            leader: 1,
            session_lifetime_millis: 0,
            correlation_shift: 0,
            holds_produce: false,
            seen: Vec::new(),
            produced: Vec::new(),
            port,
        };
        let fake = Self {
            state: Arc::new(Mutex::new(state)),
            released: Arc::default(),
            cut: Arc::default(),
            address: Address { host: "127.0.0.1".into(), port },
            clock: Arc::default(),
        };
        let (state, released, cut) = (Arc::clone(&fake.state), Arc::clone(&fake.released), Arc::clone(&fake.cut));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, released, cut, tls) =
                    (Arc::clone(&state), Arc::clone(&released), Arc::clone(&cut), tls.clone());
                tokio::spawn(async move {
                    let connection = async {
                        match tls {
                            None => serve::connection(stream, &state, &released).await,
                            Some(tls) => serve::connection(tls.accept(stream).await?, &state, &released).await,
                        }
                    };
                    tokio::select! {
                        _ = connection => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        fake
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn settings(&self) -> ClusterSettings {
        let clock = Arc::clone(&self.clock);
        ClusterSettings { clock, ..ClusterSettings::new(vec![self.address.clone()]) }
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::new(self.settings()).unwrap()
    }

    pub(crate) fn lane(&self) -> Lane {
        let partitions = self.state().logs.keys().copied().collect();
        Lane::new("events", partitions, "events.lane-0")
    }

    /// How many requests of a kind arrived.
    pub(crate) fn count(&self, key: ApiKey) -> usize {
        self.state().seen.iter().filter(|(seen, _)| *seen == key).count()
    }
}

/// Waits until a condition holds; a test that waits in vain hangs until its time is over.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("the condition does not come true");
}
