//! When a topic counts as another one.

use super::*;

fn identity(topic: &str, cluster: Option<&str>, id: Option<u128>) -> TopicIdentity {
    TopicIdentity { topic: topic.to_owned(), cluster: cluster.map(str::to_owned), topic_id: id.map(Uuid::from_u128) }
}

#[test]
fn another_topic_is_told_by_its_name_its_cluster_or_its_id() {
    let bound = identity("t", Some("c"), Some(1));
    let halt = |found: &TopicIdentity| Halt::for_other_topic(&bound, found);
    assert_eq!(halt(&bound), None);
    assert!(matches!(halt(&identity("u", Some("c"), Some(1))), Some(Halt::OtherTopic { .. })));
    assert!(matches!(halt(&identity("t", Some("d"), Some(1))), Some(Halt::OtherCluster { .. })));
    assert!(matches!(halt(&identity("t", Some("c"), Some(2))), Some(Halt::TopicRecreated { .. })));
}

#[test]
fn what_is_not_known_does_not_differ() {
    let known = identity("t", Some("c"), Some(1));
    for found in [identity("t", None, None), identity("t", Some("c"), None), identity("t", None, Some(1))] {
        assert_eq!(Halt::for_other_topic(&known, &found), None);
        assert_eq!(Halt::for_other_topic(&found, &known), None);
    }
}
