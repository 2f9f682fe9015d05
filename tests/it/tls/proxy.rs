//! The trusted proxy: where its identity headers are believed, what it may not say, and where they are dropped.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use cmgate::contract::v1::caller_service_client::CallerServiceClient;
use cmgate::contract::v1::{Caller, ProofMethod, WhoAmIRequest};
use cmgate::domain::UserId;
use http::Method;
use hyper_util::rt::TokioIo;
use rcgen::SanType;
use rcgen::string::Ia5String;
use tokio::net::UnixStream;
use tonic::metadata::MetadataKey;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::client::{Answered, Connection, TlsClient};
use super::pki::{Ca, Leaf};
use super::{Site, crl, in_days, sample};
use crate::support::client::{Http, REQUESTS, info};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

const PROXY: &str = "spiffe://corp.test/edge";
const ISSUER: &str = "spiffe://corp.test/issuer";
/// A user by its UUID.
const USER: (&str, &str) = ("X-User-Id", "6f1c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a11");
const GROUP: &str = "S-1-5-21-1-2-3-513";
const ALICE: (&str, &str) = ("X-Forwarded-User", "alice");
const DROPPED: &str = "cmgate_identity_headers_dropped_total";

fn with_id(ca: &Ca, serial: u64, id: &str) -> Leaf {
    ca.client_with(serial, in_days(1), |params| {
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id).unwrap())];
    })
}

/// How a client reaches the service.
enum Way {
    Tls(TlsClient, SocketAddr),
    Socket(PathBuf),
}

impl Way {
    /// Lists requests over REST.
    async fn list(&self, headers: &[(&str, &str)]) -> Answered {
        let mut connection = match self {
            Self::Tls(client, address) => client.open(*address).await.unwrap(),
            Self::Socket(path) => Connection::on(UnixStream::connect(path).await.unwrap(), false).await,
        };
        connection.send(Method::GET, REQUESTS, headers, Bytes::new()).await.unwrap()
    }

    fn channel(&self) -> Channel {
        match self {
            Self::Tls(client, address) => client.channel(*address),
            Self::Socket(path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                });
                Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
            }
        }
    }

    /// Asks over gRPC who the caller is.
    async fn who(&self, headers: &[(&str, &str)]) -> Result<Caller, Status> {
        let mut call = tonic::Request::new(WhoAmIRequest {});
        for (name, value) in headers {
            let name = MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).unwrap();
            call.metadata_mut().append(name, value.parse().unwrap());
        }
        let answer = CallerServiceClient::new(self.channel()).who_am_i(call).await?;
        Ok(answer.into_inner().caller.unwrap())
    }

    /// Asserts that a call is refused over both transports, for this reason.
    async fn assert_refused(&self, headers: &[(&str, &str)], reason: &str) {
        let refused = self.who(headers).await.unwrap_err();
        assert_eq!((refused.code(), &*info(&refused).reason), (Code::Unauthenticated, reason), "{headers:?}");
        let answer = self.list(headers).await;
        assert_eq!(answer.status, 401, "{headers:?}: {answer:?}");
    }
}

/// A service with the proxy, and with a rule by which every workload of `corp.test` is a caller, the proxy as well.
struct Proxied {
    instance: Instance,
    site: Site,
    /// A CA whose certificates are accepted, but not as those of the proxy.
    other: Ca,
}

impl Proxied {
    fn start() -> Self {
        let (site, other) = (Site::new(), Ca::new("other CA"));
        site.write("edge.pem", &site.clients.pem());
        site.write("clients.pem", &(site.clients.pem() + &other.pem()));
        site.write("clients.crl", &(crl(&site.clients, &[]) + &crl(&other, &[])));
        let path = |name| site.path(name).display().to_string();
        let (ca, crl, edge, socket) = (path("clients.pem"), path("clients.crl"), path("edge.pem"), path("proxy.sock"));
        let instance = site.start(&[
            ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
            ("CMGATE__TLS__CLIENT_CA", &ca),
            ("CMGATE__TLS__CRL", &crl),
            ("CMGATE__LISTEN_UNIX", &socket),
            ("CMGATE__AUTH__PROXY__CERTIFICATE", PROXY),
            ("CMGATE__AUTH__PROXY__CA", &edge),
            ("CMGATE__AUTH__PROXY__USER__GROUPS", "X-Forwarded-Groups"),
            ("CMGATE__AUTH__CERTIFICATE__0__NAME", "workloads"),
            ("CMGATE__AUTH__CERTIFICATE__0__SOURCE", "spiffe"),
            ("CMGATE__AUTH__CERTIFICATE__0__TRUST_DOMAIN", "corp.test"),
        ]);
        Self { instance, site, other }
    }

    fn tls(&self, leaf: Option<&Leaf>) -> Way {
        let client = leaf.map_or_else(|| self.site.client(), |leaf| TlsClient::known_as(&self.site.server, leaf));
        Way::Tls(client, self.instance.public)
    }

    /// The ways of the proxy.
    fn trusted(&self) -> [Way; 2] {
        let leaf = with_id(&self.site.clients, 1, PROXY);
        [self.tls(Some(&leaf)), Way::Socket(self.site.path("proxy.sock"))]
    }

    async fn refused(&self, check: &str) -> f64 {
        sample(&self.instance, &format!("cmgate_calls_not_authenticated_total{{check=\"{check}\"}}")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_names_the_caller_over_its_certificate_and_over_the_socket() {
    let proxied = Proxied::start();
    for way in proxied.trusted() {
        let alice = way.who(&[ALICE, ("X-Forwarded-Groups", GROUP)]).await.unwrap();
        assert_eq!((alice.user, &*alice.name), (UserId::of_subject("proxy", "alice").to_string(), "alice"));
        assert_eq!((alice.groups, alice.groups_unknown), (vec![GROUP.to_owned()], false));
        let proof = alice.proof.unwrap();
        assert_eq!((proof.method(), proof.entry.as_str()), (ProofMethod::Proxy, "proxy"));
        assert!(way.who(&[ALICE]).await.unwrap().groups_unknown);
        assert!([200, 204].contains(&way.list(&[ALICE]).await.status));
        // The certificate is the proxy's own: a client that it did not name is not the proxy.
        way.assert_refused(&[], "NO_CREDENTIALS").await;
        way.assert_refused(&[("Authorization", "Bearer a.b.c")], "INVALID_TOKEN").await;
    }
    assert_eq!(sample(&proxied.instance, DROPPED).await.to_string(), "0");
    let socket = proxied.site.path("proxy.sock");
    proxied.instance.end().await;
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_must_name_one_caller_in_one_way() {
    let proxied = Proxied::start();
    let (many, groups) = (vec!["S-1-1-0"; 1_025].join(","), "X-Forwarded-Groups");
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[ALICE, ALICE], "identity_repeated"),
        (&[ALICE, ("x-forwarded-user", "bob")], "identity_repeated"),
        (&[ALICE, (groups, GROUP), (groups, "S-1-5-32-544")], "identity_repeated"),
        (&[ALICE, ("X_Forwarded_User", "bob")], "identity_variant"),
        (&[("x-forwarded_user", "bob")], "identity_variant"),
        (&[ALICE, ("Authorization", "Bearer a.b.c")], "identity_and_token"),
        (&[ALICE, ("Authorization", "Negotiate YII=")], "identity_and_token"),
        (&[(groups, "S-1-5-32-544")], "identity_missing"),
        (&[ALICE, (groups, &many)], "identity_groups"),
    ];
    for way in proxied.trusted() {
        for (headers, check) in rows {
            let before = proxied.refused(check).await;
            way.assert_refused(headers, "INVALID_IDENTITY_HEADERS").await;
            assert_eq!((proxied.refused(check).await - before).to_string(), "2", "not refused by {check}");
        }
        assert!(way.who(&[ALICE]).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_the_headers_are_dropped_and_counted() {
    let proxied = Proxied::start();
    let workload = proxied.tls(Some(&with_id(&proxied.site.clients, 2, ISSUER)));
    let foreign = proxied.tls(Some(&with_id(&proxied.other, 3, PROXY)));
    let attempts = [&[ALICE][..], &[ALICE, ALICE], &[("X_Forwarded-User", "alice")], &[("X-Forwarded-Groups", GROUP)]];
    for headers in attempts {
        let before = sample(&proxied.instance, DROPPED).await;
        proxied.tls(None).assert_refused(headers, "NO_CREDENTIALS").await;
        // These certificates identify callers, whatever the headers say.
        for (way, id) in [(&workload, ISSUER), (&foreign, PROXY)] {
            let caller = way.who(headers).await.unwrap();
            assert_eq!(caller.user, UserId::of_subject("workloads", id).to_string(), "{headers:?}");
            assert_eq!((caller.groups.len(), caller.proof.unwrap().method()), (0, ProofMethod::Certificate));
            assert!([200, 204].contains(&way.list(headers).await.status));
        }
        assert_eq!((sample(&proxied.instance, DROPPED).await - before).to_string(), "6", "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_alone_is_enough_and_the_plain_port_believes_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("proxy.sock");
    // A killed process leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let (path, env) = (socket.display().to_string(), TestEnv::sqlite());
    let settings = [("CMGATE__KAFKA__BROKERS", ""), ("CMGATE__LISTEN_UNIX", &path)];
    let by_uuid = ("CMGATE__AUTH__PROXY__USER__UUID", "X-User-Id");
    let mut instance = env.start_with(&[&settings[..], &[by_uuid]].concat());
    assert_eq!(Way::Socket(socket.clone()).who(&[USER]).await.unwrap().user, USER.1);
    for headers in [&[USER][..], &[ALICE], &[("X-Dev-User", USER.1)]] {
        let answer = Http::public(&instance).send("GET", REQUESTS, headers, "").await;
        assert_eq!(answer.status, 401, "{headers:?}");
    }
    assert_eq!(sample(&instance, DROPPED).await.to_string(), "2");

    let taken = env.run(&[&settings[..], &[by_uuid]].concat(), &[]);
    let message = String::from_utf8(taken.stderr).unwrap();
    let sentence =
        format!("listen_unix: cannot listen on {}: another process listens on this socket", socket.display());
    assert!(message.contains(&sentence), "{message}");
    instance.kill();
    assert!(fs::symlink_metadata(&socket).is_ok(), "nobody could remove it");
    let again = env.start_with(&[&settings[..], &[by_uuid]].concat());
    assert_eq!(Way::Socket(socket.clone()).who(&[USER]).await.unwrap().user, USER.1);
    again.end().await;
    assert!(!socket.exists());
}
