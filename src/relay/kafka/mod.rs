//! The relay's Kafka client: describes and creates the topic, reads tails, fences and publishes.
//!
//! Everything here blocks, so it belongs on threads of its own.

mod broker;
mod client_metrics;
mod cluster;
mod ends;
mod error;
mod fenced;
mod group;
mod groups;
mod inspect;
mod property;
mod publisher;
mod record;
mod self_test;
mod settings;
mod tail;
pub(super) mod tally;
mod topic;
mod window;
mod wire;

pub use broker::TestBroker;
pub use error::KafkaFailure;
pub use fenced::{FencedClaim, FencedPublisher, LONGEST_FENCE};
pub use group::{GroupClaim, GroupPublisher};
pub use inspect::{ClusterReport, PartitionReport, TopicReport, Transactions, inspect};
pub use property::PropertyError;
pub use publisher::{Published, Publisher};
pub use record::{PublishedEvent, Record};
pub use self_test::self_test;
pub use settings::KafkaSettings;
pub use tail::{Tail, peek_tails, read_tails};
pub use topic::{TopicDescription, describe_or_create_topic, describe_topic};

/// Drops a client on another thread, since closing one takes up to 100 ms.
fn drop_elsewhere<T: Send + 'static>(client: T) {
    std::thread::spawn(move || drop(client));
}
