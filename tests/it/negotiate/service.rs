//! A service that accepts the tickets of a key distribution center.

use super::kdc::Kdc;
use crate::support::client::{Answer, Http, REQUESTS};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

/// The status of a list that is empty.
pub(super) const EMPTY: u16 = 204;

/// A service for one test.
pub(super) struct Service {
    pub(super) instance: Instance,
    pub(super) http: Http,
}

impl Service {
    /// Starts one with the keys of `HTTP/localhost` and more settings.
    pub(super) fn start(kdc: &Kdc, settings: &[(&str, &str)]) -> Self {
        let environment = environment(kdc);
        let own = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let instance = TestEnv::sqlite().start_with(&[&own[..], settings].concat());
        Self { http: Http::public(&instance), instance }
    }

    /// Lists the requests, of which there are none, with an arbitrary header Authorization.
    pub(super) async fn list(&self, authorization: &str) -> Answer {
        self.http.send("GET", REQUESTS, &[("Authorization", authorization)], "").await
    }

    /// Asserts that a header is refused by a check, which the caller does not learn.
    pub(super) async fn assert_refused(&self, authorization: &str, check: &str) {
        let before = self.refused(check).await;
        let answer = self.list(authorization).await;
        assert_eq!(answer.status, 401, "{authorization:.60}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Negotiate");
        assert!(!answer.body.contains(check) && answer.body.contains("The ticket is not accepted"), "{answer:?}");
        assert_eq!(self.refused(check).await, before + 1, "{authorization:.60} is refused by {check}");
    }

    /// How many calls a check has refused.
    pub(super) async fn refused(&self, check: &str) -> u64 {
        refused(&self.instance, check).await
    }
}

/// The environment of a service with the keys of `HTTP/localhost`. Its Kerberos has no configuration, as in the container image.
pub(super) fn environment(kdc: &Kdc) -> [(&'static str, String); 4] {
    let path = |name| kdc.path(name).display().to_string();
    [
        ("CMGATE__KAFKA__BROKERS", String::new()),
        ("CMGATE__AUTH__NEGOTIATE__KEYTAB", path("http.keytab")),
        ("CMGATE__AUTH__NEGOTIATE__REPLAY_CACHE", path("replay")),
        ("KRB5_CONFIG", "/nonexistent/krb5.conf".to_owned()),
    ]
}

/// How many calls a check has refused.
pub(super) async fn refused(instance: &Instance, check: &str) -> u64 {
    let metrics = instance.private.get("/metrics").await.body;
    let name = format!("cmgate_calls_not_authenticated_total{{check=\"{check}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}
