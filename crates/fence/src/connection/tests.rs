//! Connections against a broker that answers late, wrongly, or in old versions.

use kafka_protocol::messages::{ApiKey, ListOffsetsRequest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::cluster::metadata_request;
use crate::fake::{Fake, until};
use crate::{Clock, Cluster, Sasl, TlsIdentity, TlsSettings};

fn profile(settings: ClusterSettings) -> Profile {
    let tls = settings.tls.as_ref().map(|settings| tls(settings).unwrap());
    Profile { settings: Arc::new(settings), tls }
}

async fn open(fake: &Fake) -> Connection {
    Connection::open(&profile(fake.settings()), &fake.address).await.unwrap()
}

#[tokio::test]
async fn a_broker_that_knows_old_versions_only_is_asked_in_one_of_them() {
    for newest in [0, 1, 2, 3] {
        let fake = Fake::start(1).await;
        fake.state().api_versions = newest;
        open(&fake).await.call(&metadata_request("events")).await.unwrap();
        let asked: Vec<i16> =
            fake.state().seen.iter().filter(|(key, _)| *key == ApiKey::ApiVersions).map(|it| it.1).collect();
        assert_eq!(asked, if newest == 3 { vec![3] } else { vec![3, newest] });
    }
}

#[tokio::test]
async fn many_requests_are_in_flight_at_once_up_to_a_limit() {
    let fake = Fake::start(1).await;
    let mut connection = open(&fake).await;
    let pending: Vec<_> = (0..MAX_PENDING).map(|_| connection.submit(&metadata_request("events")).unwrap()).collect();
    assert!(connection.submit(&metadata_request("events")).is_err());
    for pending in pending {
        pending.response().await.unwrap();
    }
    connection.call(&metadata_request("events")).await.unwrap();
}

#[tokio::test]
async fn an_answer_to_another_request_ends_the_connection() {
    let fake = Fake::start(1).await;
    let mut connection = open(&fake).await;
    fake.state().correlation_shift = 1;
    for _ in 0..2 {
        let failure = connection.call(&metadata_request("events")).await.unwrap_err();
        assert!(failure.to_string().contains("correlation id"), "{failure}");
    }
}

#[tokio::test]
async fn a_missed_deadline_ends_the_connection() {
    let fake = Fake::start(1).await;
    fake.state().silent.push(ApiKey::Metadata);
    let settings = ClusterSettings { request_timeout: Duration::from_millis(50), ..fake.settings() };
    let mut connection = Connection::open(&profile(settings), &fake.address).await.unwrap();
    let failure = connection.call(&metadata_request("events")).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { api: "Metadata", .. }), "{failure}");
    assert!(matches!(connection.call(&metadata_request("events")).await, Err(Failure::Lost { .. })));
}

/// Keeps what it is told: request, outcome, and whether there was an answer.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<(&'static str, Outcome, bool)>>);

impl Observer for Notes {
    fn ended(&self, request: &Request<'_>) {
        assert!(request.sent_bytes > 8, "{request:?}");
        self.0.lock().unwrap().push((request.api, request.outcome, request.received_bytes > 0));
    }
}

#[tokio::test]
async fn every_request_is_observed_with_its_outcome() {
    let fake = Fake::start(1).await;
    let notes = Arc::new(Notes::default());
    let observer: Arc<dyn Observer> = notes.clone();
    let limit = Duration::from_millis(50);
    let profile = profile(ClusterSettings { observer: Some(observer), request_timeout: limit, ..fake.settings() });
    let mut connection = Connection::open(&profile, &fake.address).await.unwrap();
    connection.call(&metadata_request("events")).await.unwrap();
    // In a version in which the answer has another layout.
    let other = connection.submit_version(&metadata_request("events"), 8, None).unwrap();
    let misread = Pending { version: 12, ..other };
    assert!(matches!(misread.response().await, Err(Failure::Malformed { .. })));
    fake.state().silent.push(ApiKey::Metadata);
    let mut connection = Connection::open(&profile, &fake.address).await.unwrap();
    let cut = connection.submit(&metadata_request("events")).unwrap();
    drop(connection);
    assert!(matches!(cut.response().await, Err(Failure::Lost { .. })));
    let mut connection = Connection::open(&profile, &fake.address).await.unwrap();
    assert!(connection.call(&metadata_request("events")).await.is_err());
    let versions = ("ApiVersions", Outcome::Answered, true);
    let expected = [
        versions,
        ("Metadata", Outcome::Answered, true),
        ("Metadata", Outcome::Malformed, true),
        versions,
        ("Metadata", Outcome::Lost, false),
        versions,
        ("Metadata", Outcome::TimedOut, false),
    ];
    assert_eq!(*notes.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_peer_that_is_no_broker_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        listener
    });
    let cluster = Cluster::new(ClusterSettings::new(vec![address.clone()])).unwrap();
    let failure = cluster.any().await.unwrap_err();
    assert!(matches!(failure, Failure::Lost { .. }), "{failure}");
    drop(peer.await.unwrap());
    let failure = cluster.any().await.unwrap_err();
    assert!(matches!(failure, Failure::Connect { .. }), "{failure}");
}

#[tokio::test]
async fn a_request_is_not_sent_once_its_fence_is_too_old() {
    let fake = Fake::start(1).await;
    let mut connection = open(&fake).await;
    let now = fake.clock.since_boot();
    let limit = now + Duration::from_secs(1);
    connection.submit_before(&metadata_request("events"), Some(limit)).unwrap().response().await.unwrap();
    fake.clock.sleep(Duration::from_secs(1));
    let pending = connection.submit_before(&metadata_request("events"), Some(limit)).unwrap();
    assert!(matches!(pending.response().await, Err(Failure::Lost { .. })));
    assert_eq!(fake.count(ApiKey::Metadata), 1);
}

#[tokio::test]
async fn a_connection_authenticates_again_before_its_session_ends() {
    let fake = Fake::start(1).await;
    fake.state().session_lifetime_millis = 50;
    let sasl = Sasl::Plain { username: "relay".to_owned(), password: "canary".into() };
    let settings = ClusterSettings { sasl: Some(sasl), ..fake.settings() };
    let cluster = Cluster::new(settings).unwrap();
    let claim = cluster.claim(&fake.lane(), crate::Previous::None).await.unwrap();
    let (mut session, _) = claim.fence(|_| None::<()>).await.unwrap();
    let before = fake.count(ApiKey::SaslAuthenticate);
    until(|| fake.count(ApiKey::SaslAuthenticate) > before + 2).await;
    session.append(0, vec![crate::Record::default()]).await.unwrap();
    session.acknowledged().await.unwrap();
}

#[tokio::test]
async fn a_refused_login_says_so() {
    let fake = Fake::start(1).await;
    fake.state().fail(ApiKey::SaslAuthenticate, vec![ResponseError::SaslAuthenticationFailed.code()]);
    let sasl = Sasl::Plain { username: "relay".to_owned(), password: "canary".into() };
    let cluster = Cluster::new(ClusterSettings { sasl: Some(sasl), ..fake.settings() }).unwrap();
    let failure = cluster.any().await.unwrap_err();
    assert!(matches!(failure, Failure::Authentication { mechanism: "PLAIN", .. }), "{failure}");
    assert!(!format!("{failure:?} {cluster:?}").contains("canary"));
}

#[tokio::test]
async fn tls_checks_both_sides() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = own.cert.der().clone();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build();
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap())
        .unwrap();
    let fake = Fake::start_with(1, Some(TlsAcceptor::from(Arc::new(server)))).await;
    let identity = |it: &rcgen::CertifiedKey<rcgen::KeyPair>| TlsIdentity {
        certificates: it.cert.pem(),
        key: it.signing_key.serialize_pem().into(),
    };
    for (authority, client, is_fine) in
        [(&own, Some(&own), true), (&other, Some(&own), false), (&own, Some(&other), false), (&own, None, false)]
    {
        let tls = TlsSettings { authorities: Some(authority.cert.pem()), identity: client.map(identity) };
        let opened = Cluster::new(ClusterSettings { tls: Some(tls), ..fake.settings() }).unwrap().any().await;
        assert_eq!(opened.is_ok(), is_fine, "{opened:?}");
    }
}

#[tokio::test]
async fn a_request_that_the_broker_lacks_is_named() {
    let fake = Fake::start(1).await;
    let mut connection = open(&fake).await;
    connection.versions = Versions::default();
    let failure = connection.call(&ListOffsetsRequest::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Unsupported { api: "ListOffsets", .. }), "{failure}");
}
