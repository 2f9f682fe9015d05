//! Kafka as the relay sees it: a topic to make sure of, a tail to read, producers that fence and publish.
//!
//! What a real broker does to each of these, and why the limits are what they are, was measured; the README tells the gist.
//! Everything here blocks, and so belongs on threads of its own.

mod broker;
mod ends;
mod error;
mod groups;
mod publisher;
mod record;
mod settings;
mod tail;
mod topic;
mod window;
mod wire;

pub use broker::TestBroker;
pub use error::KafkaFailure;
pub use publisher::{Published, Publisher};
pub use record::{Record, Told};
pub use settings::KafkaSettings;
pub use tail::{Tail, peek_tails, read_tails};
pub use topic::{TopicDescription, describe_or_create_topic, describe_topic};

/// Drops a client on another thread. Closing one takes up to a tenth of a second, in which a lane can do better things.
fn drop_elsewhere<T: Send + 'static>(client: T) {
    std::thread::spawn(move || drop(client));
}
