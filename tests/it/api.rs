//! A running service as its callers see it: errors, keys, lists, limits, permissions, equal meaning over both transports, and the
//! admin port.

mod credentials;
mod errors;
mod keys;
mod lists;
mod meaning;
mod people;
mod private;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use tonic::transport::Channel;

use crate::support::client::Http;
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

/// No brokers, so that the service starts its own; spares the real one the topics of these tests.
const EMBEDDED: (&str, &str) = ("CMGATE__KAFKA__BROKERS", "");

/// A service of one test, with its callers.
struct Api {
    instance: Instance,
    client: RequestServiceClient<Channel>,
    http: Http,
    env: TestEnv,
}

impl Api {
    /// Starts one with the built-in test broker, as `cargo run` does: what callers meet is the same.
    fn start() -> Self {
        Self::start_with(&[EMBEDDED])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let env = TestEnv::sqlite();
        let instance = env.start_with(settings);
        Self { client: instance.client(), http: Http::public(&instance), instance, env }
    }
}
