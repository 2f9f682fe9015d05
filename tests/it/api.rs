//! A running service as its callers meet it: errors, keys, lists, limits, callers, equal meaning over both
//! transports, and the private port.

mod errors;
mod keys;
mod lists;
mod meaning;
mod people;
mod private;
mod subjects;

use cmgate::contract::v1::request_service_client::RequestServiceClient;
use tonic::transport::Channel;

use crate::client::Http;
use crate::instance::{Instance, Place};
use crate::services::{DatabaseFile, fresh_topic};

/// No brokers, so that the service starts its own; spares the real one the topics of these tests.
const EMBEDDED: (&str, &str) = ("CMGATE__KAFKA__BROKERS", "");

/// A service of one test, with its callers.
struct Api {
    instance: Instance,
    client: RequestServiceClient<Channel>,
    http: Http,
    place: Place,
    _file: DatabaseFile,
}

impl Api {
    /// Starts one with the built-in test broker, as `cargo run` does: what callers meet is the same.
    fn start() -> Self {
        Self::start_with(&[EMBEDDED])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let file = DatabaseFile::create();
        let place = Place { database: file.url(), topic: fresh_topic() };
        let instance = Instance::start_with(&place, settings);
        Self { client: instance.client(), http: Http::public(&instance), instance, place, _file: file }
    }
}
