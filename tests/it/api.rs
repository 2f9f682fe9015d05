//! A running service as its callers see it: errors, keys, lists, limits, permissions, equal meaning over both transports, and the
//! admin port.

mod credentials;
mod directory;
mod errors;
mod keys;
mod limits;
mod lists;
mod meaning;
mod people;
mod private;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use tonic::transport::Channel;

use crate::support::client::Http;
use crate::support::env::TestEnv;
use crate::support::instance::Instance;

/// No brokers: the service starts its own test broker, which keeps the topics of these tests off the real one.
const EMBEDDED: (&str, &str) = ("CMGATE__KAFKA__BROKERS", "");

/// A service for one test, with clients.
struct Api {
    instance: Instance,
    client: RequestServiceClient<Channel>,
    http: Http,
    env: TestEnv,
}

impl Api {
    /// Starts one with the built-in test broker, as `cargo run` does; callers see no difference.
    fn start() -> Self {
        Self::start_with(&[EMBEDDED])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let env = TestEnv::sqlite();
        let instance = env.start_with(settings);
        Self { client: instance.client(), http: Http::public(&instance), instance, env }
    }
}
